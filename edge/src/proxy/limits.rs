//! The limits that a route names, and what they say of one request.

use std::sync::Arc;
use std::time::Duration;

use super::caller::is_in;
use super::configured::Proxy;
use super::exchange::Peer;
use super::guard::Refusal;
use super::reply::Reply;
use crate::clock::monotonic_ns;
use crate::config::{Config, LimitKey, NamedLimit, Rate};
use crate::limit::{Buckets, ClientKey, Counts, Held, Offence, RetryAfter, rate};
use crate::mcp::is_event_stream;
use crate::message::{Name, RequestHead};

/// When a client that has too much under way should try again: nobody knows when that ends.
const TRY_AGAIN: RetryAfter = RetryAfter(Duration::from_secs(1));

/// What all workers count together; carried from one configuration to the next.
pub(super) struct Tables {
    buckets: Buckets,
    counts: Arc<Counts>,
}

impl Tables {
    /// The tables of a configuration, if a route of it needs them.
    pub(super) fn wanted(config: &Config, previous: Option<&Arc<Tables>>) -> Option<Arc<Tables>> {
        let mut routes = config.hosts.iter().flat_map(|host| &host.routes);
        if routes.all(|route| route.limits.is_empty()) {
            return None;
        }
        let fresh = || {
            Arc::new(Tables {
                buckets: Buckets::new(),
                counts: Arc::new(Counts::new()),
            })
        };
        Some(previous.map_or_else(fresh, Arc::clone))
    }
}

/// A request that the limits of its route let through.
#[derive(Default)]
pub(super) struct Passed {
    /// It waits this long for its turn.
    pub(super) delay: Duration,
    /// What it holds until it is over.
    pub(super) held: Vec<Held>,
    /// What clients are told: `RateLimit-Policy` and `RateLimit`, an item for each limit.
    pub(super) told: Vec<[String; 2]>,
    /// A limit that only watches would have refused it.
    pub(super) would_refuse: bool,
}

impl Passed {
    /// What other limits said too.
    pub(super) fn and(&mut self, more: Passed) {
        self.delay = self.delay.max(more.delay);
        self.held.extend(more.held);
        self.told.extend(more.told);
        self.would_refuse |= more.would_refuse;
    }
}

/// When limits are asked: those that count users cannot be before it is known who asks.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum When {
    /// The route does not want to know.
    Once,
    /// Before it is known.
    Before,
    /// After that.
    After,
}

impl When {
    fn is_for(self, key: &LimitKey) -> bool {
        match self {
            When::Once => true,
            When::Before => !of_user(key),
            When::After => of_user(key),
        }
    }
}

/// Whether a limit counts by what the client has proved.
fn of_user(key: &LimitKey) -> bool {
    matches!(key, LimitKey::User | LimitKey::Claim(_))
}

/// What a number is counted for; part of every key.
#[derive(Clone, Copy, Hash)]
enum Of {
    Rate,
    Opens,
    Requests,
    Streams,
}

impl Proxy {
    /// Asks every limit of the route, in the order of the file.
    pub(super) fn check_limits(
        &self,
        limits: &[Arc<NamedLimit>],
        route: usize,
        head: &RequestHead,
        peer: &Peer,
        when: When,
    ) -> Result<Passed, Refusal> {
        let mut passed = Passed::default();
        let Some(tables) = &self.named_limits else {
            return Ok(passed);
        };
        for limit in limits.iter().filter(|limit| when.is_for(&limit.key)) {
            if is_in(peer.addr.ip(), &limit.exempt) {
                continue;
            }
            let verdict = self.check_limit(tables, limit, route, head, peer, &mut passed);
            match verdict {
                Ok(()) => {}
                Err(_) if limit.dry_run => passed.would_refuse = true,
                Err(retry_after) => {
                    self.metrics.limited();
                    self.offence_of(peer, Offence::Refused);
                    return Err(refused(limit, retry_after));
                }
            }
        }
        Ok(passed)
    }

