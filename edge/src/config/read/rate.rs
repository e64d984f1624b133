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
    read_with(table, name, burst_name, Some(default_per_sec))
}

/// The same, without a limit unless the file says so.
pub(super) fn read_or_off(
    table: &Table<'_>,
    name: &'static str,
    burst_name: &'static str,
) -> Option<Rate> {
    read_with(table, name, burst_name, None)
}

fn read_with(
    table: &Table<'_>,
    name: &'static str,
    burst_name: &'static str,
    default_per_sec: Option<f64>,
) -> Option<Rate> {
    let expected = "a rate such as \"100/s\", or \"off\"";
    let per_sec = match table.item(name) {
        None => default_per_sec,
        Some(item) => item
            .parse(expected, |text| match text {
                "off" => Ok(None),
                text => parse_rate(text).map(Some),
            })
            .unwrap_or(default_per_sec),
    };
    let earned = (per_sec.or(default_per_sec).unwrap_or(0.0) * BURST_SECONDS).max(BURST_LEAST);
    let default_burst = (earned as u64).min(BURST_MAX);
    // Read even when the limit is off, so that a wrong burst is never overlooked.
    let burst = table.integer(burst_name, default_burst, 1..=BURST_MAX) as u32;
    per_sec.map(|per_sec| Rate { per_sec, burst })
}
