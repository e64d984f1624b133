//! `Cache-Control` and how long a response is fresh (RFC 9111 §4.2, §5.2; RFC 5861).

use super::precondition::parse_date;
use crate::message::{Fields, Name};

/// The directives of a message; an argument that is no number of seconds is 0: not fresh.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs, reason = "each is the directive it is named after")]
pub struct CacheControl {
    /// Also with names of fields as its argument, for what is said of a part goes for the whole.
    pub no_cache: bool,
    pub no_store: bool,
    /// Also with names of fields as its argument.
    pub private: bool,
    pub public: bool,
    /// Or `proxy-revalidate`.
    pub must_revalidate: bool,
    pub no_transform: bool,
    pub only_if_cached: bool,
    pub max_age: Option<u64>,
    pub s_maxage: Option<u64>,
    pub stale_while_revalidate: Option<u64>,
    pub stale_if_error: Option<u64>,
}

impl CacheControl {
    /// Reads the directives of a message. Of the same directive twice the smaller counts.
    pub fn of(fields: &Fields) -> CacheControl {
        let mut control = CacheControl::default();
        for value in fields.values_of("cache-control") {
            each(value, |name, argument| control.take(name, argument));
        }
        control
    }

    fn take(&mut self, name: &[u8], argument: Option<&[u8]>) {
        let is = |text: &str| name.eq_ignore_ascii_case(text.as_bytes());
        let seconds = |known: &mut Option<u64>| {
            let seconds = argument.and_then(seconds).unwrap_or(0);
            *known = Some(known.map_or(seconds, |known| known.min(seconds)));
        };
        match () {
            () if is("no-cache") => self.no_cache = true,
            () if is("no-store") => self.no_store = true,
            () if is("private") => self.private = true,
            () if is("public") => self.public = true,
            () if is("must-revalidate") || is("proxy-revalidate") => self.must_revalidate = true,
            () if is("no-transform") => self.no_transform = true,
            () if is("only-if-cached") => self.only_if_cached = true,
            () if is("max-age") => seconds(&mut self.max_age),
            () if is("s-maxage") => seconds(&mut self.s_maxage),
            () if is("stale-while-revalidate") => seconds(&mut self.stale_while_revalidate),
            () if is("stale-if-error") => seconds(&mut self.stale_if_error),
            () => {}
        }
    }

    /// For how long a response is fresh in a cache for many, from its beginning, where it says so
    /// itself: seconds.
    pub fn lifetime(&self, fields: &Fields, now: u64) -> Option<u64> {
        if let Some(lifetime) = self.s_maxage.or(self.max_age) {
            return Some(lifetime);
        }
        let expires: Vec<&[u8]> = fields.values_of("expires").collect();
        match expires[..] {
            [] => None,
            [expires] => {
                let date = fields.value(Name::Date).and_then(parse_date).unwrap_or(now);
                // What is no date has expired (RFC 9111 §5.3).
                let expires = parse_date(expires).unwrap_or(0);
                Some(expires.saturating_sub(date))
            }
            _ => Some(0),
        }
    }
}

/// How old a response is when it comes (RFC 9111 §4.2.3): seconds.
pub fn age(fields: &Fields, now: u64) -> u64 {
    let said = fields.values_of("age").next();
    let said = said.map_or(0, |value| seconds(value).unwrap_or(u64::MAX));
    let date = fields.value(Name::Date).and_then(parse_date).unwrap_or(now);
    said.max(now.saturating_sub(date))
}

/// Digits; more than a cache can count is as good as the most it can (RFC 9111 §1.2.2).
fn seconds(text: &[u8]) -> Option<u64> {
    let text = text.trim_ascii();
    if text.is_empty() || !text.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let add = |sum: u64, &digit: &u8| (sum * 10 + u64::from(digit - b'0')).min(1 << 31);
    Some(text.iter().fold(0, add))
}

