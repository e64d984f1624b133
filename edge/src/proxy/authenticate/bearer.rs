//! Bearer tokens on routes that ask for them (RFC 6750): JWTs of one issuer.

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{SystemTime, UNIX_EPOCH};

use aws_lc_rs::digest::{SHA256, digest};
use http::{Method, StatusCode};

use super::credentials::{Shown, only};
use crate::auth::{Challenge, Claims, Issuer, Issuers, KeySet, TokenError, Verifier, metadata};
use crate::config::{Config, Jwt, Route};
use crate::limit::Offence;
use crate::message::RequestHead;
use crate::proxy::configured::Proxy;
use crate::proxy::exchange::Peer;
use crate::proxy::guard::Refusal;
use crate::proxy::reply::Reply;
use crate::proxy::router::Match;

/// Good tokens a worker remembers: a signature costs some fifty microseconds to check.
const REMEMBERED_MAX: usize = 4096;

/// A subject that is longer is no name, and has no place in every line of the log.
const USER_BYTES_MAX: usize = 256;

/// When to come back while keys are fetched.
const TRY_AGAIN_SECS: u64 = 1;

/// What tokens are judged by, for each route that asks for them; shared by all workers.
pub(crate) struct Gates {
    routes: Vec<Option<Gate>>,
    pub(crate) issuers: Issuers,
}

struct Gate {
    jwt: Arc<Jwt>,
    verifier: Verifier,
    issuer: Option<Arc<Issuer>>,
}

/// Why no token proves who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::proxy) enum Unproved {
    /// The request shows none.
    Missing,
    /// What it shows is not good.
    Invalid(TokenError),
    /// It lacks a scope that every request needs.
    Scope,
    /// Keys are being fetched: by the next attempt it is known, or known not to be.
    Soon,
    /// There is nothing to judge it by.
    Unavailable,
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
        let routes = || config.hosts.iter().flat_map(|host| &host.routes);
        let wanted = routes().filter_map(|route| route.auth.jwt.as_deref());
        let servers = wanted.map(|jwt| (jwt.issuer.as_str(), jwt.jwks.as_deref()));
        let issuers = Issuers::wanted(servers, previous);
        let gate = |route: &Route| {
            let jwt = route.auth.jwt.as_ref()?;
            Some(Gate {
                jwt: Arc::clone(jwt),
                verifier: Verifier::new(jwt, route.claims()),
                issuer: issuers.of(&jwt.issuer, jwt.jwks.as_deref()).map(Arc::clone),
            })
        };
        Gates {
            routes: routes().map(gate).collect(),
            issuers,
        }
    }

    /// What a route asks of tokens, if it asks for them.
    pub(in crate::proxy) fn jwt(&self, route: usize) -> Option<&Jwt> {
        Some(&self.gate(route)?.jwt)
    }

    fn gate(&self, route: usize) -> Option<&Gate> {
        self.routes.get(route)?.as_ref()
    }
}

impl Unproved {
    /// What the client is told in `WWW-Authenticate`; nothing where it is not to blame.
    pub(in crate::proxy) fn challenge(self) -> Option<Challenge<'static>> {
        match self {
            Unproved::Missing => Some(Challenge::Missing),
            Unproved::Invalid(_) => Some(Challenge::Invalid),
            Unproved::Scope => Some(Challenge::Scope(&[])),
            Unproved::Soon | Unproved::Unavailable => None,
        }
    }

    /// The refusal of a route that speaks nothing but HTTP.
    pub(super) fn refusal(self, jwt: &Jwt) -> Refusal {
        let (status, reason) = match self {
            Unproved::Missing => (StatusCode::UNAUTHORIZED, "no_credentials"),
            Unproved::Invalid(error) => (StatusCode::UNAUTHORIZED, error.reason()),
            Unproved::Scope => (StatusCode::FORBIDDEN, "token_scope"),
            Unproved::Soon | Unproved::Unavailable => {
                (StatusCode::SERVICE_UNAVAILABLE, "token_keys")
            }
        };
        let mut reply = Reply::new(status);
        if let Some(challenge) = self.challenge() {
            reply = reply.with("www-authenticate", &challenge.header(jwt));
        }
        if self == Unproved::Soon {
            reply = reply.with("retry-after", &TRY_AGAIN_SECS.to_string());
        }
        Refusal {
            reply: Some(reply),
            reason: Some(reason),
        }
    }
}

