//! A stored answer, and whether it is still one.

use bytes::Bytes;
use http::StatusCode;

use super::list::KeptList;
use super::policy::Freshness;
use crate::message::Fields;

const SECOND_NS: u64 = 1_000_000_000;

/// An answer as it came, before the rules of the route.
pub(super) struct Stored {
    pub(super) status: StatusCode,
    pub(super) fields: Fields,
    pub(super) body: Bytes,
    /// The fields of the request that it depends on, with what they were.
    pub(super) vary: Vec<(Box<str>, Option<Vec<u8>>)>,
    pub(super) freshness: Freshness,
    /// When it began to come.
    pub(super) at_ns: u64,
    /// A list of an MCP server.
    pub(super) list: Option<Box<KeptList>>,
}

/// What may be done with a stored answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum State {
    Fresh,
    /// It may be sent while a new one is fetched.
    WhileRevalidating,
    /// It may be sent if no new one can be had.
    IfError,
    Useless,
}

impl Stored {
    /// Its age in seconds (RFC 9111 §4.2.3).
    pub(super) fn age(&self, now_ns: u64) -> u64 {
        let here = now_ns.saturating_sub(self.at_ns) / SECOND_NS;
        self.freshness.age.saturating_add(here)
    }

    pub(super) fn state(&self, now_ns: u64) -> State {
        let Freshness {
            age,
            lifetime_ns,
            while_revalidate_ns,
            if_error_ns,
            ..
        } = self.freshness;
        let age_ns = age.saturating_mul(SECOND_NS) + now_ns.saturating_sub(self.at_ns);
        match age_ns.checked_sub(lifetime_ns) {
            None => State::Fresh,
            Some(stale_ns) if stale_ns < while_revalidate_ns => State::WhileRevalidating,
            Some(stale_ns) if stale_ns < if_error_ns => State::IfError,
            Some(_) => State::Useless,
        }
    }

    /// Whether it answers a request with these fields.
    pub(super) fn fits(&self, fields: &Fields) -> bool {
        let mut names = self.vary.iter();
        names.all(|(name, value)| joined(fields, name) == *value)
    }

    /// Whether another one answers the same requests.
    pub(super) fn is_replaced_by(&self, other: &Stored) -> bool {
        self.vary == other.vary
    }

    /// What it takes of memory, about.
    pub(super) fn bytes(&self) -> usize {
        let fields: usize = self
            .fields
            .iter()
            .map(|(_, name, value)| name.len() + value.len() + 16)
            .sum();
        let vary = self.vary.iter();
        let vary: usize = vary
            .map(|(name, value)| name.len() + value.as_ref().map_or(0, Vec::len) + 48)
            .sum();
        let list = self.list.as_ref().map_or(0, |_| size_of::<KeptList>());
        size_of::<Stored>() + fields + vary + list + self.body.len()
    }

    #[cfg(test)]
    pub(super) fn for_tests(bytes: usize, vary: &[(&str, Option<Vec<u8>>)]) -> Stored {
        let vary = vary
            .iter()
            .map(|(name, value)| ((*name).into(), value.clone()));
        Stored {
            status: StatusCode::OK,
            fields: Fields::default(),
            body: vec![0; bytes].into(),
            vary: vary.collect(),
            freshness: Freshness::default(),
            at_ns: 0,
            list: None,
        }
    }
}

/// All values of a field as one (RFC 9110 §5.3); `None` where it is not there.
pub(super) fn joined(fields: &Fields, name: &str) -> Option<Vec<u8>> {
    let mut values = fields.values_of(name);
    let mut all = values.next()?.trim_ascii().to_vec();
    for value in values {
        all.extend_from_slice(b", ");
        all.extend_from_slice(value.trim_ascii());
    }
    Some(all)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn from_fresh_to_useless() {
        let mut stored = Stored::for_tests(0, &[]);
        stored.at_ns = 100 * SECOND_NS;
        stored.freshness = Freshness {
            age: 3,
            lifetime_ns: 10 * SECOND_NS,
            while_revalidate_ns: 5 * SECOND_NS,
            if_error_ns: 20 * SECOND_NS,
            public: false,
        };
        let at = |secs: u64| stored.state((100 + secs) * SECOND_NS);
        assert_eq!((at(0), at(6)), (State::Fresh, State::Fresh));
        assert_eq!(
            (at(7), at(11)),
            (State::WhileRevalidating, State::WhileRevalidating)
        );
        assert_eq!((at(12), at(26)), (State::IfError, State::IfError));
        assert_eq!(at(27), State::Useless);
        assert_eq!(stored.age(104 * SECOND_NS), 7);
        assert_eq!(stored.age(0), 3, "a clock that has not moved");
    }

    #[test]
    fn fields_that_it_depends_on() {
        let vary = [("accept", Some(b"a, b".to_vec())), ("x-none", None)];
        let stored = Stored::for_tests(0, &vary);
        let fits = |list: &[(&str, &str)]| {
            let mut fields = Fields::default();
            for (name, value) in list {
                fields.push(name.as_bytes(), value.as_bytes());
            }
            stored.fits(&fields)
        };
        assert!(fits(&[("Accept", "a, b"), ("Other", "x")]));
        assert!(fits(&[("Accept", "a"), ("accept", " b")]));
        assert!(!fits(&[("Accept", "b, a")]));
        assert!(!fits(&[]));
        assert!(!fits(&[("Accept", "a, b"), ("X-None", "")]));
    }
}
