//! Rates: `"50/s"`, `"30/m"`, `"100/h"`; the number may be a fraction.

use super::{Invalid, quote};

/// Slower would be a ban, and makes the limiters' time arithmetic overflow with a large burst.
const PER_SEC_MIN: f64 = 1.0 / 3600.0;
/// Ten million a second: above what one machine takes, below one every clock tick.
const PER_SEC_MAX: f64 = 10_000_000.0;

/// Parses a rate; average per second.
pub(in crate::config) fn parse_rate(text: &str) -> Result<f64, Invalid> {
    let invalid = |problem: &str| {
        Invalid::new(format!("{} {problem}", quote(text)))
            .fix("write \"50/s\", \"30/m\" or \"100/h\"")
    };
    let (number, unit) = text
        .split_once('/')
        .ok_or_else(|| invalid("does not say per what"))?;
    let seconds = match unit {
        "s" => 1.0,
        "m" => 60.0,
        "h" => 3600.0,
        _ => return Err(invalid("is not per s, m or h")),
    };
    // f64's own parser also takes signs, exponents, "inf" and "nan".
    let plain = number
        .bytes()
        .all(|byte| byte.is_ascii_digit() || byte == b'.');
    let number: f64 = number
        .parse()
        .ok()
        .filter(|_| plain)
        .ok_or_else(|| invalid("is not a rate"))?;
    let per_sec = number / seconds;
    if number == 0.0 {
        return Err(
            Invalid::new(format!("{} admits nothing", quote(text))).fix("\"off\" means no limit")
        );
    }
    if per_sec < PER_SEC_MIN {
        return Err(Invalid::new(format!("{} is too slow", quote(text))).fix("at least \"1/h\""));
    }
    if per_sec > PER_SEC_MAX {
        return Err(Invalid::new(format!("{} is too fast", quote(text)))
            .fix("at most \"10000000/s\"; \"off\" means no limit"));
    }
    Ok(per_sec)
}

#[cfg(test)]
mod tests {
    use super::parse_rate;

    #[test]
    fn every_unit_and_fractions() {
        assert_eq!(parse_rate("50/s"), Ok(50.0));
        assert_eq!(parse_rate("30/m"), Ok(0.5));
        assert_eq!(parse_rate("3600/h"), Ok(1.0));
        assert_eq!(parse_rate("0.5/s"), Ok(0.5));
        assert_eq!(parse_rate("1/h"), Ok(1.0 / 3600.0));
    }

    #[test]
    fn what_is_wrong() {
        let why = |text| parse_rate(text).unwrap_err().to_string();
        insta::assert_snapshot!(why("50"), @r#""50" does not say per what; write "50/s", "30/m" or "100/h""#);
        insta::assert_snapshot!(why("50/sec"), @r#""50/sec" is not per s, m or h; write "50/s", "30/m" or "100/h""#);
        insta::assert_snapshot!(why("many/s"), @r#""many/s" is not a rate; write "50/s", "30/m" or "100/h""#);
        insta::assert_snapshot!(why("0/s"), @r#""0/s" admits nothing; "off" means no limit"#);
        insta::assert_snapshot!(why("0.5/h"), @r#""0.5/h" is too slow; at least "1/h""#);
        insta::assert_snapshot!(why("99999999/s"), @r#""99999999/s" is too fast; at most "10000000/s"; "off" means no limit"#);
        for text in [
            "inf/s", "nan/s", "-1/s", "1e3/s", "/s", "./s", "1.2.3/s", "", "/",
        ] {
            parse_rate(text).unwrap_err();
        }
    }
}