impl Proxy {
    /// Judges the token of a request, and names the client by it. What was found stays with the
    /// peer, where limits, texts and what is made of MCP look for it.
    pub(super) fn check_token<'p>(
        &self,
        route: usize,
        jwt: &Jwt,
        head: &RequestHead,
        peer: &'p Peer,
    ) -> &'p Result<Rc<Claims>, Unproved> {
        peer.prove(|| {
            let claims = self.judge_token(route, jwt, head);
            match &claims {
                Ok(claims) => {
                    let subject = claims.subject.as_deref();
                    let fits = |text: &&str| (1..=USER_BYTES_MAX).contains(&text.len());
                    if let Some(subject) = subject.filter(fits) {
                        peer.identify(subject);
                    }
                }
                // Honest clients find out this way that their time is over, or the issuer's keys new.
                Err(Unproved::Invalid(TokenError::Invalid | TokenError::Audience)) => {
                    self.offence_of(peer, Offence::Auth);
                }
                Err(_) => {}
            }
            claims
        })
    }

    fn judge_token(
        &self,
        route: usize,
        jwt: &Jwt,
        head: &RequestHead,
    ) -> Result<Rc<Claims>, Unproved> {
        // Access fails closed.
        let gate = self.gates.gate(route).ok_or(Unproved::Unavailable)?;
        let issuer = gate.issuer.as_ref().ok_or(Unproved::Unavailable)?;
        let token = match bearer(head) {
            Shown::Nothing => return Err(Unproved::Missing),
            Shown::Nonsense => return Err(Unproved::Invalid(TokenError::Invalid)),
            Shown::Credentials(token) => token,
        };
        let claims = match self.claims(gate, issuer, route, token) {
            Ok(claims) => claims,
            Err(TokenError::UnknownKey) if issuer.refresh() => return Err(Unproved::Soon),
            Err(error) => return Err(Unproved::Invalid(error)),
        };
        match claims.lacks(jwt.scopes.iter()) {
            Some(_) => Err(Unproved::Scope),
            None => Ok(claims),
        }
    }

    fn claims(
        &self,
        gate: &Gate,
        issuer: &Issuer,
        route: usize,
        token: &[u8],
    ) -> Result<Rc<Claims>, TokenError> {
        let now_s = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .map_or(u64::MAX, |since| since.as_secs());
        let mut key = (route, [0; 32]);
        key.1.copy_from_slice(digest(&SHA256, token).as_ref());
        let generation = issuer.generation();
        let mut remembered = self.remembered.0.borrow_mut();
        match remembered.get(&key) {
            Some(known) if known.claims.expires_s > now_s && known.generation == generation => {
                return Ok(Rc::clone(&known.claims));
            }
            Some(_) => drop(remembered.remove(&key)),
            None => {}
        }
        let claims = match issuer.keys() {
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
        let tokens = found.site()?.candidates(head);
        let mut tokens = tokens.filter_map(|(_, route, _)| route.auth.jwt.as_deref());
        let jwt = tokens.find(|jwt| jwt.is_metadata(path))?;
        let status = match head.method {
            Method::GET | Method::HEAD => StatusCode::OK,
            Method::OPTIONS => StatusCode::NO_CONTENT,
            _ => StatusCode::METHOD_NOT_ALLOWED,
        };
        let reply = Reply::new(status)
            .with("access-control-allow-origin", "*")
            .with("allow", "GET, HEAD, OPTIONS");
        Some(match head.method {
            // Clients ask for it with `MCP-Protocol-Version`, which browsers first ask about.
            Method::OPTIONS => reply
                .with("access-control-allow-methods", "GET, HEAD")
                .with("access-control-allow-headers", "*"),
            _ => {
                let document = metadata(jwt.resource.as_deref()?, &jwt.issuer, &jwt.scopes);
                reply.content("application/json", document)
            }
        })
    }
}

/// The token of `Authorization: Bearer` (RFC 6750 §2.1). What is sent and is none was meant to be
/// one: no other credentials do on such a route.
fn bearer(head: &RequestHead) -> Shown<&[u8]> {
    let Shown::Credentials(value) = only(&head.fields, "authorization") else {
        return only(&head.fields, "authorization");
    };
    match value.split_at_checked(7) {
        Some((scheme, token)) if scheme.eq_ignore_ascii_case(b"bearer ") => {
            match token.trim_ascii() {
                b"" => Shown::Nonsense,
                token => Shown::Credentials(token),
            }
        }
        _ => Shown::Nonsense,
    }
}
