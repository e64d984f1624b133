//! What a route with `mcp` does beyond passing requests on: find out what each one asks for, apply
//! rules and limits to that, keep it with the server that knows its session, and refuse in a way
//! that an MCP client understands.

mod authorize;
mod call;
mod judge;
mod limits;
mod lists;
mod mirrored;
mod prefix;
mod spares;
mod tables;

use std::rc::Rc;
use std::time::Duration;

use http::{Method, StatusCode};

pub(super) use authorize::is_open;
pub(super) use call::Call;
pub(super) use spares::Spares;
pub(super) use tables::{Sealers, Tables};

use super::account::Record;
use super::authenticate::Consent;
use super::caller::Caller;
use super::compress::Outlet;
use super::configured::Proxy;
use super::exchange::{ClientError, Downstream};
use super::reply::{Page, Reply};
use super::rules::apply_to_request;
use crate::config::{Mcp, ProxyAction, Route};
use crate::limit::RetryAfter;
use crate::mcp::{Class, Era, HeadFacts, Refusal, class_of, origin_allowed};
use crate::message::{Name, RequestHead};
use crate::upstream::UpstreamError;

/// When to try again what only waits for its turn.
const SOON: RetryAfter = RetryAfter(Duration::from_secs(1));

/// Why a request goes no further.
pub(super) enum Stop {
    /// The edge refuses it.
    Refused(Refusal, Option<RetryAfter>),
    /// The client failed while its body was looked at.
    Client(ClientError),
}

impl From<Refusal> for Stop {
    fn from(refusal: Refusal) -> Stop {
        Stop::Refused(refusal, None)
    }
}

impl Proxy {
    /// Handles a request on a route with `mcp`.
    #[expect(
        clippy::too_many_arguments,
        reason = "it stands beside `act`, whose arguments and action these are"
    )]
    pub(super) async fn mcp<'a, D: Downstream>(
        &'a self,
        route: &'a Route,
        action: &'a ProxyAction,
        head: &mut RequestHead,
        client: &mut D,
        caller: &Caller,
        consent: Option<Rc<Consent>>,
        record: &mut Record<'a>,
    ) {
        let (Some(mcp), peer) = (&action.mcp, &caller.peer) else {
            return;
        };
        let mut outlet = Outlet::new(client, route.compress.as_deref(), head, &self.encoders);
        let client = &mut outlet;
        if let Err(reply) = self.prepare(route, action, head, caller, consent, record) {
            return self.reply(reply, client, &head.method, record).await;
        }
        let subject = self.subjects.take();
        let mut call = Call::new(action.upstream, record.route.unwrap_or(0), mcp, subject);
        let judged = self.judge(head, client, peer, mcp, &mut call).await;
        // The relay counts on from there, and sees no more of a body that has come whole.
        let too_large = record
            .body_bytes_max
            .is_some_and(|most| call.read_ahead() > most);
        let judged = match too_large {
            true => judged.and(Err(Stop::Client(ClientError::TooLarge))),
            false => judged,
        };
        match judged {
            Ok(()) => {
                if mcp.list_cache.is_some() {
                    // Notices of changes are looked for in what passes, and compressed they would
                    // not be seen. Clients are none the worse: `compress` is the edge's own.
                    head.fields.set(Name::AcceptEncoding, b"identity");
                }
                // Only now: what clients send is judged as they send it, and it is known who they are.
                let (rules, request_id) = (&route.request_rules, &caller.request_id);
                apply_to_request(rules, head, peer, request_id, &route.when);
                let is_answered = match mcp.list_cache {
                    // Apart, for it would make every exchange larger.
                    Some(most) => {
                        let answering = self.answer_list(head, client, most, mcp, &call, record);
                        Box::pin(answering).await
                    }
                    None => false,
                };
                if !is_answered {
                    self.pass(head, client, peer, action, Some(&mut call), record)
                        .await;
                }
            }
            Err(Stop::Refused(refusal, retry_after)) => {
                call.read_id(client, mcp.body_prefix).await;
                record.error = Some(refusal.reason());
                if refusal.status() == StatusCode::TOO_MANY_REQUESTS {
                    self.metrics.limited();
                }
                record.upstream_name = Some(self.upstreams.group(action.upstream).name());
                let reply = call.refuse(refusal, retry_after);
                self.reply(reply, client, &head.method, record).await;
            }
            Err(Stop::Client(error)) => {
                self.client_failed(error, client, head, Some(&mut call), record)
                    .await;
            }
        }
        if let Some(scan) = call.scan.take() {
            self.scans.keep(scan);
        }
        record.mcp = Some(call.facts());
    }

    /// The client is to blame: an answer if it still waits for one.
    pub(super) async fn client_failed<D: Downstream>(
        &self,
        error: ClientError,
        client: &mut D,
        head: &RequestHead,
        call: Option<&mut Call>,
        record: &mut Record<'_>,
    ) {
        record.error = Some(error.reason());
        match (record.status, error) {
            (None, error) if error.status().as_u16() != 499 => {
                let reply = match (call, error) {
                    (Some(call), ClientError::BadBody) => call.refuse(Refusal::Body, None),
                    (Some(call), _) => {
                        call.scan_rest();
                        Reply::new(error.status()).in_json_rpc(call.id())
                    }
                    (None, _) => Reply::new(error.status()),
                };
                self.reply(reply, client, &head.method, record).await;
            }
            _ => {
                record.status.get_or_insert(error.status());
                client.abort();
            }
        }
    }
}

