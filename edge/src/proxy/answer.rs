//! From a request head to its answer: the guards, then what the route does.

use std::rc::Rc;
use std::time::Duration;

use http::{Method, StatusCode};

use super::account::Record;
use super::authenticate::Consent;
use super::caller::Caller;
use super::compress::Outlet;
use super::configured::Proxy;
use super::exchange::{Downstream, Exchange};
use super::facts::Facts;
use super::forward;
use super::guard::{Admitted, Refusal};
use super::limits::When;
use super::mcp;
use super::options;
use super::reply::Reply;
use super::rewrite::rewritten;
use super::rules::{self, ResponseRules};
use super::trace::Trace;
use crate::config::{Action, ProxyAction, Route};
use crate::message::RequestHead;
use crate::net;

impl Proxy {
    /// Answers one request and writes its log line. Never fails: what goes wrong becomes an answer,
    /// or, where it is too late for one, the end of the connection or stream.
    pub async fn handle<D: Downstream>(&self, exchange: Exchange<'_, D>) {
        let Exchange { head, client, peer } = exchange;
        let caller = Caller::of(&head.fields, peer, &self.forwarding);
        let tracing = self.tracing.as_ref();
        let trace = tracing.map(|tracing| Trace::of(&head.fields, peer, tracing, &self.forwarding));
        let peer = &caller.peer;
        let found = self.router.find(head);
        let (rules, when) = found.rules();
        let facts = Facts {
            head,
            peer,
            request_id: &caller.request_id,
            when,
        };
        let rules = ResponseRules::new(rules, &facts);
        let mut record = Record::start(self, head, &caller, &rules);
        record.trace = trace.map(Box::new);
        let mcp = found.mcp();
        record.speaks_rpc = mcp.is_some();
        record.for_page = mcp.and_then(|mcp| mcp::page(head, mcp));
        record.pages = found.site().map_or(&[], |site| &site.error_pages);
        record.advertises = self.advertises(head.version, peer, found.site());
        match self.guard(head, peer, found) {
            Ok(Admitted {
                number,
                route,
                mut passed,
            }) => {
                record.route = Some(number);
                record.route_path = Some(&route.path);
                record.body_bytes_max = route.body_bytes_max;
                let consent = match route.auth.is_none() {
                    true => Ok(None),
                    false => {
                        let trace = record.trace.as_deref();
                        Box::pin(self.authenticate(number, route, head, &caller, trace)).await
                    }
                };
                let consent = consent.and_then(|consent| {
                    if !route.auth.is_none() && !matches!(peer.proof(), Some(Err(_))) {
                        let limits = &route.limits;
                        let more = self.check_limits(limits, number, head, peer, When::After)?;
                        passed.and(more);
                    }
                    Ok(consent)
                });
                rules.tell_limits(&passed.told);
                if passed.would_refuse {
                    record.error = Some("limited_dry_run");
                }
                if !passed.delay.is_zero() {
                    Box::pin(net::sleep(passed.delay)).await;
                }
                match consent {
                    Ok(consent) => {
                        // Boxed: an idle connection does not hold the space of what it may do next,
                        // and a quiet one not that of what it will not do.
                        let record = &mut record;
                        match &route.action {
                            Action::Proxy(action) if action.mcp.is_some() => {
                                let acting =
                                    self.mcp(route, action, head, client, &caller, consent, record);
                                Box::pin(acting).await;
                            }
                            _ => {
                                let acting =
                                    self.act(route, head, client, &caller, consent, record);
                                Box::pin(acting).await;
                            }
                        }
                    }
                    Err(refusal) => {
                        Box::pin(self.refuse(refusal, client, head, &mut record)).await;
                    }
                }
            }
            Err(refusal) => Box::pin(self.refuse(refusal, client, head, &mut record)).await,
        }
        record.finish(head);
    }

    async fn refuse<D: Downstream>(
        &self,
        refusal: Refusal,
        client: &mut D,
        head: &RequestHead,
        record: &mut Record<'_>,
    ) {
        record.error = refusal.reason;
        match refusal.reply {
            Some(reply) => self.reply(reply, client, &head.method, record).await,
            None => client.abort(),
        }
    }

