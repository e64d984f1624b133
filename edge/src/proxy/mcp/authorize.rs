//! What tokens let clients of MCP do, and what those are told whose tokens do not.

use super::call::Call;
use super::{SOON, Stop, facts};
use crate::auth::Challenge;
use crate::config::{Jwt, Mcp};
use crate::mcp::{Class, Refusal};
use crate::message::RequestHead;
use crate::proxy::authenticate::Unproved;
use crate::proxy::configured::Proxy;
use crate::proxy::exchange::Peer;
use crate::proxy::preflight::is_preflight;

/// Whether a request needs no token: what says nothing about anybody is open, health, discovery, and
/// what browsers ask before they ask.
pub(in crate::proxy) fn is_open(head: &RequestHead, mcp: &Mcp) -> bool {
    let class = facts(head, mcp).class();
    matches!(class, Some(Class::Health | Class::Discovery)) || is_preflight(head)
}

impl Proxy {
    /// Refuses a request whose token is not good, on a route that asks for one.
    pub(super) fn authorize(
        &self,
        head: &RequestHead,
        peer: &Peer,
        mcp: &Mcp,
        call: &mut Call,
    ) -> Result<(), Stop> {
        let Some(jwt) = self.jwt(call) else {
            return Ok(());
        };
        let unproved = match peer.proof() {
            Some(Ok(claims)) => {
                call.claims = Some(std::rc::Rc::clone(claims));
                return Ok(());
            }
            Some(Err(unproved)) => *unproved,
            None if is_open(head, mcp) => return Ok(()),
            // Access fails closed.
            None => Unproved::Unavailable,
        };
        call.challenge = unproved.challenge().map(|challenge| challenge.header(jwt));
        Err(match unproved {
            Unproved::Missing | Unproved::Invalid(_) => Refusal::Token.into(),
            Unproved::Scope => Refusal::Scope.into(),
            Unproved::Soon => Stop::Refused(Refusal::Unavailable, Some(SOON)),
            Unproved::Unavailable => Refusal::Unavailable.into(),
        })
    }

    /// Checks the scopes that the method needs, and the tool that it calls. What is missing is told
    /// with all that this request needs, so that a client asks for a token once and not scope by scope
    /// (<https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization>).
    pub(super) fn authorize_names(&self, mcp: &Mcp, call: &mut Call) -> Result<(), Stop> {
        let (Some(jwt), Some(claims)) = (self.jwt(call), &call.claims) else {
            return Ok(());
        };
        let (method, name) = (call.subject.method.start(), call.subject.name.start());
        let limits = [mcp.method_limit(method), mcp.tool_limit(method, name)];
        let wanted = || limits.iter().flatten().flat_map(|(_, limit)| &limit.scopes);
        if claims.lacks(wanted()).is_none() {
            return Ok(());
        }
        let wanted: Vec<&str> = wanted().map(String::as_str).collect();
        call.challenge = Some(Challenge::Scope(&wanted).header(jwt));
        Err(Refusal::Scope.into())
    }

    fn jwt(&self, call: &Call) -> Option<&Jwt> {
        self.gates.jwt(call.route)
    }
}
