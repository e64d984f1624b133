//! `[limit]`: requests per client address, and what happens to clients that misbehave.

use std::time::Duration;

use super::rate;
use crate::config::schema::PENALTY;
use crate::config::table::Table;
use crate::config::value::format_duration;
use crate::config::{Penalty, RequestLimit, Weights};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn read(table: &Table<'_>) -> (Option<RequestLimit>, Option<Penalty>) {
    let rate = rate::read(table, "requests", "burst", 100.0);
    let penalty = penalty(&table.table("penalty", PENALTY));
    (rate.map(|rate| RequestLimit { rate }), penalty)
}

fn penalty(table: &Table<'_>) -> Option<Penalty> {
    let refused = table.integer("refused", 100, 1..=1_000_000) as u32;
    let within = table.duration("within", Duration::from_secs(60), SECOND..=DAY);
    let ban = table.duration_or_off("ban", Duration::from_secs(600), SECOND..=365 * DAY);
    let ban_max = table.duration("ban_max", DAY.max(ban.unwrap_or(DAY)), SECOND..=365 * DAY);
    let forget = table.duration("forget", DAY, SECOND..=365 * DAY);
    let weight = |name, usual| table.integer(name, usual, 0..=1_000_000) as u32;
    let weights = Weights {
        handshake: weight("handshake", 2),
        malformed: weight("malformed", 5),
        smuggling: weight("smuggling", 25),
        oversize: weight("oversize", 5),
        resets: weight("resets", 25),
        auth: weight("auth", 5),
    };
    let ban = ban?;
    if ban_max < ban {
        let span = table
            .item("ban_max")
            .map_or(table.span(), |item| item.span());
        let message = format!(
            "`ban_max`: the longest ban is shorter than the first; write at least {:?}",
            format_duration(ban)
        );
        table.report().error(span, message);
    }
    Some(Penalty {
        refused,
        within,
        ban,
        ban_max,
        forget,
        weights,
    })
}
