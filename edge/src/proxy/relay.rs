//! The pump: request body one way, response the other, until both have ended.
//!
//! Both directions are driven from one poll function, so that a response can begin before the
//! request has ended, a client that leaves is noticed while the upstream thinks, and one place knows
//! every deadline. Each direction stops reading its source while more than the high-water mark waits
//! to leave on the other side: a slow reader stops the sender, it never fills memory. Once both ends
//! have agreed on WebSocket the same pump moves its bytes, see [`tunnel`].

mod deadline;
mod pump;
mod tunnel;

use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::futures::Notified;

use self::deadline::{Deadline, Overdue};
use self::tunnel::Tunnel;
use super::cache::Capture;
use super::configured::Proxy;
use super::exchange::{ClientError, Downstream};
use super::mcp::Call;
use super::pace::Pace;
use super::rules::ResponseRules;
use crate::clock::coarse_ns;
use crate::mcp::KeepAlive;
use crate::message::Version;
use crate::net::{self, Appetite};
use crate::upstream::{Conn, UpstreamError};

/// How a relay ended.
#[derive(Debug)]
pub(super) enum End {
    /// The whole response has left.
    Complete,
    /// The upstream failed. If no head was sent to the client it still waits for an answer.
    Upstream(UpstreamError),
    /// The client failed.
    Client(ClientError),
}

/// Deadlines and bounds of one relay.
#[derive(Clone, Copy)]
pub(super) struct RelayLimits {
    /// The answer tells of HTTP/3.
    pub(super) advertises: bool,
    pub(super) high_water: usize,
    pub(super) upstream_send_timeout: Duration,
    pub(super) response_timeout: Duration,
    pub(super) body_timeout: Duration,
    pub(super) body_rate: Option<u64>,
    pub(super) send_timeout: Duration,
    pub(super) keep_alive: Option<Duration>,
    pub(super) websocket_idle: Duration,
    pub(super) websocket_age: Duration,
    /// The longest request body.
    pub(super) body_bytes_max: Option<u64>,
}

/// What a relay did, for the log.
#[derive(Clone, Copy, Default)]
pub(super) struct Progress {
    pub(super) status: Option<StatusCode>,
    pub(super) head_ns: u64,
    pub(super) bytes_in: u64,
    pub(super) bytes_out: u64,
    /// It is an event stream or a WebSocket.
    pub(super) is_stream: bool,
    /// Why the edge ended a stream that both sides would have kept.
    pub(super) ended_for: Option<&'static str>,
}

/// One exchange with an upstream under way.
pub(super) struct Relay<'a, D> {
    client: &'a mut D,
    conn: &'a mut Conn,
    limits: RelayLimits,
    worker: &'a Proxy,
    version: Version,
    phase: Phase,
    request_ended: bool,
    send_failed: bool,
    events: Option<KeepAlive>,
    call: Option<&'a mut Call>,
    capture: Option<&'a mut Capture>,
    rules: Option<&'a ResponseRules<'a>>,
    /// For event streams: the end of the worker's patience.
    cut: Option<Pin<Box<Notified<'a>>>>,
    /// For streams: whoever waited has its answer.
    patient: Option<net::Patient>,
    body_is_sized: bool,
    tunnel: Option<Tunnel>,
    pace: Pace,
    appetite: Appetite,
    /// When the side that is waited for last did something.
    active_ns: u64,
    client_queued: usize,
    progress: Progress,
}

enum Phase {
    Head,
    Body,
    /// The server has ended its direction of a tunnel, the client has not.
    HalfClosed,
    Flush,
    Abort(UpstreamError),
    Ended,
}

