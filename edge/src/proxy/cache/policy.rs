//! Whether an answer may be stored, and for how long (RFC 9111 §3).

use std::time::{Duration, SystemTime};

use http::StatusCode;

use crate::config::CacheRules;
use crate::content::{CacheControl, age};
use crate::mcp::is_event_stream;
use crate::message::{BodyLength, Name, ResponseHead};

/// How long an answer is good.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Freshness {
    /// Its age when it came, in seconds.
    pub(super) age: u64,
    pub(super) lifetime_ns: u64,
    /// Beyond that.
    pub(super) while_revalidate_ns: u64,
    /// Beyond the lifetime as well.
    pub(super) if_error_ns: u64,
    /// It says itself that it is for everybody, also for those who show who they are.
    pub(super) public: bool,
}

/// What makes an answer one for the client that asked and nobody else, or for no time at all, is
/// not stored: `None`. `credentials`: the request said who asks.
pub(super) fn freshness(
    head: &ResponseHead,
    rules: &CacheRules,
    credentials: bool,
) -> Option<Freshness> {
    let fields = &head.fields;
    let has = |name: &str| fields.values_of(name).next().is_some();
    if is_streamed(head) || has("set-cookie") || has("content-range") || !is_storable(head.status) {
        return None;
    }
    let control = CacheControl::of(fields);
    if control.no_store || control.no_cache || control.private {
        return None;
    }
    let public = control.public || control.s_maxage.is_some();
    if credentials && !public {
        return None;
    }
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    let now = now.map_or(0, |since| since.as_secs());
    let lifetime = match control.lifetime(fields, now) {
        Some(secs) => Duration::from_secs(secs),
        None => rules.ttl(head.status.as_u16())?,
    };
    let age = age(fields, now);
    if lifetime <= Duration::from_secs(age) {
        return None;
    }
    // RFC 9111 §5.2.2.2: `must-revalidate` forbids what is stale; so does `s-maxage` (§5.2.2.10).
    let beyond = |said: Option<u64>, rule: Duration| match control.must_revalidate
        || control.s_maxage.is_some() && said.is_none()
    {
        true => 0,
        false => nanos(said.map_or(rule, Duration::from_secs)),
    };
    Some(Freshness {
        age,
        lifetime_ns: nanos(lifetime),
        while_revalidate_ns: beyond(control.stale_while_revalidate, rules.while_revalidate),
        if_error_ns: beyond(control.stale_if_error, rules.if_error),
        public,
    })
}

/// What grows while it is read is passed on as it comes, and the end of what ends with its connection
/// cannot be told from a broken one.
pub(super) fn is_streamed(head: &ResponseHead) -> bool {
    let fields = &head.fields;
    fields.value(Name::ContentType).is_some_and(is_event_stream)
        || fields.has_token(Name::XAccelBuffering, "no")
        || fields
            .values_of("incremental")
            .any(|value| value.trim_ascii() == b"?1")
        || head.length == BodyLength::UntilClose
}

fn nanos(duration: Duration) -> u64 {
    u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX)
}

/// Final statuses whose meaning is known, and that say something about the resource.
fn is_storable(status: StatusCode) -> bool {
    matches!(
        status.as_u16(),
        200 | 203 | 204 | 300 | 301 | 302 | 303 | 307 | 308 | 404 | 405 | 410 | 414 | 451 | 501
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::Fields;

    fn judged(status: u16, list: &[(&str, &str)], credentials: bool) -> Option<Freshness> {
        let mut fields = Fields::default();
        for (name, value) in list {
            fields.push(name.as_bytes(), value.as_bytes());
        }
        let head = ResponseHead {
            status: StatusCode::from_u16(status).unwrap(),
            fields,
            length: BodyLength::Framed,
        };
        let rules = CacheRules {
            ttl: vec![(200, 299, Duration::from_secs(7))],
            if_error: Duration::from_secs(60),
            ..CacheRules::default()
        };
        freshness(&head, &rules, credentials)
    }

    fn seconds(status: u16, list: &[(&str, &str)]) -> Option<u64> {
        judged(status, list, false).map(|freshness| freshness.lifetime_ns / 1_000_000_000)
    }

    #[test]
    fn what_is_stored_and_how_long() {
        let control = |value| [("Cache-Control", value)];
        assert_eq!(seconds(200, &[]), Some(7), "the rule");
        assert_eq!(seconds(404, &[]), None, "no rule");
        assert_eq!(seconds(404, &control("max-age=5")), Some(5));
        assert_eq!(seconds(200, &control("max-age=0")), None);
        assert_eq!(seconds(200, &control("max-age=5, s-maxage=9")), Some(9));
        assert_eq!(
            seconds(200, &[("Cache-Control", "max-age=9"), ("Age", "9")]),
            None
        );
        assert_eq!(seconds(500, &control("max-age=5")), None);
        assert_eq!(seconds(206, &control("max-age=5")), None);
        for no in [
            "no-store",
            "no-cache",
            "private",
            "private=\"x\"",
            "no-store, public, max-age=9",
        ] {
            assert_eq!(seconds(200, &control(no)), None, "{no}");
        }
        for stream in [
            ("Content-Type", "text/event-stream"),
            ("X-Accel-Buffering", "no"),
            ("Incremental", "?1"),
            ("Set-Cookie", "a=b"),
            ("Content-Range", "bytes 0-1/2"),
        ] {
            let list = [("Cache-Control", "public, max-age=9"), stream];
            assert_eq!(seconds(200, &list), None, "{stream:?}");
        }
    }

    #[test]
    fn who_shows_who_they_are_gets_what_is_for_everybody() {
        let of = |value| judged(200, &[("Cache-Control", value)], true).is_some();
        assert!(!of("max-age=5"));
        assert!(!of("must-revalidate, max-age=5"));
        assert!(of("public, max-age=5"));
        assert!(of("s-maxage=5"));
        assert!(judged(200, &[], true).is_none(), "nor by a rule");
    }

    #[test]
    fn what_may_be_sent_stale() {
        let of = |value| {
            let freshness = judged(200, &[("Cache-Control", value)], false).unwrap();
            let secs = |ns: u64| ns / 1_000_000_000;
            (
                secs(freshness.while_revalidate_ns),
                secs(freshness.if_error_ns),
            )
        };
        assert_eq!(of("max-age=5"), (0, 60));
        assert_eq!(
            of("max-age=5, stale-while-revalidate=3, stale-if-error=0"),
            (3, 0)
        );
        assert_eq!(of("max-age=5, must-revalidate, stale-if-error=9"), (0, 0));
        assert_eq!(of("s-maxage=5"), (0, 0));
        assert_eq!(of("s-maxage=5, stale-if-error=9"), (0, 9));
    }
}
