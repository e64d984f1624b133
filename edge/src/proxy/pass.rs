//! The action of most routes: the request goes to an upstream, the pump moves both bodies.

use std::future::poll_fn;
use std::rc::Rc;

use super::account::Record;
use super::configured::Proxy;
use super::exchange::{ClientError, Downstream, Peer};
use super::intake::{Intake, is_incremental};
use super::mcp::Call;
use super::pace::Pace;
use super::relay::{End, Progress, Relay, RelayLimits};
use super::reply::Reply;
use crate::clock::monotonic_ns;
use crate::config::ProxyAction;
use crate::limit::Offence;
use crate::message::{BodyLength, RequestHead};
use crate::upstream::{Group, Lease, Sender, Unsent, UpstreamError};

/// The way of one request: to which servers, and within which limits.
struct Way<'a> {
    group: &'a Group,
    sender: Sender,
    limits: RelayLimits,
}

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
            upstream_send_timeout: group.send_timeout(),
            response_timeout: action
                .response_timeout
                .unwrap_or_else(|| group.response_timeout()),
            body_timeout: self.timeouts.body,
            body_rate: self.bounds.body_rate,
            send_timeout: self.timeouts.send,
            keep_alive: action.keep_alive,
            websocket_idle: self.timeouts.websocket_idle,
            websocket_age: self.timeouts.websocket_age,
            body_bytes_max: record.body_bytes_max,
        };
        let way = Way {
            group,
            sender: group.sender(peer.addr, head),
            limits,
        };
        let read_ahead = call.as_deref().map_or(0, Call::read_ahead);
        let mut intake = Intake::new(client, record.body_bytes_max, read_ahead);
        let filled = match action.buffer_request && !is_incremental(&head.fields) {
            true => Box::pin(self.fill(head, &mut intake, read_ahead)).await,
            false => Ok(()),
        };
        let end = match filled {
            Ok(()) => {
                self.relay(head, &mut intake, &way, call.as_deref_mut(), record)
                    .await
            }
            Err(error) => End::Client(error),
        };
        match end {
            End::Complete => {}
            End::Upstream(error) => {
                record.upstream_failed(&error);
                match record.status {
                    // Sent by who has stored it.
                    None if record.has_stale() => {}
                    None => {
                        let reply = match &mut call {
                            Some(call) => {
                                let most = action.mcp.as_ref().map_or(0, |mcp| mcp.body_prefix);
                                call.read_id(client, most).await;
                                call.upstream_failed(&error, self)
                            }
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

    /// Reads the request body whole, so that a slow client keeps no server waiting. The server is
    /// told its length, which is known now.
    async fn fill<D: Downstream>(
        &self,
        head: &mut RequestHead,
        intake: &mut Intake<'_, D>,
        read_ahead: u64,
    ) -> Result<(), ClientError> {
        if head.length == BodyLength::Empty {
            return Ok(());
        }
        let pace = Pace::new(self.bounds.body_rate, monotonic_ns());
        let (bytes, has_trailers) = intake.fill(self.timeouts.body, pace).await?;
        if head.length == BodyLength::Framed && !has_trailers {
            head.length = BodyLength::Exact(read_ahead + bytes);
        }
        Ok(())
    }

    /// Runs the exchange on a connection of the group, or on two when the first turns out to have
    /// been closed while nobody used it, or the server says that it has not looked at the request.
    async fn relay<D: Downstream>(
        &self,
        head: &RequestHead,
        client: &mut D,
        way: &Way<'_>,
        mut call: Option<&mut Call>,
        record: &mut Record<'_>,
    ) -> End {
        let group = way.group;
        let host = head.sent_host().as_str();
        let pin = call.as_deref().and_then(Call::pin);
        let mut lease = {
            let leased = match &pin {
                Some(server) => Box::pin(group.lease_on(server, &way.sender)).await,
                None => group.lease(&way.sender).await,
            };
            match leased {
                Ok(lease) => lease,
                Err(error) => return End::Upstream(error),
            }
        };
        record.leased(&lease);
        lease.conn().start(head, host);
        let reused = lease.reused;
        let mut capture = record.capture.take();
        let mut relay = {
            // Not held any longer than this: what is alive while it runs, a quiet connection holds.
            let mut progress = Progress::default();
            let mut request_ended = false;
            if let Some(call) = &mut call {
                let server = Rc::clone(lease.name());
                (progress.bytes_in, request_ended) = call.leased(&server, lease.conn());
            }
            Relay::new(client, lease.conn(), head.version, way.limits, self)
                .resume(progress, request_ended)
                .watched_by(call.as_deref_mut())
                .captured_by(capture.as_deref_mut())
                .ruled_by(record.rules)
        };
        let end = poll_fn(|cx| relay.poll(cx)).await;
        let (progress, request_ended) = relay.progress();
        drop(relay);
        record.capture = capture;

        let unsent = match &end {
            End::Upstream(error) if progress.status.is_none() => {
                let no_body = head.length == BodyLength::Empty || !request_ended;
                let read_nothing = progress.bytes_in == 0 && no_body;
                let conn = lease.conn();
                conn.salvage(error, &head.method, reused, read_nothing)
            }
            _ => None,
        };
        let Some(unsent) = unsent else {
            judge(&lease, group, &end, progress);
            record.relayed(progress);
            return end;
        };
        // Apart, for it is rare and would make every exchange larger.
        let dead = Dead {
            lease,
            unsent,
            progress,
            request_ended,
            is_pinned: pin.is_some(),
        };
        Box::pin(self.relay_again(dead, head, client, way, call, record)).await
    }

    /// Goes on where a connection turned out to be dead.
    async fn relay_again<D: Downstream>(
        &self,
        mut dead: Dead,
        head: &RequestHead,
        client: &mut D,
        way: &Way<'_>,
        mut call: Option<&mut Call>,
        record: &mut Record<'_>,
    ) -> End {
        let group = way.group;
        let leased = match dead.is_pinned {
            true => group.lease_again(&dead.lease, &way.sender).await,
            false => group.lease_new(&dead.lease, &way.sender).await,
        };
        let mut fresh = match leased {
            Ok(lease) => lease,
            Err(error) => return End::Upstream(error),
        };
        fresh.conn().resume(dead.lease.conn(), dead.unsent, head);
        drop(dead.lease);
        record.leased(&fresh);
        if let Some(call) = &mut call {
            call.moved(fresh.name());
        }
        let mut capture = record.capture.take();
        let relay = Relay::new(client, fresh.conn(), head.version, way.limits, self);
        let mut relay = relay
            .resume(dead.progress, dead.request_ended)
            .watched_by(call)
            .captured_by(capture.as_deref_mut())
            .ruled_by(record.rules);
        let end = poll_fn(|cx| relay.poll(cx)).await;
        let (progress, _) = relay.progress();
        drop(relay);
        record.capture = capture;
        judge(&fresh, group, &end, progress);
        record.relayed(progress);
        end
    }
}

/// A connection that was closed, and the request that it should have answered.
struct Dead {
    lease: Lease,
    unsent: Unsent,
    progress: Progress,
    request_ended: bool,
    is_pinned: bool,
}

/// What an exchange says of the server's health. A head is an answer, whatever came after it, and a
/// client that leaves says nothing.
fn judge(lease: &Lease, group: &Group, end: &End, progress: Progress) {
    match end {
        _ if progress.status.is_some() => lease.succeeded(),
        // It has answered.
        End::Upstream(UpstreamError::Unwanted(_)) => lease.succeeded(),
        End::Upstream(error) => lease.failed(group, error),
        End::Complete => lease.succeeded(),
        End::Client(_) => {}
    }
}
