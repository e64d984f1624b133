//! Everything that is decided before a route acts: a fixed sequence, cheapest and strictest first.
//!
//! Each guard admits or refuses; none of them changes the request. A new guard is one line in
//! [`Proxy::guard`] and a function of its own.

use http::{Method, StatusCode};

use super::caller::is_in;
use super::client_certificate::counts_for;
use super::configured::Proxy;
use super::exchange::Peer;
use super::limits::{Passed, When};
use super::mcp;
use super::options;
use super::reply::Reply;
use super::router::{Match, Site};
use crate::clock::monotonic_ns;
use crate::config::{Access, Action, Route};
use crate::limit::{ClientKey, Offence, RetryAfter};
use crate::message::{BodyLength, RequestHead, Upgrade, WEBSOCKET_VERSION, is_valid_opening};

/// A request that has passed the guards.
pub(super) struct Admitted<'a> {
    pub(super) number: usize,
    pub(super) route: &'a Route,
    pub(super) passed: Passed,
}

/// A request that has not.
pub(super) struct Refusal {
    /// The answer; `None` for none at all.
    pub(super) reply: Option<Reply>,
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
            reply: Some(reply),
            reason: None,
        }
    }
}

impl Proxy {
    /// Everything that is decided before a route acts. `found` is where the request belongs.
    pub(super) fn guard<'a>(
        &'a self,
        head: &RequestHead,
        peer: &Peer,
        found: Match<'a>,
    ) -> Result<Admitted<'a>, Refusal> {
        let is_stream =
            matches!(found, Match::Route { route, .. } if mcp::opens_stream(route, head));
        if !is_stream && !self.admits_discovery(head, peer) {
            self.admit(peer)?;
        }
        check_method(head)?;
        self.check_host(found)?;
        self.check_scheme(head, peer, found)?;
        check_client_certificate(head, peer, found)?;
        check_maintenance(head, peer, found)?;
        check_opening(head)?;
        if let Some(reply) = options::answered_here(head) {
            return Err(reply.into());
        }
        if let Some(reply) = self.resource_metadata(head, found) {
            return Err(reply.into());
        }
        let (number, route) = check_route(head, found)?;
        check_websocket(route, head)?;
        check_access(&route.access, peer)?;
        check_body(route, head)?;
        let passed = match route.auth.is_none() {
            true => self.check_limits(&route.limits, number, head, peer, When::Once)?,
            false => self.check_limits(&route.limits, number, head, peer, When::Before)?,
        };
        Ok(Admitted {
            number,
            route,
            passed,
        })
    }

    /// RFC 9110 §7.4: a request for a host that is not served here is refused.
    fn check_host(&self, found: Match<'_>) -> Result<(), Refusal> {
        match found {
            Match::UnknownHost if self.close_unknown => Err(Refusal {
                reply: None,
                reason: Some("unknown_host"),
            }),
            Match::UnknownHost => Err(StatusCode::MISDIRECTED_REQUEST.into()),
            _ => Ok(()),
        }
    }

    /// Plain HTTP to a host with a certificate is sent to HTTPS.
    fn check_scheme(
        &self,
        head: &RequestHead,
        peer: &Peer,
        found: Match<'_>,
    ) -> Result<(), Refusal> {
        let secure = found.site().is_some_and(|site| site.has_certificate);
        match self.redirect_port {
            Some(port) if secure && peer.tls.is_none() && !is_acme_challenge(head) => {
                Err(to_https(head, port).into())
            }
            _ => Ok(()),
        }
    }

    /// The limit per address; a client that goes on regardless is handed to the kernel.
    fn admit(&self, peer: &Peer) -> Result<(), Refusal> {
        let Err(retry_after) = self.within_limit(peer) else {
            return Ok(());
        };
        self.metrics.limited();
        Err(Refusal {
            reply: Some(Reply::limited(retry_after.seconds())),
            reason: Some("limited"),
        })
    }

    /// Counts a request against the limit per address; beyond it, when to come back.
    pub(super) fn within_limit(&self, peer: &Peer) -> Result<(), RetryAfter> {
        let Some(limits) = &self.limits else {
            return Ok(());
        };
        let key = ClientKey::from_ip(peer.addr.ip(), self.ipv6_prefix);
        let admitted = limits.limiter.admit(&key, monotonic_ns());
        if admitted.is_err() {
            self.offence_of(peer, Offence::Refused);
        }
        admitted
    }
}

