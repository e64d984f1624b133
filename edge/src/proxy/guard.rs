//! Everything that is decided before a route acts: a fixed sequence, cheapest and strictest first.
//!
//! Each guard admits or refuses; none of them changes the request. A new guard is one line in
//! [`Proxy::guard`] and a function of its own.

use std::net::IpAddr;

use http::{Method, StatusCode};

use super::configured::Proxy;
use super::exchange::Peer;
use super::mcp;
use super::reply::Reply;
use super::router::Match;
use crate::clock::monotonic_ns;
use crate::config::Route;
use crate::limit::ClientKey;
use crate::message::{RequestHead, Upgrade, WEBSOCKET_VERSION, is_valid_opening};

/// A request that has passed the guards.
pub(super) struct Admitted<'a> {
    pub(super) number: usize,
    pub(super) route: &'a Route,
}

/// A request that has not.
pub(super) struct Refusal {
    pub(super) reply: Reply,
    pub(super) reason: Option<&'static str>,
}

impl From<StatusCode> for Refusal {
    fn from(status: StatusCode) -> Refusal {
        Reply::new(status).into()
    }
}

impl From<Reply> for Refusal {
    fn from(reply: Reply) -> Refusal {
        Refusal {
            reply,
            reason: None,
        }
    }
}

impl Proxy {
    /// Everything that is decided before an upstream is involved.
    pub(super) fn guard(&self, head: &RequestHead, peer: &Peer) -> Result<Admitted<'_>, Refusal> {
        let matched = self.router.find(&head.authority, &head.target);
        if !matches!(matched, Match::Route { route, .. } if mcp::opens_stream(route, head)) {
            self.admit(peer.addr.ip())?;
        }
        // RFC 9110 §9.3.6, §9.3.8: neither has a use in front of an MCP server.
        if head.upgrade == Some(Upgrade::Other)
            || matches!(head.method, Method::CONNECT | Method::TRACE)
        {
            return Err(StatusCode::NOT_IMPLEMENTED.into());
        }
        let (has_certificate, found) = match matched {
            Match::UnknownHost => return Err(StatusCode::MISDIRECTED_REQUEST.into()),
            Match::NoRoute { has_certificate } => (has_certificate, None),
            Match::Route {
                has_certificate,
                number,
                route,
            } => (has_certificate, Some(Admitted { number, route })),
        };
        if let Some(port) = self
            .redirect_port
            .filter(|_| has_certificate && peer.tls.is_none())
        {
            return Err(redirect(head, port).into());
        }
        if head.upgrade == Some(Upgrade::WebSocket) && !is_valid_opening(head) {
            // RFC 6455 §4.4: the answer names the version that would do.
            let reply = Reply::new(StatusCode::BAD_REQUEST);
            return Err(reply
                .with("sec-websocket-version", WEBSOCKET_VERSION)
                .into());
        }
        found.ok_or_else(|| StatusCode::NOT_FOUND.into())
    }

    /// The limit per address; a client that goes on regardless is handed to the kernel.
    fn admit(&self, addr: IpAddr) -> Result<(), Refusal> {
        let Some(limits) = &self.limits else {
            return Ok(());
        };
        let now_ns = monotonic_ns();
        let key = ClientKey::from_ip(addr, self.ipv6_prefix);
        let Err(retry_after) = limits.limiter.admit(&key, now_ns) else {
            return Ok(());
        };
        self.metrics.limited();
        let penalties = limits.penalties.as_ref();
        if let Some(duration) = penalties.and_then(|penalties| penalties.record(&key, now_ns)) {
            (self.ban)(addr, duration);
        }
        Err(Refusal {
            reply: Reply::limited(retry_after.seconds()),
            reason: Some("limited"),
        })
    }
}

/// To the same target over TLS. 308 keeps the method and body of a POST (RFC 9110 §15.4.9).
fn redirect(head: &RequestHead, port: u16) -> Reply {
    let status = match head.method {
        Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
        _ => StatusCode::PERMANENT_REDIRECT,
    };
    let host = head.authority.url_host();
    let target = match head.target.is_asterisk() {
        true => "",
        false => head.target.as_str(),
    };
    let location = match port {
        443 => format!("https://{host}{target}"),
        port => format!("https://{host}:{port}{target}"),
    };
    Reply::new(status).with("location", &location)
}
