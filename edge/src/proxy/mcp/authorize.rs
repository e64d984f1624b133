//! Bearer tokens on routes that ask for them.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use http::Method;

use super::Stop;
use super::call::Call;
use crate::auth::{Challenge, Claims, Issuer, Issuers, KeySet, TokenError, Verifier, metadata};
use crate::config::{Config, Mcp, McpAuth};
use crate::limit::{Offence, RetryAfter};
use crate::mcp::{Class, Refusal};
use crate::message::{Name, RequestHead};
use crate::proxy::configured::Proxy;
use crate::proxy::exchange::Peer;
use crate::proxy::reply::Reply;
use crate::proxy::router::Match;

/// Good tokens a worker remembers: a signature costs some fifty microseconds to check.
const REMEMBERED_MAX: usize = 4096;

/// A subject that is longer is no name, and has no place in every line of the log.
const USER_BYTES_MAX: usize = 256;

/// What tokens are judged by, for each route that asks for them; shared by all workers.
pub(crate) struct Gates {
    routes: Vec<Option<Gate>>,
    pub(crate) issuers: Issuers,
}

struct Gate {
    verifier: Verifier,
    issuer: Arc<Issuer>,
    metadata_url: String,
}

/// The good tokens of one worker.
#[derive(Default)]
pub(crate) struct Remembered(RefCell<HashMap<TokenKey, Known>>);

/// What a token says, and by which keys of its issuer.
struct Known {
    claims: Rc<Claims>,
    generation: u32,
}

/// The number of a route, and the SHA-256 of a token.
type TokenKey = (usize, [u8; 32]);

impl Gates {
    /// The gates of a configuration; keys that `previous` knows stay known.
    pub(crate) fn new(config: &Config, previous: Option<&Issuers>) -> Gates {
        let auths = || {
            let routes = config.hosts.iter().flat_map(|host| &host.routes);
            routes.map(|route| {
                let mcp = route.action.mcp()?;
                Some((mcp.auth.as_ref()?, mcp))
            })
        };
        let servers = auths().flatten();
        let servers = servers.map(|(auth, _)| (auth.issuer.as_str(), auth.jwks.as_deref()));
        let issuers = Issuers::wanted(servers, previous);
        let gate = |(auth, mcp): (&McpAuth, &Mcp)| {
            Some(Gate {
                verifier: Verifier::new(&auth.issuer, &auth.audiences, mcp.claims()),
                issuer: Arc::clone(issuers.of(&auth.issuer, auth.jwks.as_deref())?),
                metadata_url: auth.metadata_url(),
            })
        };
        Gates {
            routes: auths().map(|auth| auth.and_then(gate)).collect(),
            issuers,
        }
    }
}

