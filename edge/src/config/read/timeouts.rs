//! `[timeouts]`: deadlines of the data plane.

use std::time::Duration;

use crate::config::Timeouts;
use crate::config::table::Table;

/// Below this a deadline would fire between two healthy packets.
const LEAST: Duration = Duration::from_millis(10);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn read(table: &Table<'_>) -> Timeouts {
    let duration =
        |name, default_s, most| table.duration(name, Duration::from_secs(default_s), LEAST..=most);
    Timeouts {
        handshake: duration("handshake", 10, HOUR),
        head: duration("head", 10, HOUR),
        body: duration("body", 60, DAY),
        idle: duration("idle", 75, DAY),
        send: duration("send", 60, DAY),
        // Libraries ping every 20 to 60 s; those that do not are quiet for longer.
        websocket_idle: duration("websocket_idle", 60 * 60, DAY),
        websocket_age: duration("websocket_age", 24 * 60 * 60, 30 * DAY),
        // Nothing is waited for with 0s.
        drain: table.duration("drain", Duration::from_secs(30), Duration::ZERO..=DAY),
    }
}
