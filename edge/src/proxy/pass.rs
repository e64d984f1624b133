//! The action of most routes: the request goes to an upstream, the pump moves both bodies.

use std::future::poll_fn;
use std::rc::Rc;

use bytes::BytesMut;

use super::account::Record;
use super::configured::Proxy;
use super::exchange::{ClientError, Downstream, Peer};
use super::mcp::Call;
use super::relay::{End, Progress, Relay, RelayLimits};
use super::reply::Reply;
use crate::config::ProxyAction;
use crate::limit::Offence;
use crate::message::RequestHead;
use crate::upstream::{Group, Lease, UpstreamError};

impl Proxy {
    /// Passes a request to the upstream of its route, and the answer back.
    pub(super) async fn pass<'a, D: Downstream>(
        &'a self,
        head: &mut RequestHead,
        client: &mut D,
        peer: &Peer,
        action: &'a ProxyAction,
        mut call: Option<&mut Call>,
        record: &mut Record<'a>,
    ) {
        let group = self.upstreams.group(action.upstream);
        record.upstream = Some(action.upstream);
        record.upstream_name = Some(group.name());
        let limits = RelayLimits {
            advertises: record.advertises,
            high_water: self.bounds.buffer_bytes,
            response_timeout: group.response_timeout(),
            body_timeout: self.timeouts.body,
            send_timeout: self.timeouts.send,
            keep_alive: action.keep_alive,
            websocket_idle: self.timeouts.websocket_idle,
            websocket_age: self.timeouts.websocket_age,
            body_bytes_max: record.body_bytes_max,
        };
        let end = self
            .relay(head, client, group, limits, call.as_deref_mut(), record)
            .await;
        match end {
            End::Complete => {}
            End::Upstream(error) => {
                record.upstream_failed(&error);
                match record.status {
                    None => {
                        let reply = match &mut call {
                            Some(call) => call.upstream_failed(&error, self),
                            None => Reply::new(error.status()),
                        };
                        self.reply(reply, client, &head.method, record).await;
                    }
                    Some(_) => client.abort(),
                }
            }
            End::Client(error) => {
                if matches!(error, ClientError::BadBody) {
                    self.offence_of(peer, Offence::Malformed);
                }
                self.client_failed(error, client, head, call.as_deref_mut(), record)
                    .await;
            }
        }
        if let Some(call) = call {
            call.ended(self);
        }
    }

    /// Runs the exchange on a connection of the group, or on two when the first turns out to have
    /// been closed before it took a byte.
    async fn relay<D: Downstream>(
        &self,
        head: &RequestHead,
        client: &mut D,
        group: &Group,
        limits: RelayLimits,
        mut call: Option<&mut Call>,
        record: &mut Record<'_>,
    ) -> End {
        let host = head.sent_host().as_str();
        let leased = match call.as_deref().and_then(Call::pin) {
            Some(server) => group.lease_of(server).await,
            None => group.lease().await,
        };
        let mut lease = match leased {
            Ok(lease) => lease,
            Err(error) => return End::Upstream(error),
        };
        record.leased(&lease);
        lease.conn().start(head, host);
        let reused = lease.reused;
        let mut relay = {
            // Not held any longer than this: what is alive while it runs, a quiet connection holds.
            let mut progress = Progress::default();
            let mut request_ended = false;
            if let Some(call) = &mut call {
                let server = Rc::clone(lease.server());
                (progress.bytes_in, request_ended) = call.leased(&server, lease.conn());
            }
            Relay::new(client, lease.conn(), head.version, limits, self)
                .resume(progress, request_ended)
                .watched_by(call.as_deref_mut())
                .ruled_by(record.rules)
        };
        let end = poll_fn(|cx| relay.poll(cx)).await;
        let (progress, request_ended) = relay.progress();
        drop(relay);

        let unsent = match &end {
            End::Upstream(UpstreamError::Broken(_) | UpstreamError::Closed) if reused => {
                lease.conn().take_unsent()
            }
            _ => None,
        };
        let Some(unsent) = unsent else {
            record.relayed(progress);
            return end;
        };
        let retry = Retry {
            failed: lease,
            unsent,
            limits,
            progress,
            request_ended,
            call,
        };
        // Boxed: it is rare, and large.
        Box::pin(self.relay_again(head, client, group, retry, record)).await
    }

    /// Runs the exchange on a new connection, with the request that the first one took nothing of.
    async fn relay_again<D: Downstream>(
        &self,
        head: &RequestHead,
        client: &mut D,
        group: &Group,
        mut retry: Retry<'_>,
        record: &mut Record<'_>,
    ) -> End {
        let leased = match retry.call.as_deref().and_then(Call::pin) {
            Some(server) => group.lease_new_of(server).await,
            None => group.lease_new().await,
        };
        let mut fresh: Lease = match leased {
            Ok(lease) => lease,
            Err(error) => return End::Upstream(error),
        };
        fresh.conn().resume(retry.failed.conn(), retry.unsent);
        drop(retry.failed);
        record.leased(&fresh);
        if let Some(call) = &mut retry.call {
            call.moved(fresh.server());
        }
        let relay = Relay::new(client, fresh.conn(), head.version, retry.limits, self);
        let mut relay = relay
            .resume(retry.progress, retry.request_ended)
            .watched_by(retry.call)
            .ruled_by(record.rules);
        let end = poll_fn(|cx| relay.poll(cx)).await;
        record.relayed(relay.progress().0);
        end
    }
}

/// An exchange whose connection turned out to have been closed before it took a byte.
struct Retry<'c> {
    failed: Lease,
    unsent: BytesMut,
    limits: RelayLimits,
    progress: Progress,
    request_ended: bool,
    call: Option<&'c mut Call>,
}
