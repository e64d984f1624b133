//! `[quic]`: the transport of HTTP/3.

use std::time::Duration;

use crate::config::table::Table;
use crate::config::{Quic, RetryPolicy};

const POLICIES: [(&str, RetryPolicy); 3] = [
    ("auto", RetryPolicy::Auto),
    ("always", RetryPolicy::Always),
    ("off", RetryPolicy::Off),
];
const SECOND: Duration = Duration::from_secs(1);
const HOUR: Duration = Duration::from_secs(60 * 60);

pub(super) fn read(table: &Table<'_>) -> Quic {
    let retry = table.item("retry").and_then(|item| item.choice(&POLICIES));
    let quic = Quic {
        retry: retry.unwrap_or(RetryPolicy::Auto),
        retry_above: table.integer("retry_above", 100, 0..=1024) as u32,
        idle_timeout: table.duration("idle_timeout", 60 * SECOND, SECOND..=HOUR),
        // Address translators forget a quiet flow after half a minute (RFC 9308 §3.2).
        keep_alive: table.duration_or_off("keep_alive", 20 * SECOND, SECOND..=HOUR),
        early_data: table.flag("early_data").unwrap_or(false),
        alt_svc: table.duration_or_off("alt_svc", 24 * HOUR, SECOND..=365 * 24 * HOUR),
        alt_svc_port: table
            .item("alt_svc_port")
            .map(|_| table.integer("alt_svc_port", 443, 1..=65535) as u16),
        offload: table.flag("offload").unwrap_or(true),
    };
    if let Some(keep_alive) = quic.keep_alive
        && keep_alive >= quic.idle_timeout
    {
        let item = table.item("keep_alive").or(table.item("idle_timeout"));
        let span = item.map_or(table.span(), |item| item.span());
        let message = "`keep_alive` must be shorter than `idle_timeout`, or every quiet \
             connection is given up before it is asked for a sign of life; write \
             `keep_alive = \"off\"` if that is meant";
        table.report().error(span, message);
    }
    quic
}
