//! From a request head to its answer: guards in a fixed order, then the route's upstream.

use std::future::poll_fn;
use std::net::IpAddr;
use std::time::Duration;

use http::{Method, StatusCode};

use super::account::Record;
use super::exchange::{ClientError, Downstream, Exchange, Peer};
use super::forward;
use super::relay::{End, Relay, RelayLimits};
use super::reply::Reply;
use super::router::Match;
use super::service::Proxy;
use crate::clock::monotonic_ns;
use crate::config::Route;
use crate::limit::ClientKey;
use crate::message::RequestHead;
use crate::upstream::{Group, Lease, UpstreamError};

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
                self.forward(&mut head, client, peer, admitted.route, &mut record)
                    .await;
            }
            Err(refusal) => {
                record.error = refusal.reason;
                self.reply(refusal.reply, client, &head.method, &mut record)
                    .await;
            }
        }
        record.finish(&head);
    }

    /// Everything that is decided before an upstream is involved.
    fn guard(&self, head: &RequestHead, peer: &Peer) -> Result<Admitted<'_>, Refusal> {
        self.admit(peer.addr.ip())?;
        // RFC 9110 §9.3.6, §9.3.8: neither has a use in front of an MCP server.
        if head.upgrade || matches!(head.method, Method::CONNECT | Method::TRACE) {
            return Err(StatusCode::NOT_IMPLEMENTED.into());
        }
        let (has_certificate, found) = match self.router.find(&head.authority, &head.target) {
            Match::UnknownHost => return Err(StatusCode::MISDIRECTED_REQUEST.into()),
            Match::NoRoute { has_certificate } => (has_certificate, None),
            Match::Route {
                has_certificate,
                number,
                route,
            } => (has_certificate, Some(Admitted { number, route })),
        };
        if let Some(port) = self
            .redirect_port
            .filter(|_| has_certificate && peer.tls.is_none())
        {
            return Err(redirect(head, port).into());
        }
        found.ok_or_else(|| StatusCode::NOT_FOUND.into())
    }

    /// The limit per address; a client that goes on regardless is handed to the kernel.
    fn admit(&self, addr: IpAddr) -> Result<(), Refusal> {
        let Some(limits) = &self.limits else {
            return Ok(());
        };
        let now_ns = monotonic_ns();
        let key = ClientKey::from_ip(addr, self.ipv6_prefix);
        let Err(retry_after) = limits.limiter.admit(&key, now_ns) else {
            return Ok(());
        };
        self.metrics.limited();
        let penalties = limits.penalties.as_ref();
        if let Some(duration) = penalties.and_then(|penalties| penalties.record(&key, now_ns)) {
            (self.ban)(addr, duration);
        }
        Err(Refusal {
            reply: Reply::limited(retry_after.seconds()),
            reason: Some("limited"),
        })
    }

    async fn forward<'a, D: Downstream>(
        &'a self,
        head: &mut RequestHead,
        client: &mut D,
        peer: &Peer,
        route: &'a Route,
        record: &mut Record<'a>,
    ) {
        forward::request_fields(head, peer);
        let group = self.upstreams.group(route.upstream);
        record.upstream = Some(route.upstream);
        record.upstream_name = Some(group.name());
        let limits = RelayLimits {
            high_water: self.bounds.buffer_bytes,
            response_timeout: group.response_timeout(),
            body_timeout: self.timeouts.body,
            send_timeout: self.timeouts.send,
            keep_alive: route.keep_alive,
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

    async fn reply<D: Downstream>(
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

/// A request that has passed the guards.
struct Admitted<'a> {
    number: usize,
    route: &'a Route,
}

/// A request that has not.
struct Refusal {
    reply: Reply,
    reason: Option<&'static str>,
}

impl From<StatusCode> for Refusal {
    fn from(status: StatusCode) -> Refusal {
        Reply::new(status).into()
    }
}

impl From<Reply> for Refusal {
    fn from(reply: Reply) -> Refusal {
        Refusal {
            reply,
            reason: None,
        }
    }
}

/// To the same target over TLS. 308 keeps the method and body of a POST (RFC 9110 §15.4.9).
fn redirect(head: &RequestHead, port: u16) -> Reply {
    let status = match head.method {
        Method::GET | Method::HEAD => StatusCode::MOVED_PERMANENTLY,
        _ => StatusCode::PERMANENT_REDIRECT,
    };
    let host = head.authority.url_host();
    let target = match head.target.is_asterisk() {
        true => "",
        false => head.target.as_str(),
    };
    let location = match port {
        443 => format!("https://{host}{target}"),
        port => format!("https://{host}:{port}{target}"),
    };
    Reply::new(status).with("location", &location)
}

/// Duration since `started_ns` in microseconds.
pub(super) fn elapsed_us(started_ns: u64, until_ns: u64) -> u64 {
    Duration::from_nanos(until_ns.saturating_sub(started_ns)).as_micros() as u64
}