/// RFC 9110 §15.5.20: whoever has shown a certificate, or none, to one host has not shown it to
/// another one, nor over a connection that cannot ask for it. A new connection can.
fn check_client_certificate(
    head: &RequestHead,
    peer: &Peer,
    found: Match<'_>,
) -> Result<(), Refusal> {
    // An authority that asks for the host's own certificate shows none.
    if peer.tls.is_none() && is_acme_challenge(head) {
        return Ok(());
    }
    let wanted = found.site().and_then(|site| site.client_auth.as_ref());
    match counts_for(peer.client_auth.as_deref(), wanted) {
        true => Ok(()),
        false => Err(Refusal {
            reply: Some(Reply::new(StatusCode::MISDIRECTED_REQUEST)),
            reason: Some("client_certificate"),
        }),
    }
}

/// A host that is being worked on serves those who work on it, and its authority.
fn check_maintenance(head: &RequestHead, peer: &Peer, found: Match<'_>) -> Result<(), Refusal> {
    let Some(maintenance) = found.site().and_then(Site::maintenance) else {
        return Ok(());
    };
    let is_asked_by_authority = peer.tls.is_none() && is_acme_challenge(head);
    if is_asked_by_authority || is_in(peer.addr.ip(), &maintenance.exempt) {
        return Ok(());
    }
    let secs = maintenance.retry_after.as_secs().to_string();
    let reply = Reply::new(StatusCode::SERVICE_UNAVAILABLE);
    Err(Refusal {
        reply: Some(reply.with("retry-after", &secs)),
        reason: Some("maintenance"),
    })
}

/// RFC 9110 §9.3.6, §9.3.8: neither CONNECT nor TRACE has a use in front of an MCP server.
fn check_method(head: &RequestHead) -> Result<(), Refusal> {
    match head.upgrade {
        Some(Upgrade::Other) => Err(StatusCode::NOT_IMPLEMENTED.into()),
        _ if matches!(head.method, Method::CONNECT | Method::TRACE) => {
            Err(StatusCode::NOT_IMPLEMENTED.into())
        }
        _ => Ok(()),
    }
}

/// RFC 6455 §4.4: the answer to a handshake that will not do names the version that would.
fn check_opening(head: &RequestHead) -> Result<(), Refusal> {
    match head.upgrade {
        Some(Upgrade::WebSocket) if !is_valid_opening(head) => {
            let reply = Reply::new(StatusCode::BAD_REQUEST);
            Err(reply
                .with("sec-websocket-version", WEBSOCKET_VERSION)
                .into())
        }
        _ => Ok(()),
    }
}

/// 404 where no route takes the path, 405 where one would take it with another method.
fn check_route<'a>(head: &RequestHead, found: Match<'a>) -> Result<(usize, &'a Route), Refusal> {
    match found {
        Match::Route { number, route, .. } => Ok((number, route)),
        Match::OtherMethod(site) => {
            let reply = Reply::new(StatusCode::METHOD_NOT_ALLOWED);
            Err(reply.with("allow", &site.allowed(head)).into())
        }
        Match::NoRoute(_) | Match::UnknownHost => Err(StatusCode::NOT_FOUND.into()),
    }
}

/// Addresses that may not use the route.
fn check_access(access: &Access, peer: &Peer) -> Result<(), Refusal> {
    let ip = peer.addr.ip();
    let denied = is_in(ip, &access.deny);
    let allowed = access.allow.is_empty() || is_in(ip, &access.allow);
    match denied || !allowed {
        true => Err(Refusal {
            reply: Some(Reply::new(StatusCode::FORBIDDEN)),
            reason: Some("denied"),
        }),
        false => Ok(()),
    }
}

/// A route that leads to no WebSocket says so before anything is sent upstream.
fn check_websocket(route: &Route, head: &RequestHead) -> Result<(), Refusal> {
    match (&route.action, head.upgrade) {
        (Action::Proxy(action), Some(Upgrade::WebSocket)) if !action.websocket => Err(Refusal {
            reply: Some(Reply::new(StatusCode::FORBIDDEN)),
            reason: Some("websocket_off"),
        }),
        _ => Ok(()),
    }
}

/// A body whose length is known to be too much is not read (RFC 9110 §15.5.14).
fn check_body(route: &Route, head: &RequestHead) -> Result<(), Refusal> {
    match (head.length, route.body_bytes_max) {
        (BodyLength::Exact(length), Some(most)) if length > most => {
            Err(StatusCode::PAYLOAD_TOO_LARGE.into())
        }
        _ => Ok(()),
    }
}

/// Certificate authorities ask over plain HTTP (RFC 8555 §8.3).
pub(super) fn is_acme_challenge(head: &RequestHead) -> bool {
    head.target
        .path()
        .starts_with("/.well-known/acme-challenge/")
}

/// To the same target over TLS. 308 keeps the method and body of a POST (RFC 9110 §15.4.9).
fn to_https(head: &RequestHead, port: u16) -> Reply {
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
