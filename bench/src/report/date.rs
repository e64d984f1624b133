//! Today's date.

use std::time::{SystemTime, UNIX_EPOCH};

/// Today in UTC as `2026-11-21`.
pub(super) fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    format_day(since.map_or(0, |since| since.as_secs() / 86_400))
}

/// The Gregorian date of a day counted from 1970-01-01: years are cut into the 400-year cycles the
/// calendar repeats in, and begin in March so that the leap day comes last.
fn format_day(day: u64) -> String {
    // Days from 0000-03-01, the start of a cycle, to 1970-01-01.
    let day = day + 719_468;
    let (cycle, day) = (day / 146_097, day % 146_097);
    let year_of_cycle = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year_of_cycle + year_of_cycle / 4 - year_of_cycle / 100);
    // Months from March on: five of them have 153 days, whichever one starts with.
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let (month, carry) = if month < 10 {
        (month + 3, 0)
    } else {
        (month - 9, 1)
    };
    let year = 400 * cycle + year_of_cycle + carry;
    format!("{year:04}-{month:02}-{date:02}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_become_dates() {
        for (day, date) in [
            (0, "1970-01-01"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (20_778, "2026-11-21"),
            (47_540, "2100-02-28"),
            (47_541, "2100-03-01"),
        ] {
            assert_eq!(format_day(day), date);
        }
    }
}
