//! From a request head to its answer: the guards, then what the route does.

use std::time::Duration;

use http::Method;

use super::account::Record;
use super::configured::Proxy;
use super::exchange::{Downstream, Exchange};
use super::reply::Reply;
use crate::config::Action;

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
        match self.guard(&head, peer) {
            Ok(admitted) => {
                record.route = Some(admitted.number);
                record.route_path = Some(&admitted.route.path);
                match &admitted.route.action {
                    Action::Proxy(action) => match &action.mcp {
                        Some(mcp) => {
                            self.mcp(&mut head, client, peer, action, mcp, &mut record)
                                .await;
                        }
                        None => {
                            self.pass(&mut head, client, peer, action, None, &mut record)
                                .await;
                        }
                    },
                }
            }
            Err(refusal) => {
                record.error = refusal.reason;
                self.reply(refusal.reply, client, &head.method, &mut record)
                    .await;
            }
        }
        record.finish(&head);
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
        match reply.send(client, method, self.timeouts.send).await {
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
