//! Limits that know what a request asks for.

use std::time::Duration;

use http::Method;

use super::Stop;
use super::call::Call;
use super::mirrored::param;
use crate::clock::monotonic_ns;
use crate::config::{Mcp, McpKey, NameLimit, Rate};
use crate::limit::{ClientKey, Counts, RetryAfter, rate};
use crate::mcp::{Class, Era, Refusal, decode};
use crate::message::{Name, RequestHead};
use crate::proxy::configured::Proxy;
use crate::proxy::exchange::Peer;
use crate::proxy::preflight::is_preflight;

/// When a client that has too much open should try again: nobody knows when it closes something.
const TRY_AGAIN: RetryAfter = RetryAfter(Duration::from_secs(5));

/// A client that connects asks for two or three documents; a network behind one address holds some
/// dozens, which may all come back together.
const DISCOVERY: Rate = Rate {
    per_sec: 10.0,
    burst: 200,
};

/// What a rate is for; part of every key.
#[derive(Clone, Copy, Hash)]
enum Of {
    Calls,
    Opens,
    Discovery,
    Tool(usize),
    Method(usize),
}

/// Whom a limit counts as one: a kind, and bytes of that kind.
type Who<'a> = (u8, &'a [u8], u128);

impl Proxy {
    /// Whether a request for discovery documents is within what every address has for those alone:
    /// whoever is over another limit can still find out where to get a token. What is over this one
    /// counts as any other request.
    pub(in crate::proxy) fn admits_discovery(&self, head: &RequestHead, peer: &Peer) -> bool {
        let Some(tables) = &self.mcp else {
            return false;
        };
        let asks = matches!(head.method, Method::GET | Method::HEAD | Method::OPTIONS);
        asks && head.target.path().starts_with("/.well-known/") && {
            let address = ClientKey::from_ip(peer.addr.ip(), self.ipv6_prefix);
            let key = tables.buckets.key((Of::Discovery, address.bits()));
            let admitted = tables
                .buckets
                .admit(key, &rate(DISCOVERY), 1, monotonic_ns());
            admitted.is_ok()
        }
    }

    /// Counts the request against every limit that applies to it.
    pub(super) fn limit_mcp(
        &self,
        head: &RequestHead,
        peer: &Peer,
        mcp: &Mcp,
        call: &mut Call,
    ) -> Result<(), Stop> {
        let Some(tables) = &self.mcp else {
            return Ok(());
        };
        let route = self.identities.of(call.route);
        let limit = &mcp.limit;
        let address = ClientKey::from_ip(peer.addr.ip(), self.ipv6_prefix);
        let who = |key: &McpKey| self.who(key, head, call, &address).key();
        let (method, name) = (call.subject.method.start(), call.subject.name.start());
        let (of_method, of_tool) = (mcp.method_limit(method), mcp.tool_limit(method, name));
        let limited = |retry_after| Stop::Refused(Refusal::Limited, Some(retry_after));
        let admit = |table: Option<(usize, &NameLimit)>, of: fn(usize) -> Of, name: &[u8]| {
            let Some((number, table)) = table else {
                return Ok(());
            };
            let Some(calls) = table.calls else {
                return Ok(());
            };
            let key = tables
                .buckets
                .key((route, of(number), name, who(&table.key)));
            let admitted = tables.buckets.admit(key, &rate(calls), 1, monotonic_ns());
            admitted.map_err(limited)
        };
        admit(of_method, Of::Method, method)?;
        match call.class {
            // Browsers ask before the call that counts, and show nothing by which to tell their users apart.
            Class::Other if is_preflight(head) => {}
            Class::Call | Class::Notification | Class::Other => {
                admit(of_tool, Of::Tool, name)?;
                if let Some(calls) = limit.calls {
                    let key = tables.buckets.key((route, Of::Calls, who(&limit.key)));
                    let cost = of_tool.or(of_method).map_or(1, |(_, table)| table.cost);
                    tables
                        .buckets
                        .admit(key, &rate(calls), cost, monotonic_ns())
                        .map_err(limited)?;
                }
            }
            Class::Stream => {
                let who = who(&limit.key);
                if let Some(opens) = limit.opens {
                    let key = tables.buckets.key((route, Of::Opens, who));
                    tables
                        .buckets
                        .admit(key, &rate(opens), 1, monotonic_ns())
                        .map_err(limited)?;
                }
                if let Some(most) = limit.streams {
                    let key = tables.streams.key((route, who));
                    let held = tables.streams.hold(key, most);
                    call.stream =
                        Some(held.map_err(|_| Stop::Refused(Refusal::Streams, Some(TRY_AGAIN)))?);
                }
            }
            Class::Discovery | Class::SessionEnd | Class::Health => {}
        }
        // Whom a session is counted for that the answer issues: to the first call, or on an old stream.
        let begins = call.subject.method.get() == Some(b"initialize");
        let counts = begins || call.class == Class::Stream || limit.sessions.is_some();
        if call.era == Era::Legacy && counts && matches!(call.class, Class::Call | Class::Stream) {
            let who = self.who(&limit.key, head, call, &address).key();
            let owners: &Counts = &tables.sessions.owners;
            call.owner = owners.key((route, who));
            if let Some(most) = limit.sessions.filter(|_| begins)
                && owners.held(call.owner) >= most
            {
                return Err(Stop::Refused(Refusal::Sessions, Some(TRY_AGAIN)));
            }
        }
        Ok(())
    }

    fn who<'a>(
        &self,
        key: &McpKey,
        head: &'a RequestHead,
        call: &Call,
        address: &ClientKey,
    ) -> Whose<'a> {
        let by_address = Whose::Address(*address);
        match key {
            McpKey::Everybody => Whose::Everybody,
            McpKey::Address => by_address,
            McpKey::Token => head
                .fields
                .value(Name::Authorization)
                .map_or(by_address, Whose::Token),
            // A session that nobody issued is as good as none.
            McpKey::Session => match (call.session, &self.mcp) {
                (Some(key), Some(tables))
                    if tables.sessions.find(key, super::tables::now_s()).is_some() =>
                {
                    Whose::Session(key.hash())
                }
                _ => by_address,
            },
            McpKey::Claim(name) => {
                let claim = call.claims.as_ref().and_then(|claims| claims.value(name));
                match (claim, &self.mcp) {
                    // The name is that of the limit's own key: there is no other to mistake it for.
                    (Some(value), Some(tables)) => Whose::Claim(tables.buckets.key(value)),
                    _ => by_address,
                }
            }
            McpKey::Param(name) => match (param(head, name).next().map(decode), &self.mcp) {
                (Some(Ok(value)), Some(tables)) => Whose::Param(tables.buckets.key(value.start())),
                _ => by_address,
            },
        }
    }
}

/// Whom a limit counts as one.
#[derive(Clone, Copy)]
enum Whose<'a> {
    Everybody,
    Address(ClientKey),
    Token(&'a [u8]),
    Session(u64),
    Param(u64),
    Claim(u64),
}

impl<'a> Whose<'a> {
    fn key(self) -> Who<'a> {
        match self {
            Whose::Everybody => (0, b"", 0),
            Whose::Address(address) => (1, b"", address.bits()),
            Whose::Token(token) => (2, token, 0),
            Whose::Session(session) => (3, b"", session.into()),
            Whose::Param(value) => (4, b"", value.into()),
            Whose::Claim(value) => (5, b"", value.into()),
        }
    }
}
