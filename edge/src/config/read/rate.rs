//! A rate and its burst, which stand under two keys.

use crate::config::Rate;
use crate::config::table::Table;
use crate::config::value::parse_rate;

/// A burst takes this long to earn back, unless the file names another.
const BURST_SECONDS: f64 = 2.0;
/// A client that loads one page asks for a few things at once, whatever the average.
const BURST_LEAST: f64 = 10.0;
/// With the slowest rate, one an hour, a larger burst overflows nanoseconds in 64 bits.
const BURST_MAX: u64 = 1_000_000;

/// Reads `name` and `burst_name`; `"off"` is no limit.
pub(super) fn read(
    table: &Table<'_>,
    name: &'static str,
    burst_name: &'static str,
    default_per_sec: f64,
) -> Option<Rate> {
    let default = Rate {
        per_sec: default_per_sec,
        burst: earned(default_per_sec),
    };
    read_or(table, name, burst_name, Some(default))
}

/// The same, without a limit unless the file says so.
pub(super) fn read_or_off(
    table: &Table<'_>,
    name: &'static str,
    burst_name: &'static str,
) -> Option<Rate> {
    read_or(table, name, burst_name, None)
}

/// The same where the default may be no limit, or a burst of its own.
pub(super) fn read_or(
    table: &Table<'_>,
    name: &'static str,
    burst_name: &'static str,
    default: Option<Rate>,
) -> Option<Rate> {
    let expected = "a rate such as \"100/s\", or \"off\"";
    let written = table.item(name).map(|item| {
        item.parse(expected, |text| match text {
            "off" => Ok(None),
            text => parse_rate(text).map(Some),
        })
    });
    let (per_sec, default_burst) = match written {
        Some(Some(per_sec)) => (per_sec, per_sec.map_or(BURST_LEAST as u32, earned)),
        None | Some(None) => (
            default.map(|rate| rate.per_sec),
            default.map_or(BURST_LEAST as u32, |rate| rate.burst),
        ),
    };
    // Read even when the limit is off, so that a wrong burst is never overlooked.
    let burst = table.integer(burst_name, default_burst.into(), 1..=BURST_MAX) as u32;
    per_sec.map(|per_sec| Rate { per_sec, burst })
}

/// The burst of a rate that names none.
fn earned(per_sec: f64) -> u32 {
    ((per_sec * BURST_SECONDS).max(BURST_LEAST) as u64).min(BURST_MAX) as u32
}
