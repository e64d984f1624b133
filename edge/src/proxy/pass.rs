//! The action of most routes: the request goes to an upstream, the pump moves both bodies.

use std::future::poll_fn;

use super::account::Record;
use super::configured::Proxy;
use super::exchange::{ClientError, Downstream, Peer};
use super::forward;
use super::relay::{End, Relay, RelayLimits};
use super::reply::Reply;
use crate::config::ProxyAction;
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
        record: &mut Record<'a>,
    ) {
        forward::request_fields(head, peer);
        let group = self.upstreams.group(action.upstream);
        record.upstream = Some(action.upstream);
        record.upstream_name = Some(group.name());
        let limits = RelayLimits {
            high_water: self.bounds.buffer_bytes,
            response_timeout: group.response_timeout(),
            body_timeout: self.timeouts.body,
            send_timeout: self.timeouts.send,
            keep_alive: action.keep_alive,
            websocket_idle: self.timeouts.websocket_idle,
            websocket_age: self.timeouts.websocket_age,
        };
        match self.relay(head, client, group, limits, record).await {
            End::Complete => {}
            End::Upstream(error) => {
                record.upstream_failed(&error);
                match record.status {
                    None => {
                        self.reply(Reply::new(error.status()), client, &head.method, record)
                            .await
                    }
                    Some(_) => client.abort(),
                }
            }
            End::Client(error) => {
                record.error = Some(error.reason());
                match (record.status, error) {
                    (None, ClientError::BadBody | ClientError::BodyTimeout) => {
                        self.reply(Reply::new(error.status()), client, &head.method, record)
                            .await;
                    }
                    _ => {
                        record.status.get_or_insert(error.status());
                        client.abort();
                    }
                }
            }
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
        record: &mut Record<'_>,
    ) -> End {
        let host = head.authority.as_str();
        let mut lease = match group.lease().await {
            Ok(lease) => lease,
            Err(error) => return End::Upstream(error),
        };
        record.leased(&lease);
        lease.conn().start(head, host);
        let reused = lease.reused;
        let mut relay = Relay::new(client, lease.conn(), head.version, limits, self);
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
        let mut fresh: Lease = match group.lease_new().await {
            Ok(lease) => lease,
            Err(error) => return End::Upstream(error),
        };
        fresh.conn().resume(lease.conn(), unsent);
        drop(lease);
        record.leased(&fresh);
        let relay = Relay::new(client, fresh.conn(), head.version, limits, self);
        let mut relay = relay.resume(progress, request_ended);
        let end = poll_fn(|cx| relay.poll(cx)).await;
        record.relayed(relay.progress().0);
        end
    }
}