/// Every directive of a list with its argument, quotes taken off. A quoted text that does not end
/// takes all the rest along.
fn each(list: &[u8], mut take: impl FnMut(&[u8], Option<&[u8]>)) {
    let mut rest = list;
    while !rest.is_empty() {
        let mut quoted = false;
        let mut escaped = false;
        let end = rest.iter().position(|&b| {
            match (b, quoted, escaped) {
                (b'"', _, false) => quoted = !quoted,
                (b'\\', true, false) => {
                    escaped = true;
                    return false;
                }
                (b',', false, _) => return true,
                _ => {}
            }
            escaped = false;
            false
        });
        let (item, after) = rest.split_at(end.unwrap_or(rest.len()));
        rest = after.get(1..).unwrap_or_default();
        let mut parts = item.splitn(2, |&b| b == b'=');
        let name = parts.next().unwrap_or_default().trim_ascii();
        let argument = parts.next().map(|argument| {
            let argument = argument.trim_ascii();
            let inside = argument
                .strip_prefix(b"\"")
                .and_then(|argument| argument.strip_suffix(b"\""));
            inside.unwrap_or(argument)
        });
        take(name, argument);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fields(list: &[(&str, &str)]) -> Fields {
        let mut fields = Fields::default();
        for (name, value) in list {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        fields
    }

    fn of(values: &[&str]) -> CacheControl {
        let list: Vec<_> = values
            .iter()
            .map(|value| ("Cache-Control", *value))
            .collect();
        CacheControl::of(&fields(&list))
    }

    #[test]
    fn directives_in_any_form() {
        let control = of(&["Public, MAX-AGE=60 , s-maxage=\"30\"", "stale-if-error=9"]);
        assert!(control.public && !control.private);
        assert_eq!(
            (control.max_age, control.s_maxage, control.stale_if_error),
            (Some(60), Some(30), Some(9))
        );
        let hidden = of(&["private=\"set-cookie, public\", x=\"\\\", no-store\", no-cache"]);
        assert!(hidden.private && hidden.no_cache);
        assert!(!hidden.public && !hidden.no_store, "{hidden:?}");
        assert!(of(&["no-store"]).no_store && of(&["max-age=1,no-store"]).no_store);
        assert!(of(&["proxy-revalidate"]).must_revalidate);
        assert_eq!(
            of(&["", ",,", "public-ish", "x=\"no-store"]),
            CacheControl::default()
        );
    }

    #[test]
    fn what_is_no_number_is_not_fresh() {
        for value in [
            "max-age",
            "max-age=",
            "max-age=-1",
            "max-age=1.5",
            "max-age=1 2",
            "max-age=x",
        ] {
            assert_eq!(of(&[value]).max_age, Some(0), "{value}");
        }
        assert_eq!(of(&["max-age=60, max-age=5"]).max_age, Some(5));
        assert_eq!(
            of(&["max-age=99999999999999999999999"]).max_age,
            Some(1 << 31)
        );
    }

    #[test]
    fn lifetimes() {
        let of = |list: &[(&str, &str)]| {
            let fields = fields(list);
            CacheControl::of(&fields).lifetime(&fields, 784_111_777)
        };
        let expires = ("Expires", "Sun, 06 Nov 1994 08:50:37 GMT");
        let date = ("Date", "Sun, 06 Nov 1994 08:49:47 GMT");
        assert_eq!(of(&[]), None);
        assert_eq!(
            of(&[("Cache-Control", "max-age=5, s-maxage=9"), expires]),
            Some(9)
        );
        assert_eq!(of(&[expires]), Some(60));
        assert_eq!(of(&[expires, date]), Some(50));
        assert_eq!(of(&[("Expires", "0")]), Some(0));
        assert_eq!(of(&[expires, expires]), Some(0));
    }

    #[test]
    fn ages() {
        let of = |list: &[(&str, &str)]| age(&fields(list), 784_111_777);
        assert_eq!(of(&[]), 0);
        assert_eq!(of(&[("Age", "7")]), 7);
        assert_eq!(
            of(&[("Age", "7"), ("Date", "Sun, 06 Nov 1994 08:49:27 GMT")]),
            10
        );
        assert_eq!(of(&[("Date", "Sun, 06 Nov 1994 09:49:27 GMT")]), 0);
        assert_eq!(of(&[("Age", "-1")]), u64::MAX);
    }
}
