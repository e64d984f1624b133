//! Conditional requests (RFC 9110 §13).

use std::time::{Duration, SystemTime};

use crate::message::{Fields, Name};

/// What identifies the state of a representation.
#[derive(Clone, Copy, Debug, Default)]
pub struct Validators<'a> {
    /// `ETag`, `W/` and quotes included.
    pub etag: Option<&'a [u8]>,
    /// `Last-Modified` in seconds since 1970.
    pub modified: Option<u64>,
}

/// What the preconditions of a request come to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// They hold, or there are none.
    Proceed,
    /// The client has it already: 304.
    NotModified,
    /// One does not hold: 412.
    Failed,
}

impl<'a> Validators<'a> {
    /// Those of a response.
    pub fn of(fields: &'a Fields) -> Validators<'a> {
        Validators {
            etag: fields.values_of("etag").next(),
            modified: date(fields, "last-modified"),
        }
    }

    /// Judges the preconditions of a GET or HEAD in the order of RFC 9110 §13.2.2.
    pub fn judge(&self, fields: &Fields) -> Verdict {
        if has(fields, "if-match") {
            if !self.is_in(fields, "if-match", Comparison::Strong) {
                return Verdict::Failed;
            }
        } else if let (Some(date), Some(modified)) =
            (date(fields, "if-unmodified-since"), self.modified)
            && modified > date
        {
            return Verdict::Failed;
        }
        if fields.values(Name::IfNoneMatch).next().is_some() {
            return match self.is_in(fields, "if-none-match", Comparison::Weak) {
                true => Verdict::NotModified,
                false => Verdict::Proceed,
            };
        }
        match (date(fields, "if-modified-since"), self.modified) {
            (Some(date), Some(modified)) if modified <= date => Verdict::NotModified,
            _ => Verdict::Proceed,
        }
    }

    /// Whether `Range` may be answered with a part (RFC 9110 §13.1.5): without `If-Range`, or if
    /// that names exactly this state. A date does only beside a strong tag, for only then is it
    /// certain that nothing changed within its second.
    pub fn allow_range(&self, fields: &Fields) -> bool {
        let mut values = fields.values_of("if-range");
        let value = match (values.next(), values.next()) {
            (None, _) => return true,
            (Some(value), None) => value.trim_ascii(),
            _ => return false,
        };
        let strong = self.etag.filter(|tag| tag.starts_with(b"\""));
        match value.first() {
            Some(b'"') => strong == Some(value),
            _ => strong.is_some() && self.modified.is_some() && parse_date(value) == self.modified,
        }
    }

    fn is_in(&self, fields: &Fields, name: &str, comparison: Comparison) -> bool {
        let values: Vec<&[u8]> = fields.values_of(name).collect();
        if matches!(values[..], [value] if value.trim_ascii() == b"*") {
            return true;
        }
        let Some(own) = self.etag else {
            return false;
        };
        values.into_iter().flat_map(tags).any(|tag| {
            let strong = own == tag && tag.starts_with(b"\"");
            strong || (comparison == Comparison::Weak && opaque(own) == opaque(tag))
        })
    }
}

/// How tags are compared (RFC 9110 §8.8.3.2).
#[derive(Clone, Copy, PartialEq, Eq)]
enum Comparison {
    Strong,
    Weak,
}

fn has(fields: &Fields, name: &str) -> bool {
    fields.values_of(name).next().is_some()
}

/// The date in a field that is there once; one that is no date counts as not there.
fn date(fields: &Fields, name: &str) -> Option<u64> {
    let mut values = fields.values_of(name);
    match (values.next(), values.next()) {
        (Some(value), None) => parse_date(value),
        _ => None,
    }
}

/// An HTTP date (RFC 9110 §5.6.7) in seconds since 1970.
pub(super) fn parse_date(value: &[u8]) -> Option<u64> {
    let text = str::from_utf8(value.trim_ascii()).ok()?;
    let time = httpdate::parse_http_date(text).ok()?;
    let since = time.duration_since(SystemTime::UNIX_EPOCH).ok();
    since.as_ref().map(Duration::as_secs)
}

/// The tags of a list, up to the first thing that is none. A tag may hold commas.
fn tags(list: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = list;
    std::iter::from_fn(move || {
        let is_between = |b: &u8| matches!(b, b',' | b' ' | b'\t');
        let start = rest.iter().position(|b| !is_between(b))?;
        let text = &rest[start..];
        let open = match text {
            [b'"', ..] => 1,
            [b'W', b'/', b'"', ..] => 3,
            _ => return None,
        };
        let len = text[open..].iter().position(|&b| b == b'"')?;
        let (tag, after) = text.split_at(open + len + 1);
        rest = after;
        Some(tag)
    })
}

fn opaque(tag: &[u8]) -> &[u8] {
    tag.strip_prefix(b"W/").unwrap_or(tag)
}

#[cfg(test)]
mod tests {
    use super::Verdict::{Failed, NotModified, Proceed};
    use super::*;

