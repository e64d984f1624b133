//! Sizes: a whole number of bytes, `KiB`, `MiB` or `GiB`.

use super::{Invalid, quote};

/// Units and their bytes, largest first.
const UNITS: [(&str, u64); 4] = [
    ("GiB", 1024 * 1024 * 1024),
    ("MiB", 1024 * 1024),
    ("KiB", 1024),
    ("B", 1),
];

/// Parses a size; bytes.
pub(in crate::config) fn parse_size(text: &str) -> Result<u64, Invalid> {
    let invalid = || Invalid::new(format!("{} is not a size", quote(text)));
    let unit_at = text
        .find(|letter: char| !letter.is_ascii_digit())
        .unwrap_or(text.len());
    let (number, unit) = text.split_at(unit_at);
    if number.is_empty() {
        return Err(invalid().fix("write \"64KiB\", \"1MiB\" or a number of bytes"));
    }
    let unit_bytes = match UNITS.iter().find(|(name, _)| *name == unit) {
        Some((_, bytes)) => *bytes,
        None if unit.is_empty() => 1,
        None => {
            let letter = unit
                .trim()
                .chars()
                .next()
                .unwrap_or('K')
                .to_ascii_uppercase();
            let unit = match letter {
                'M' => "MiB",
                'G' => "GiB",
                _ => "KiB",
            };
            return Err(invalid().fix(format!("write \"{number}{unit}\"")));
        }
    };
    number
        .parse::<u64>()
        .ok()
        .and_then(|number| number.checked_mul(unit_bytes))
        .ok_or_else(|| {
            Invalid::new(format!("{} is too large", quote(text)))
                .fix("write a size such as \"64KiB\" or \"1MiB\"")
        })
}

/// Writes a size the way [`parse_size`] reads it, in the largest unit that is exact.
pub(in crate::config) fn format_size(bytes: u64) -> String {
    let (unit, unit_bytes) = UNITS
        .iter()
        .find(|(_, unit_bytes)| bytes >= *unit_bytes && bytes.is_multiple_of(*unit_bytes))
        .unwrap_or(&("B", 1));
    format!("{}{unit}", bytes / unit_bytes)
}

#[cfg(test)]
mod tests {
    use super::{format_size, parse_size};

    #[test]
    fn every_unit() {
        assert_eq!(parse_size("64KiB"), Ok(65_536));
        assert_eq!(parse_size("1MiB"), Ok(1_048_576));
        assert_eq!(parse_size("2GiB"), Ok(2_147_483_648));
        assert_eq!(parse_size("100"), Ok(100));
        assert_eq!(parse_size("100B"), Ok(100));
    }

    #[test]
    fn what_is_wrong() {
        let why = |text| parse_size(text).unwrap_err().to_string();
        insta::assert_snapshot!(why("64KB"), @r#""64KB" is not a size; write "64KiB""#);
        insta::assert_snapshot!(why("1m"), @r#""1m" is not a size; write "1MiB""#);
        insta::assert_snapshot!(why("much"), @r#""much" is not a size; write "64KiB", "1MiB" or a number of bytes"#);
        insta::assert_snapshot!(why("99999999999GiB"), @r#""99999999999GiB" is too large; write a size such as "64KiB" or "1MiB""#);
    }

    #[test]
    fn writes_what_it_reads() {
        for text in ["64KiB", "1MiB", "3GiB", "100B", "0B"] {
            assert_eq!(format_size(parse_size(text).unwrap()), text);
        }
    }
}