impl Proxy {
    /// Checks the token of a request on a route that asks for one. What says nothing about anybody
    /// is open: health, discovery, and what browsers ask before they ask.
    pub(super) fn authorize(
        &self,
        head: &RequestHead,
        peer: &Peer,
        mcp: &Mcp,
        call: &mut Call,
    ) -> Result<(), Stop> {
        let Some(auth) = &mcp.auth else { return Ok(()) };
        let open = matches!(call.class, Class::Health | Class::Discovery);
        if open || head.method == Method::OPTIONS {
            return Ok(());
        }
        // Access fails closed.
        let gate = self.gates.routes.get(call.route).and_then(Option::as_ref);
        let gate = gate.ok_or(Refusal::Unavailable)?;
        let refuse = |call: &mut Call, challenge: Challenge<'_>| {
            call.challenge = Some(challenge.header(&gate.metadata_url, &auth.scopes));
            match challenge {
                Challenge::Scope(_) => Stop::from(Refusal::Scope),
                Challenge::Missing | Challenge::Invalid => Stop::from(Refusal::Token),
            }
        };
        let token = match bearer(head) {
            Ok(Some(token)) => token,
            Ok(None) => return Err(refuse(call, Challenge::Missing)),
            Err(()) => {
                self.offence_of(peer, Offence::Auth);
                return Err(refuse(call, Challenge::Invalid));
            }
        };
        let claims = match self.claims(gate, call.route, token) {
            Ok(claims) => claims,
            Err(TokenError::UnknownKey) if gate.issuer.refresh() => {
                // Perhaps a key of a moment ago: by the next attempt it is known, or known not to be.
                let soon = RetryAfter(std::time::Duration::from_secs(1));
                return Err(Stop::Refused(Refusal::Unavailable, Some(soon)));
            }
            Err(error) => {
                // Honest clients find out this way that their time is over, or the issuer's keys new.
                if matches!(error, TokenError::Invalid | TokenError::Audience) {
                    self.offence_of(peer, Offence::Auth);
                }
                return Err(refuse(call, Challenge::Invalid));
            }
        };
        if claims.lacks(auth.scopes.iter()).is_some() {
            return Err(refuse(call, Challenge::Scope(&[])));
        }
        let subject = claims.subject.as_deref();
        if let Some(subject) = subject.filter(|text| (1..=USER_BYTES_MAX).contains(&text.len())) {
            peer.identify(subject);
        }
        call.claims = Some(claims);
        Ok(())
    }

    /// Checks the scopes that the method needs, and the tool that it calls. What is missing is told
    /// with all that this request needs, so that a client asks for a token once and not scope by scope
    /// (<https://modelcontextprotocol.io/specification/2026-07-28/basic/authorization>).
    pub(super) fn authorize_names(&self, mcp: &Mcp, call: &mut Call) -> Result<(), Stop> {
        let (Some(auth), Some(claims)) = (&mcp.auth, &call.claims) else {
            return Ok(());
        };
        let (method, name) = (call.method.start(), call.name.start());
        let limits = [mcp.method_limit(method), mcp.tool_limit(method, name)];
        let wanted = || limits.iter().flatten().flat_map(|(_, limit)| &limit.scopes);
        if claims.lacks(wanted()).is_none() {
            return Ok(());
        }
        let wanted: Vec<&str> = wanted().map(String::as_str).collect();
        let challenge = Challenge::Scope(&wanted);
        call.challenge = Some(challenge.header(&auth.metadata_url(), &auth.scopes));
        Err(Refusal::Scope.into())
    }

    fn claims(&self, gate: &Gate, route: usize, token: &[u8]) -> Result<Rc<Claims>, TokenError> {
        let now_s = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(u64::MAX, |since| since.as_secs());
        let mut key = (route, [0; 32]);
        key.1.copy_from_slice(digest(&SHA256, token).as_ref());
        let generation = gate.issuer.generation();
        let mut remembered = self.remembered.0.borrow_mut();
        match remembered.get(&key) {
            Some(known) if known.claims.expires_s > now_s && known.generation == generation => {
                return Ok(Rc::clone(&known.claims));
            }
            Some(_) => drop(remembered.remove(&key)),
            None => {}
        }
        let claims = match gate.issuer.keys() {
            Some(keys) => gate.verifier.verify(token, &keys),
            None => gate.verifier.verify(token, &KeySet::none()),
        };
        let claims = Rc::new(claims?);
        if remembered.len() >= REMEMBERED_MAX {
            remembered.clear();
        }
        let known = Known {
            claims: Rc::clone(&claims),
            generation,
        };
        remembered.insert(key, known);
        Ok(claims)
    }

    /// The metadata of a resource (RFC 9728 §3), when that is what is asked for: open to everybody,
    /// web pages included.
    pub(in crate::proxy) fn resource_metadata(
        &self,
        head: &RequestHead,
        found: Match<'_>,
    ) -> Option<Reply> {
        let path = head.target.path();
        if !path.starts_with("/.well-known/oauth-protected-resource") {
            return None;
        }
        let auths = found.site()?.candidates(head);
        let mut auths = auths.filter_map(|(_, route, _)| route.action.mcp()?.auth.as_ref());
        let auth = auths.find(|auth| auth.is_metadata(path))?;
        let known = matches!(head.method, Method::GET | Method::HEAD);
        let status = match known {
            true => http::StatusCode::OK,
            false => http::StatusCode::METHOD_NOT_ALLOWED,
        };
        let document = metadata(&auth.resource, &auth.issuer, &auth.scopes);
        let reply = Reply::new(status).content("application/json", document);
        Some(
            reply
                .with("access-control-allow-origin", "*")
                .with("allow", "GET, HEAD"),
        )
    }
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1); an error for what is sent and is none.
fn bearer(head: &RequestHead) -> Result<Option<&[u8]>, ()> {
    let mut values = head.fields.values(Name::Authorization);
    let Some(value) = values.next() else {
        return Ok(None);
    };
    let (scheme, token) = value.split_at_checked(7).ok_or(())?;
    let token = token.trim_ascii();
    let good =
        scheme.eq_ignore_ascii_case(b"bearer ") && !token.is_empty() && values.next().is_none();
    good.then_some(Some(token)).ok_or(())
}