    const BEFORE: &str = "Sun, 06 Nov 1994 08:49:36 GMT";
    const THEN: &str = "Sun, 06 Nov 1994 08:49:37 GMT";
    const AFTER: &str = "Sun, 06 Nov 1994 08:49:38 GMT";

    fn fields(list: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in list {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        fields
    }

    fn verdict(etag: &str, list: &[(&str, &str)]) -> Verdict {
        let validators = Validators {
            etag: Some(etag.as_bytes()),
            modified: Some(784_111_777),
        };
        validators.judge(&fields(list))
    }

    #[test]
    fn one_condition() {
        let strong = |name, value| verdict("\"a,b\"", &[(name, value)]);
        let weak = |name, value| verdict("W/\"a,b\"", &[(name, value)]);
        assert_eq!(strong("If-Match", "*"), Proceed);
        assert_eq!(strong("If-Match", "\"x\", \"a,b\""), Proceed);
        assert_eq!(strong("If-Match", "W/\"a,b\""), Failed);
        assert_eq!(weak("If-Match", "W/\"a,b\""), Failed);
        assert_eq!(strong("If-Match", "\"x\""), Failed);
        assert_eq!(strong("If-Match", "nonsense"), Failed);
        assert_eq!(strong("If-None-Match", "*"), NotModified);
        assert_eq!(strong("If-None-Match", " \"x\",W/\"a,b\""), NotModified);
        assert_eq!(weak("If-None-Match", "\"a,b\""), NotModified);
        assert_eq!(strong("If-None-Match", "\"a\""), Proceed);
        assert_eq!(strong("If-None-Match", "\"x, \"a,b\""), Proceed, "no list");
        assert_eq!(strong("If-Modified-Since", BEFORE), Proceed);
        assert_eq!(strong("If-Modified-Since", THEN), NotModified);
        assert_eq!(strong("If-Modified-Since", AFTER), NotModified);
        assert_eq!(strong("If-Modified-Since", "yesterday"), Proceed);
        assert_eq!(strong("If-Unmodified-Since", BEFORE), Failed);
        assert_eq!(strong("If-Unmodified-Since", THEN), Proceed);
        assert_eq!(strong("If-Unmodified-Since", "yesterday"), Proceed);
    }

    #[test]
    fn several_conditions_in_their_order() {
        let strong = |list: &[(&str, &str)]| verdict("\"a\"", list);
        let tag_first = [("If-None-Match", "\"x\""), ("If-Modified-Since", AFTER)];
        assert_eq!(strong(&tag_first), Proceed);
        let tag_first = [("If-Match", "\"a\""), ("If-Unmodified-Since", BEFORE)];
        assert_eq!(strong(&tag_first), Proceed);
        let match_first = [("If-None-Match", "\"a\""), ("If-Match", "\"x\"")];
        assert_eq!(strong(&match_first), Failed);
        let both = [("If-Match", "\"a\""), ("If-None-Match", "\"a\"")];
        assert_eq!(strong(&both), NotModified);
        let twice = [("If-None-Match", "\"x\""), ("If-None-Match", "\"a\"")];
        assert_eq!(strong(&twice), NotModified);
    }

    #[test]
    fn a_part_of_exactly_this_state() {
        let allowed = |etag: &str, value: &str| {
            let validators = Validators {
                etag: Some(etag.as_bytes()),
                modified: Some(784_111_777),
            };
            validators.allow_range(&fields(&[("If-Range", value)]))
        };
        assert!(Validators::default().allow_range(&Fields::default()));
        assert!(allowed("\"a\"", "\"a\""));
        assert!(allowed("\"a\"", THEN));
        assert!(!allowed("\"a\"", AFTER), "exactly");
        assert!(!allowed("\"a\"", "\"b\""));
        assert!(!allowed("\"a\"", "W/\"a\""));
        assert!(!allowed("W/\"a\"", "W/\"a\""));
        assert!(!allowed("W/\"a\"", THEN), "it may have changed since");
        assert!(!allowed("\"a\"", "nonsense"));
    }
}