impl<'a, D: Downstream> Relay<'a, D> {
    pub(super) fn new(
        client: &'a mut D,
        conn: &'a mut Conn,
        version: Version,
        limits: RelayLimits,
        worker: &'a Proxy,
    ) -> Relay<'a, D> {
        let now_ns = coarse_ns();
        Relay {
            client,
            conn,
            limits,
            worker,
            version,
            phase: Phase::Head,
            request_ended: false,
            send_failed: false,
            events: None,
            call: None,
            capture: None,
            rules: None,
            cut: None,
            patient: None,
            body_is_sized: false,
            tunnel: None,
            pace: Pace::new(limits.body_rate, now_ns),
            appetite: Appetite::new(D::AHEAD_BYTES, now_ns),
            active_ns: now_ns,
            client_queued: 0,
            progress: Progress::default(),
        }
    }

    fn begin_stream(&mut self) {
        self.progress.is_stream = true;
        self.worker.metrics.stream_opened();
        self.cut = Some(Box::pin(self.worker.drain().is_cut()));
        self.patient = Some(net::Patient::new());
    }

    /// What was done so far, and whether the request body has been read to its end.
    pub(super) fn progress(&self) -> (Progress, bool) {
        (self.progress, self.request_ended)
    }

    /// What is done to the fields of the response.
    pub(super) fn ruled_by(mut self, rules: &'a ResponseRules<'a>) -> Self {
        self.rules = Some(rules);
        self
    }

    /// On a route with `mcp`, what passes is looked at.
    pub(super) fn watched_by(mut self, call: Option<&'a mut Call>) -> Self {
        self.call = call;
        self
    }

    /// On a route with a cache, the answer is looked at.
    pub(super) fn captured_by(mut self, capture: Option<&'a mut Capture>) -> Self {
        self.capture = capture;
        self
    }

    /// Goes on where a relay stopped whose connection turned out dead.
    pub(super) fn resume(mut self, progress: Progress, request_ended: bool) -> Self {
        self.progress = progress;
        self.request_ended = request_ended;
        self
    }

    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<End> {
        loop {
            let before = self.activity();
            let held = self.holds_request();
            if let Err(error) = self.pump_request(cx) {
                return Poll::Ready(self.client_left(error));
            }
            if let Some(end) = self.pump_response(cx) {
                return Poll::Ready(end);
            }
            if let Some(end) = self.poll_cut(cx) {
                return Poll::Ready(end);
            }
            if self.tunnel_is_closed() {
                self.finish_tunnel();
                continue;
            }
            if held && !self.holds_request() {
                continue; // What the client has sent ahead may move now.
            }
            // Last, for a client may close as soon as it has the whole response.
            let watch = (self.request_ended && self.tunnel.is_none()) || held;
            if watch && self.client.poll_gone(cx).is_ready() {
                return Poll::Ready(self.client_left(ClientError::Gone));
            }
            let now_ns = coarse_ns();
            let queued = self.client.queued();
            if self.activity() != before || queued < self.client_queued {
                self.active_ns = now_ns;
            }
            self.client_queued = queued;
            if self.conn.queued() >= self.limits.high_water {
                self.pace.restart(now_ns, self.progress.bytes_in); // The upstream is the slow one.
            }
            let Deadline::At(deadline_ns, overdue) = self.deadline() else {
                return Poll::Pending;
            };
            if self.client.timer().poll(cx, deadline_ns).is_pending() {
                return Poll::Pending;
            }
            // The timer knows the time better.
            let now_ns = now_ns.max(deadline_ns);
            match overdue {
                Overdue::Upstream if matches!(self.phase, Phase::Head) => {
                    return Poll::Ready(End::Upstream(UpstreamError::Timeout));
                }
                Overdue::Upstream => self.phase = Phase::Abort(UpstreamError::Timeout),
                Overdue::Pace if self.pace.is_kept(now_ns, self.progress.bytes_in) => {}
                Overdue::RequestBody | Overdue::Pace => {
                    return Poll::Ready(End::Client(ClientError::BodyTimeout));
                }
                Overdue::Response => return Poll::Ready(End::Client(ClientError::SendTimeout)),
                Overdue::KeepAlive => self.keep_alive(now_ns),
                Overdue::Tunnel(reason) => self.end_tunnel(reason),
            }
        }
    }

    /// At the end of a drain an event stream is ended as if the server had: clients reconnect.
    fn poll_cut(&mut self, cx: &mut Context<'_>) -> Option<End> {
        let cut = self
            .cut
            .as_mut()
            .is_some_and(|cut| cut.as_mut().poll(cx).is_ready());
        if !cut {
            return None;
        }
        self.cut = None;
        if self.tunnel.is_some() {
            self.end_tunnel("drain");
        } else if matches!(self.phase, Phase::Body) && !self.body_is_sized {
            let at_boundary = self.events.as_ref().is_some_and(KeepAlive::at_boundary);
            if let Some(hint) = self.call.as_ref().and_then(|call| call.farewell())
                && at_boundary
            {
                self.client.send_data(hint);
            }
            self.end_response(None);
        }
        self.pump_response(cx)
    }

    /// A client that leaves when it has been told to is not to blame.
    fn client_left(&self, error: ClientError) -> End {
        match self.progress.ended_for {
            Some(_) => End::Complete,
            None => End::Client(error),
        }
    }

    /// Numbers that change whenever a byte has moved.
    fn activity(&self) -> (u64, u64, usize, bool) {
        let Progress {
            bytes_in,
            bytes_out,
            ..
        } = self.progress;
        (bytes_in, bytes_out, self.conn.queued(), self.request_ended)
    }
}

impl<D> Drop for Relay<'_, D> {
    fn drop(&mut self) {
        if self.progress.is_stream {
            self.worker.metrics.stream_closed();
        }
    }
}
