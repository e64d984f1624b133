//! From a request head to its answer: the guards, then what the route does.

use std::time::Duration;

use http::{Method, StatusCode};

use super::account::Record;
use super::configured::Proxy;
use super::exchange::{Downstream, Exchange, Peer};
use super::facts::Facts;
use super::guard::Admitted;
use super::reply::Reply;
use super::request_id::RequestId;
use super::rewrite::rewritten;
use crate::config::{Action, Route};
use crate::message::RequestHead;

impl Proxy {
    /// Answers one request and writes its log line. Never fails: what goes wrong becomes an answer,
    /// or, where it is too late for one, the end of the connection or stream.
    pub async fn handle<D: Downstream>(&self, exchange: Exchange<'_, D>) {
        let Exchange {
            mut head,
            client,
            peer,
        } = exchange;
        let mut record = Record::start(self, &head, peer);
        let found = self.router.find(&head);
        record.advertises = self.advertises(head.version, peer, found.site());
        match self.guard(&head, peer, found) {
            Ok(Admitted { number, route }) => {
                record.route = Some(number);
                record.route_path = Some(&route.path);
                self.act(route, &mut head, client, peer, &mut record).await;
            }
            Err(refusal) => {
                record.error = refusal.reason;
                match refusal.reply {
                    Some(reply) => self.reply(reply, client, &head.method, &mut record).await,
                    None => client.abort(),
                }
            }
        }
        record.finish(&head);
    }

    /// Does what the route does with the requests it takes.
    async fn act<'a, D: Downstream>(
        &'a self,
        route: &'a Route,
        head: &mut RequestHead,
        client: &mut D,
        peer: &Peer,
        record: &mut Record<'a>,
    ) {
        let request_id = RequestId::new();
        let facts = Facts {
            head,
            peer,
            request_id: &request_id,
            when: &route.when,
        };
        let reply = match &route.action {
            Action::Proxy(action) => match rewritten(&action.rewrite, &facts) {
                Ok(target) => {
                    head.rewritten = target;
                    return match &action.mcp {
                        // Boxed: a quiet connection holds the space of every future it may run.
                        Some(mcp) => {
                            Box::pin(self.mcp(head, client, peer, action, mcp, record)).await
                        }
                        None => self.pass(head, client, peer, action, None, record).await,
                    };
                }
                Err(_) => Reply::new(StatusCode::BAD_REQUEST),
            },
            Action::Redirect(action) => {
                Reply::new(action.status).with("location", &facts.url(&action.to))
            }
            Action::Respond(action) => Reply::configured(action),
        };
        self.reply(reply, client, &head.method, record).await;
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