    fn check_limit(
        &self,
        tables: &Tables,
        limit: &NamedLimit,
        route: usize,
        head: &RequestHead,
        peer: &Peer,
        passed: &mut Passed,
    ) -> Result<(), RetryAfter> {
        let route = (!limit.shared).then(|| self.identities.of(route));
        let who = self.whom(&limit.key, head, peer);
        let parts = |of: Of| (limit.name.as_str(), route, of, who);
        let hold = |of, most| {
            let key = tables.counts.key(parts(of));
            tables.counts.hold(key, most).map_err(|_| TRY_AGAIN)
        };
        if let Some(most) = limit.concurrent {
            passed.held.push(hold(Of::Requests, most)?);
        }
        let opens = (limit.streams.is_some() || limit.opens.is_some()) && asks_for_stream(head);
        if let Some(most) = limit.streams.filter(|_| opens) {
            passed.held.push(hold(Of::Streams, most)?);
        }
        if let Some(per) = limit.opens.filter(|_| opens) {
            let key = tables.buckets.key(parts(Of::Opens));
            tables.buckets.admit(key, &rate(per), 1, monotonic_ns())?;
        }
        if let Some(per) = limit.rate {
            let key = tables.buckets.key(parts(Of::Rate));
            let patience = limit.delay.unwrap_or(Duration::MAX);
            let ahead = tables
                .buckets
                .admit_within(key, &rate(per), patience, monotonic_ns())?;
            if limit.headers && !limit.dry_run {
                passed.told.push(told(limit, per, ahead));
            }
            if limit.delay.is_some() && !limit.dry_run {
                passed.delay = passed.delay.max(ahead);
            }
        }
        Ok(())
    }

    /// Whom a limit counts as one; who sends no such field is counted by address.
    fn whom<'a>(
        &self,
        key: &LimitKey,
        head: &'a RequestHead,
        peer: &'a Peer,
    ) -> (u8, &'a [u8], u128) {
        let value = match key {
            LimitKey::Everybody => return (0, b"", 0),
            LimitKey::Address => None,
            LimitKey::Token => head
                .fields
                .value(Name::Authorization)
                .map(|value| (2, value)),
            LimitKey::User => peer.user().map(|user| (5, user.as_bytes())),
            // The name is that of the limit's own key: there is no other to mistake it for.
            LimitKey::Claim(name) => peer.claim(name).map(|value| (6, value.as_bytes())),
            LimitKey::Header(name) => head.fields.values_of(name).next().map(|value| (3, value)),
            LimitKey::Cookie(name) => head.fields.cookie(name).map(|value| (4, value)),
        };
        match value {
            Some((kind, value)) => (kind, value, 0),
            None => {
                let address = ClientKey::from_ip(peer.addr.ip(), self.ipv6_prefix);
                (1, b"", address.bits())
            }
        }
    }
}

/// Something that stays open: a GET that wants events, or a WebSocket.
fn asks_for_stream(head: &RequestHead) -> bool {
    let wants_events = |accept: &[u8]| accept.split(|&b| b == b',').any(is_event_stream);
    head.upgrade.is_some()
        || (head.method == http::Method::GET && head.fields.values(Name::Accept).any(wants_events))
}

/// What is left for a client that came so long before its turn.
fn told(limit: &NamedLimit, per: Rate, ahead: Duration) -> [String; 2] {
    let interval_ns = rate(per).interval_ns().max(1);
    let ahead_ns = u64::try_from(ahead.as_nanos()).unwrap_or(u64::MAX);
    let used = ahead_ns.div_ceil(interval_ns).saturating_add(1);
    let left = u64::from(per.burst).saturating_sub(used);
    // To the millisecond: what a rate is rounded by is no second more.
    let full_ms = ahead_ns.saturating_add(interval_ns) / 1_000_000;
    let full = full_ms.div_ceil(1000).max(1);
    let name = &limit.name;
    [policy(limit, per), format!("\"{name}\";r={left};t={full}")]
}

/// How many, in how many seconds.
fn policy(limit: &NamedLimit, per: Rate) -> String {
    let window = (f64::from(per.burst) / per.per_sec).ceil().max(1.0);
    format!("\"{}\";q={};w={window}", limit.name, per.burst)
}

/// 429 with the fields of draft-ietf-httpapi-ratelimit-headers: the policy that was hit, what is
/// left of it and when there is more.
fn refused(limit: &NamedLimit, retry_after: RetryAfter) -> Refusal {
    let mut reply = Reply::limited(retry_after.seconds());
    if let Some(per) = limit.rate {
        let name = &limit.name;
        let policy = policy(limit, per);
        let left = format!("\"{name}\";r=0;t={}", retry_after.seconds());
        reply = reply
            .with("ratelimit-policy", &policy)
            .with("ratelimit", &left);
    }
    Refusal {
        reply: Some(reply),
        reason: Some("limited"),
    }
}