impl Call {
    /// The answer to a request that the edge refuses.
    fn refuse(&mut self, refusal: Refusal, retry_after: Option<RetryAfter>) -> Reply {
        self.refusal = Some(refusal);
        self.scan_rest();
        let seconds = retry_after.map(|retry_after| retry_after.seconds());
        let body = refusal.body(self.id(), seconds);
        let mut reply = Reply::new(refusal.status()).content("application/json", body);
        if let Some(challenge) = &self.challenge {
            reply = reply.with("www-authenticate", challenge);
        }
        match seconds {
            Some(seconds) => reply.with("retry-after", &seconds.to_string()),
            None => reply,
        }
    }

    /// The answer when the upstream has failed before it answered.
    pub(super) fn upstream_failed(&mut self, error: &UpstreamError, proxy: &Proxy) -> Reply {
        let refusal = match error {
            // The session lived in the server's memory: the client has to start anew, which is
            // what 404 tells it
            // (<https://modelcontextprotocol.io/specification/2025-11-25/basic/transports#session-management>).
            UpstreamError::Connect(_) | UpstreamError::Gone if self.is_pinned() => {
                self.forget_session(proxy);
                Refusal::Session
            }
            // Nothing has reached the server, which will have room again soon.
            _ if error.status() == StatusCode::SERVICE_UNAVAILABLE => {
                return self.refuse(Refusal::Unavailable, Some(SOON));
            }
            _ if error.status() == StatusCode::GATEWAY_TIMEOUT => Refusal::UpstreamTimeout,
            _ => Refusal::Upstream,
        };
        self.refuse(refusal, None)
    }
}

/// Whether a request opens a stream on a route that limits those by themselves: many clients that
/// come back at once after a restart are no flood of calls.
pub(super) fn opens_stream(route: &Route, head: &RequestHead) -> bool {
    let limited = route.action.mcp().filter(|mcp| mcp.limit.opens.is_some());
    limited.is_some_and(|mcp| match head.method {
        Method::GET => facts(head, mcp).class() == Some(Class::Stream),
        // One look tells of nearly all others that they do not.
        Method::POST => {
            let rpc_method = head.fields.value(Name::McpMethod);
            rpc_method.is_some_and(|method| class_of(method) == Class::Stream)
                && facts(head, mcp).class() == Some(Class::Stream)
        }
        _ => false,
    })
}

/// The web page that asks, if one does and may. Any page in a sandbox is of the origin `null`.
pub(super) fn page(head: &RequestHead, mcp: &Mcp) -> Option<Page> {
    let origins = || head.fields.values(Name::Origin);
    let origin = origins().next()?;
    if !origin_allowed(origins(), mcp.origins.as_deref()) {
        return None;
    }
    let mut named = mcp
        .origins
        .iter()
        .flatten()
        .filter(|one| !matches!(one.as_str(), "null" | "*"));
    let is_named = named.any(|one| origin.eq_ignore_ascii_case(one.as_bytes()));
    Some(match is_named {
        true => Page::Named(origin.into()),
        false => Page::Any,
    })
}

/// What the head tells. A version that is no date makes the headers untrustworthy, as an old one
/// does, and the server will say what it thinks of it.
fn facts<'a>(head: &'a RequestHead, mcp: &'a Mcp) -> HeadFacts<'a> {
    let versions = head.fields.values(Name::McpProtocolVersion);
    let era = Era::of(versions).unwrap_or_default();
    HeadFacts {
        era,
        method: &head.method,
        path: head.target.path(),
        health: mcp.health.as_deref(),
        accepts_events: head.method == Method::GET && accepts_events(head),
        rpc_method: head.fields.value(Name::McpMethod),
    }
}

fn accepts_events(head: &RequestHead) -> bool {
    let ranges = head.fields.values(Name::Accept);
    ranges
        .flat_map(|value| value.split(|&byte| byte == b','))
        .any(crate::mcp::is_event_stream)
}
