//! Byte ranges (RFC 9110 §14).

use crate::message::{Fields, Name};

/// More ranges than a reader of a document or a film asks for at once.
const RANGES_MAX: usize = 16;

/// Bytes from one position to another.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    /// The position of the first.
    pub first: u64,
    /// How many there are; never 0.
    pub len: u64,
}

/// What a request wants of a representation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Ranges {
    /// All of it.
    Whole,
    /// These parts of it, at least one, in the order of the request.
    Parts(Vec<Span>),
    /// Parts that it does not have.
    Unsatisfiable,
}

impl Ranges {
    /// Reads `Range` for a representation of `len` bytes. What is malformed, of another unit or
    /// costs more than the whole (many ranges, or ranges that overlap) counts as not there
    /// (RFC 9110 §14.2).
    pub fn of(fields: &Fields, len: u64) -> Ranges {
        let mut values = fields.values(Name::Range);
        match (values.next(), values.next()) {
            (Some(value), None) => read(value, len).unwrap_or(Ranges::Whole),
            _ => Ranges::Whole,
        }
    }
}

fn read(value: &[u8], len: u64) -> Option<Ranges> {
    let (unit, set) = value.split_at_checked("bytes=".len())?;
    if !unit.eq_ignore_ascii_case(b"bytes=") {
        return None;
    }
    let mut parts = Vec::new();
    let mut named = 0;
    let mut sum = 0u64;
    for element in set.split(|&b| b == b',') {
        let element = element.trim_ascii();
        if element.is_empty() {
            continue;
        }
        named += 1;
        if named > RANGES_MAX {
            return None;
        }
        if let Some(part) = span(element, len)? {
            sum = sum.checked_add(part.len)?;
            parts.push(part);
        }
    }
    match parts.len() {
        _ if named == 0 => None,
        0 => Some(Ranges::Unsatisfiable),
        _ if sum > len => None,
        _ => Some(Ranges::Parts(parts)),
    }
}

/// `first-last`, `first-` or `-suffix`; `None` within for bytes that are not there.
fn span(element: &[u8], len: u64) -> Option<Option<Span>> {
    let dash = element.iter().position(|&b| b == b'-')?;
    let (first, last) = (&element[..dash], &element[dash + 1..]);
    if first.is_empty() {
        let wanted = number(last)?.min(len);
        return Some((wanted > 0).then_some(Span {
            first: len - wanted,
            len: wanted,
        }));
    }
    let first = number(first)?;
    let last = match last {
        [] => u64::MAX,
        last => number(last)?,
    };
    if last < first {
        return None;
    }
    Some((first < len).then(|| Span {
        first,
        len: last.min(len - 1) - first + 1,
    }))
}

/// Digits only; what is larger than any file is as good as the largest number.
fn number(digits: &[u8]) -> Option<u64> {
    if digits.is_empty() || !digits.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: u64, &digit: &u8| {
        sum.saturating_mul(10)
            .saturating_add(u64::from(digit - b'0'))
    };
    Some(digits.iter().fold(0, add))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(value: &str, len: u64) -> Ranges {
        let mut fields = Fields::default();
        fields.push(b"range", value.as_bytes());
        Ranges::of(&fields, len)
    }

    fn parts(spans: &[(u64, u64)]) -> Ranges {
        let spans = spans.iter().map(|&(first, len)| Span { first, len });
        Ranges::Parts(spans.collect())
    }

    #[test]
    fn parts_of_ten_bytes() {
        assert_eq!(of("bytes=0-0", 10), parts(&[(0, 1)]));
        assert_eq!(of("Bytes=2-", 10), parts(&[(2, 8)]));
        assert_eq!(of("bytes=-3", 10), parts(&[(7, 3)]));
        assert_eq!(of("bytes=-30", 10), parts(&[(0, 10)]));
        assert_eq!(of("bytes=5-99", 10), parts(&[(5, 5)]));
        assert_eq!(of("bytes=0-99999999999999999999999", 10), parts(&[(0, 10)]));
        assert_eq!(
            of("bytes= 0-1 , ,-2,8-9", 10),
            parts(&[(0, 2), (8, 2), (8, 2)])
        );
        assert_eq!(of("bytes=0-1,10-", 10), parts(&[(0, 2)]));
    }

    #[test]
    fn parts_that_are_not_there() {
        for value in ["bytes=10-", "bytes=-0", "bytes=99999999999999999999-"] {
            assert_eq!(of(value, 10), Ranges::Unsatisfiable, "{value}");
        }
        for value in ["bytes=0-", "bytes=-1", "bytes=0-0"] {
            assert_eq!(of(value, 0), Ranges::Unsatisfiable, "{value}");
        }
    }

    #[test]
    fn what_counts_as_not_there() {
        let many = format!("bytes={}", vec!["0-0"; 17].join(","));
        for value in [
            "",
            "bytes",
            "bytes=",
            "bytes=,",
            "bytes=1",
            "bytes=a-",
            "bytes=2-1",
            "bytes=-",
            "bytes=--1",
            "bytes=+1-2",
            "bytes=0-1,x",
            "bytes=1-2-3",
            "lines=0-1",
            "bytes =0-1",
            // Overlapping: more to send than the whole.
            "bytes=0-,0-",
            "bytes=0-6,3-9",
            &many,
        ] {
            assert_eq!(of(value, 10), Ranges::Whole, "{value}");
        }
        let mut twice = Fields::default();
        twice.push(b"range", b"bytes=0-0");
        twice.push(b"range", b"bytes=1-1");
        assert_eq!(Ranges::of(&twice, 10), Ranges::Whole);
    }
}