    /// Does what the route does with the requests it takes.
    async fn act<'a, D: Downstream>(
        &'a self,
        route: &'a Route,
        head: &mut RequestHead,
        client: &mut D,
        caller: &Caller,
        consent: Option<Rc<Consent>>,
        record: &mut Record<'a>,
    ) {
        let Caller { peer, request_id } = caller;
        let mut outlet = Outlet::new(client, route.compress.as_deref(), head, &self.encoders);
        let client = &mut outlet;
        if let Action::Proxy(ProxyAction {
            files: Some(files), ..
        }) = &route.action
        {
            let path = &route.when.path;
            if Box::pin(self.file_first(files, path, head, client, record)).await {
                return;
            }
        }
        let reply = match &route.action {
            Action::Proxy(action) => match self
                .prepare(route, action, head, caller, consent, record)
            {
                Ok(()) => {
                    let rules = &route.request_rules;
                    rules::apply_to_request(rules, head, peer, request_id, &route.when);
                    return match action.cache.is_some() {
                        true => {
                            // An answer that was made for somebody may be for nobody else.
                            let identified = !route.auth.is_none();
                            Box::pin(
                                self.pass_cached(head, client, peer, action, identified, record),
                            )
                            .await;
                        }
                        false => self.pass(head, client, peer, action, None, record).await,
                    };
                }
                Err(reply) => reply,
            },
            Action::Redirect(action) => {
                let facts = Facts {
                    head,
                    peer,
                    request_id,
                    when: Some(&route.when),
                };
                Reply::new(action.status).with("location", &facts.location(&action.to))
            }
            Action::Files(action) => {
                let sending = self.files(action, &route.when.path, head, client, record);
                return Box::pin(sending).await;
            }
            // What the log calls it; nobody gets to see it.
            Action::Respond(action) if action.is_none() => {
                record.status = Some(action.status);
                return client.abort();
            }
            Action::Respond(action) => Reply::configured(action),
        };
        self.reply(reply, client, &head.method, record).await;
    }

    /// Makes of a request what its upstream is to see, but for the rules of the route.
    pub(super) fn prepare(
        &self,
        route: &Route,
        action: &ProxyAction,
        head: &mut RequestHead,
        caller: &Caller,
        consent: Option<Rc<Consent>>,
        record: &Record<'_>,
    ) -> Result<(), Reply> {
        let Caller { peer, request_id } = caller;
        let facts = Facts {
            head,
            peer,
            request_id,
            when: Some(&route.when),
        };
        let target = rewritten(&action.rewrite, &facts);
        let target = target.map_err(|_| Reply::new(StatusCode::BAD_REQUEST))?;
        if target.is_some() {
            head.sent.get_or_insert_default().target = target;
        }
        let trace = record.trace.as_deref();
        options::count_hop(head);
        forward::request_fields(head, peer, request_id, &self.forwarding, trace);
        if let (Some(consent), Some(request)) = (consent, &route.auth.request) {
            consent.tell(request, &mut head.fields);
        }
        Ok(())
    }

    /// Sends an answer of the edge's own.
    pub(super) async fn reply<D: Downstream>(
        &self,
        reply: Reply,
        client: &mut D,
        method: &Method,
        record: &mut Record<'_>,
    ) {
        record.status = Some(reply.status);
        let proxy = record.advertises.then_some(self);
        let reply = match record.speaks_rpc {
            true => reply.in_json_rpc(None),
            false => reply.paged(record.pages),
        };
        let reply = match &record.for_page {
            Some(page) => reply.for_page(page),
            None => reply,
        };
        let reply = reply.ruled_by(record.rules);
        match reply.send(client, method, self.timeouts.send, proxy).await {
            Ok(bytes) => record.bytes_out += bytes,
            Err(error) => {
                record.error.get_or_insert(error.reason());
                client.abort();
            }
        }
    }
}

/// Duration since `started_ns` in microseconds.
pub(super) fn elapsed_us(started_ns: u64, until_ns: u64) -> u64 {
    Duration::from_nanos(until_ns.saturating_sub(started_ns)).as_micros() as u64
}
