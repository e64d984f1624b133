//! RFC 3339 timestamps in UTC with milliseconds, formatted once per second.

use std::io::Write;

/// Length of `2026-11-05T12:34:56.789Z`.
const LEN: usize = 24;
/// Where the milliseconds stand in it.
const MILLIS: usize = 20;

/// The last timestamp written; most lines differ from it in the milliseconds only.
#[derive(Debug)]
pub(super) struct Timestamp {
    unix_secs: u64,
    text: [u8; LEN],
}

impl Timestamp {
    pub(super) fn new() -> Timestamp {
        Timestamp {
            unix_secs: 0,
            text: *b"1970-01-01T00:00:00.000Z",
        }
    }

    /// The text of a time given in milliseconds since the Unix epoch.
    pub(super) fn at(&mut self, unix_ms: u64) -> &[u8; LEN] {
        let (unix_secs, ms) = (unix_ms / 1000, unix_ms % 1000);
        if unix_secs != self.unix_secs {
            self.format(unix_secs);
        }
        for (digit, divisor) in [100, 10, 1].into_iter().enumerate() {
            self.text[MILLIS + digit] = b'0' + (ms / divisor % 10) as u8;
        }
        &self.text
    }

    fn format(&mut self, unix_secs: u64) {
        let (year, month, day) = civil(unix_secs / 86_400);
        let (hour, minute, second) = (unix_secs / 3600 % 24, unix_secs / 60 % 60, unix_secs % 60);
        // RFC 3339 has four digits for the year; a clock beyond 9999 is broken and shows as 9999.
        let year = year.min(9999);
        self.unix_secs = unix_secs;
        write!(
            self.text.as_mut_slice(),
            "{year:04}-{month:02}-{day:02}T{hour:02}:{minute:02}:{second:02}.000Z"
        )
        .expect("the text has exactly this length");
    }
}

/// Year, month and day of a number of days since 1970-01-01 in the Gregorian calendar.
///
/// Counts in 400-year eras from March 1 of year 0, so that leap days end a year.
fn civil(days: u64) -> (u64, u64, u64) {
    const DAYS_PER_ERA: u64 = 146_097;
    const DAYS_TO_EPOCH: u64 = 719_468;
    let days = days + DAYS_TO_EPOCH;
    let (era, day_of_era) = (days / DAYS_PER_ERA, days % DAYS_PER_ERA);
    let year_of_era =
        (day_of_era - day_of_era / 1460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    // Months from March have 153 days in every five.
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 {
        month_from_march + 3
    } else {
        month_from_march - 9
    };
    let year = era * 400 + year_of_era + u64::from(month <= 2);
    (year, month, day)
}

#[cfg(test)]
mod tests {
    use super::Timestamp;
    use proptest::prelude::*;
    use std::time::{Duration, UNIX_EPOCH};

    fn text(unix_ms: u64) -> String {
        String::from_utf8(Timestamp::new().at(unix_ms).to_vec()).expect("ASCII")
    }

    #[test]
    fn known_times() {
        assert_eq!(text(0), "1970-01-01T00:00:00.000Z");
        assert_eq!(text(951_782_400_007), "2000-02-29T00:00:00.007Z");
        assert_eq!(text(1_793_881_696_789), "2026-11-05T12:28:16.789Z");
        assert_eq!(text(253_402_300_799_999), "9999-12-31T23:59:59.999Z");
        assert_eq!(text(u64::MAX).len(), 24);
    }

    #[test]
    fn the_second_is_reused_but_not_kept() {
        let mut timestamp = Timestamp::new();
        for unix_ms in [999, 1000, 1001, 500, 61_000] {
            assert_eq!(timestamp.at(unix_ms).as_slice(), text(unix_ms).as_bytes());
        }
    }

    proptest! {
        #[test]
        fn agrees_with_httpdate(unix_secs in 0u64..253_402_300_800) {
            // "Sun, 06 Nov 1994 08:49:37 GMT"
            let http = httpdate::fmt_http_date(UNIX_EPOCH + Duration::from_secs(unix_secs));
            let ours = text(unix_secs * 1000);
            prop_assert_eq!(&ours[..4], &http[12..16]);
            prop_assert_eq!(&ours[8..10], &http[5..7]);
            prop_assert_eq!(&ours[11..19], &http[17..25]);
            let months = "JanFebMarAprMayJunJulAugSepOctNovDec";
            let month: usize = ours[5..7].parse().expect("digits");
            prop_assert_eq!(&months[(month - 1) * 3..month * 3], &http[8..11]);
        }
    }
}
