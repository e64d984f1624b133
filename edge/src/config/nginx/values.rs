//! Values of nginx directives, as ours.

/// A time (`30s`, `1h30m`, `500ms`, a bare number of seconds) as one of ours.
pub(super) fn duration(text: &str) -> Option<String> {
    let mut millis = 0u64;
    let mut rest = text;
    while !rest.is_empty() {
        let digits = rest.len() - rest.trim_start_matches(|c: char| c.is_ascii_digit()).len();
        let number: u64 = rest.get(..digits)?.parse().ok()?;
        rest = &rest[digits..];
        let units = [
            ("ms", 1),
            ("s", 1_000),
            ("m", 60_000),
            ("h", 3_600_000),
            ("d", 86_400_000),
            ("w", 604_800_000),
            ("M", 2_592_000_000),
            ("y", 31_536_000_000),
        ];
        let unit = units.iter().find(|(unit, _)| rest.starts_with(unit));
        let (unit, scale) = match unit {
            Some(&(unit, scale)) => (unit, scale),
            None if rest.is_empty() => ("", 1_000),
            None => return None,
        };
        rest = &rest[unit.len()..];
        millis = millis.checked_add(number.checked_mul(scale)?)?;
    }
    (!text.is_empty()).then(|| written(millis))
}

/// Milliseconds in the largest unit that keeps them whole.
fn written(millis: u64) -> String {
    let units = [
        (86_400_000, "d"),
        (3_600_000, "h"),
        (60_000, "m"),
        (1_000, "s"),
    ];
    match units
        .iter()
        .find(|(scale, _)| millis > 0 && millis.is_multiple_of(*scale))
    {
        Some((scale, unit)) => format!("{}{unit}", millis / scale),
        None => format!("{millis}ms"),
    }
}

/// Milliseconds in a duration of ours, to find the longest of several.
pub(super) fn millis(ours: &str) -> u64 {
    let digits = ours.len() - ours.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let scale = match &ours[digits..] {
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        "h" => 3_600_000,
        _ => 86_400_000,
    };
    ours[..digits].parse().unwrap_or(0) * scale
}

/// A size (`10m`, `8k`, `1g`, bytes) as one of ours.
pub(super) fn size(text: &str) -> Option<String> {
    let unit = text.trim_start_matches(|c: char| c.is_ascii_digit());
    let number: u64 = text[..text.len() - unit.len()].parse().ok()?;
    match unit {
        "" => Some(number.to_string()),
        "k" | "K" => Some(format!("\"{number}KiB\"")),
        "m" | "M" => Some(format!("\"{number}MiB\"")),
        "g" | "G" => Some(format!("\"{}MiB\"", number.checked_mul(1024)?)),
        _ => None,
    }
}

/// A rate (`10r/s`, `30r/m`) as one of ours.
pub(super) fn rate(text: &str) -> Option<String> {
    let (number, unit) = text.split_once("r/")?;
    let number: u64 = number.parse().ok()?;
    matches!(unit, "s" | "m").then(|| format!("{number}/{unit}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_sizes_and_rates_become_ours() {
        for (text, ours) in [
            ("30s", Some("30s")),
            ("3600s", Some("1h")),
            ("60", Some("1m")),
            ("1h30m", Some("90m")),
            ("500ms", Some("500ms")),
            ("0", Some("0ms")),
            ("1x", None),
            ("", None),
            ("s", None),
        ] {
            assert_eq!(duration(text).as_deref(), ours, "{text}");
        }
        assert_eq!(millis("90m"), 5_400_000);
        assert_eq!(size("10m").as_deref(), Some("\"10MiB\""));
        assert_eq!(size("2g").as_deref(), Some("\"2048MiB\""));
        assert_eq!(size("512").as_deref(), Some("512"));
        assert_eq!(size("1q"), None);
        assert_eq!(rate("30r/m").as_deref(), Some("30/m"));
        assert_eq!(rate("30/m"), None);
    }
}
