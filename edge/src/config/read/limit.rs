//! `[limit]`: requests per client address, and what happens to clients that ignore 429.

use std::time::Duration;

use super::rate;
use crate::config::schema::PENALTY;
use crate::config::table::Table;
use crate::config::{Penalty, RequestLimit};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

pub(super) fn read(table: &Table<'_>) -> Option<RequestLimit> {
    let rate = rate::read(table, "requests", "burst", 100.0);
    let penalty = penalty(&table.table("penalty", PENALTY));
    rate.map(|rate| RequestLimit { rate, penalty })
}

fn penalty(table: &Table<'_>) -> Option<Penalty> {
    let refused = table.integer("refused", 100, 1..=1_000_000) as u32;
    let within = table.duration("within", Duration::from_secs(60), SECOND..=DAY);
    let ban = table.duration_or_off("ban", Duration::from_secs(600), SECOND..=365 * DAY)?;
    Some(Penalty {
        refused,
        within,
        ban,
    })
}
