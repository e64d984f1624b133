//! Durations: a whole number and one unit, `"250ms"`, `"30s"`, `"5m"`, `"1h"`, `"7d"`.

use std::time::Duration;

use super::{Invalid, quote};

/// Units and their milliseconds, largest first.
const UNITS: [(&str, u64); 5] = [
    ("d", 24 * 60 * 60 * 1000),
    ("h", 60 * 60 * 1000),
    ("m", 60 * 1000),
    ("s", 1000),
    ("ms", 1),
];

/// Parses a duration.
pub fn parse_duration(text: &str) -> Result<Duration, Invalid> {
    let invalid = || {
        Invalid::new(format!("{} is not a duration", quote(text)))
            .fix("write a whole number and ms, s, m, h or d, such as \"30s\"")
    };
    let unit_at = text
        .find(|letter: char| !letter.is_ascii_digit())
        .ok_or_else(|| {
            Invalid::new(format!("{} has no unit", quote(text))).fix(format!(
                "write \"{text}s\" for seconds, or use ms, m, h or d"
            ))
        })
        .map_err(|no_unit| if text.is_empty() { invalid() } else { no_unit })?;
    let (number, unit) = text.split_at(unit_at);
    let (_, unit_ms) = UNITS
        .iter()
        .find(|(name, _)| *name == unit)
        .ok_or_else(invalid)?;
    let number: u64 = match number.parse() {
        Ok(number) => number,
        Err(_) if number.is_empty() => return Err(invalid()),
        Err(_) => return Err(too_long(text)),
    };
    let ms = number.checked_mul(*unit_ms).ok_or_else(|| too_long(text))?;
    Ok(Duration::from_millis(ms))
}

/// Writes a duration the way [`parse_duration`] reads it, in the largest unit that is exact to the
/// second: `90s`, `10m`, `1h`. What is below a millisecond is cut.
pub fn format_duration(duration: Duration) -> String {
    let ms = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let (unit, unit_ms) = UNITS
        .iter()
        .find(|(_, unit_ms)| ms >= *unit_ms && ms.is_multiple_of(*unit_ms))
        .unwrap_or(&("s", 1000));
    format!("{}{unit}", ms / unit_ms)
}

/// More than there are milliseconds for.
fn too_long(text: &str) -> Invalid {
    Invalid::new(format!("{} is too long", quote(text)))
        .fix("write a time such as \"30s\" or \"1h\"")
}

#[cfg(test)]
mod tests {
    use super::{format_duration, parse_duration};
    use std::time::Duration;

    #[test]
    fn every_unit() {
        let ms = |text| parse_duration(text).unwrap().as_millis();
        assert_eq!(ms("250ms"), 250);
        assert_eq!(ms("30s"), 30_000);
        assert_eq!(ms("5m"), 300_000);
        assert_eq!(ms("1h"), 3_600_000);
        assert_eq!(ms("7d"), 604_800_000);
        assert_eq!(ms("0s"), 0);
    }

    #[test]
    fn what_is_wrong() {
        let why = |text| parse_duration(text).unwrap_err().to_string();
        insta::assert_snapshot!(why("30"), @r#""30" has no unit; write "30s" for seconds, or use ms, m, h or d"#);
        insta::assert_snapshot!(why("1.5s"), @r#""1.5s" is not a duration; write a whole number and ms, s, m, h or d, such as "30s""#);
        insta::assert_snapshot!(why(""), @r#""" is not a duration; write a whole number and ms, s, m, h or d, such as "30s""#);
        insta::assert_snapshot!(why("99999999999999999999s"), @r#""99999999999999999999s" is too long; write a time such as "30s" or "1h""#);
        insta::assert_snapshot!(why("999999999999999999d"), @r#""999999999999999999d" is too long; write a time such as "30s" or "1h""#);
        for text in ["-1s", "30 s", "s", "30sec", "1h30m", "30S", "٣s", "+3s"] {
            parse_duration(text).unwrap_err();
        }
    }

    #[test]
    fn writes_what_it_reads() {
        for text in ["250ms", "30s", "90s", "5m", "1h", "7d", "0s"] {
            assert_eq!(format_duration(parse_duration(text).unwrap()), text);
        }
        assert_eq!(format_duration(Duration::from_micros(900)), "0s");
        assert_eq!(format_duration(Duration::from_secs(3600)), "1h");
    }
}
