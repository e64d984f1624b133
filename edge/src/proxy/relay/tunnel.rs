//! WebSocket as the relay sees it: once the server has switched, both bodies are opaque bytes that
//! go on until their side ends them.
//!
//! Nothing of the client's body is read before the server has switched, so what a client sends ahead
//! is either part of the new protocol or the next request, and never both.

use std::time::Duration;

use http::StatusCode;

use super::deadline::{Deadline, Overdue};
use super::{Phase, Relay};
use crate::clock::monotonic_ns;
use crate::message::{BodyLength, Name, ResponseHead, Version};
use crate::proxy::exchange::Downstream;
use crate::upstream::UpstreamError;

/// How long a client may be silent after the server has ended its direction: few have anything left
/// to say, and some never end theirs.
const HALF_CLOSED: Duration = Duration::from_secs(10);

/// Both directions of a connection that has switched protocols.
pub(super) struct Tunnel {
    end_ns: u64,
}

impl<D: Downstream> Relay<'_, D> {
    /// Whether the client's bytes must wait until it is known what they are.
    pub(super) fn holds_request(&self) -> bool {
        matches!(self.phase, Phase::Head) && self.conn.is_opening()
    }

    /// A server that does not switch has answered the request, and the request has no body.
    pub(super) fn judge_refusal(&mut self, head: &ResponseHead) -> Result<(), UpstreamError> {
        if !self.conn.is_opening() {
            return Ok(());
        }
        self.request_ended = true;
        // RFC 8441 §5: over a stream success means that the protocol has changed, which it has not.
        match self.is_over_stream() && head.status.is_success() {
            true => Err(UpstreamError::UnexpectedUpgrade),
            false => Ok(()),
        }
    }

    pub(super) fn start_tunnel(&mut self, mut head: ResponseHead) {
        let now_ns = monotonic_ns();
        head.length = BodyLength::UntilClose;
        if self.is_over_stream() {
            // RFC 8441 §5: 200 instead of 101, and no proof of a key that nobody sent.
            head.status = StatusCode::OK;
            head.fields.remove(Name::SecWebsocketAccept);
        }
        self.progress.status = Some(head.status);
        self.progress.head_ns = now_ns;
        self.tunnel = Some(Tunnel {
            end_ns: after(now_ns, self.limits.websocket_age),
        });
        self.progress.is_stream = true;
        self.worker.metrics.stream_opened();
        self.cut = Some(Box::pin(self.worker.drain().is_cut()));
        self.client.send_switch(&head);
        self.phase = Phase::Body;
    }

    /// Activity either way counts, and a client that takes nothing is as overdue as with any other
    /// response. Age has the last word.
    pub(super) fn tunnel_deadline(&self, tunnel: &Tunnel) -> Deadline {
        let (idle, overdue) = match self.client.queued() {
            0 if matches!(self.phase, Phase::HalfClosed) => {
                (HALF_CLOSED, Overdue::Tunnel("half_closed"))
            }
            0 => (
                self.limits.websocket_idle,
                Overdue::Tunnel("websocket_idle"),
            ),
            _ => (self.limits.send_timeout, Overdue::Response),
        };
        let idle_ns = after(self.active_ns, idle);
        match tunnel.end_ns <= idle_ns {
            true => Deadline::At(tunnel.end_ns, Overdue::Tunnel("websocket_age")),
            false => Deadline::At(idle_ns, overdue),
        }
    }

    /// The server has ended its direction: the client's may go on until it ends or breaks.
    pub(super) fn tunnel_has_ended(&self) -> bool {
        self.send_failed || (self.request_ended && self.conn.queued() == 0)
    }

    /// Ends both directions. No close frame is made up: the edge does not know whether it stands
    /// between two frames.
    pub(super) fn end_tunnel(&mut self, reason: &'static str) {
        self.progress.ended_for = Some(reason);
        self.tunnel = None;
        match self.phase {
            Phase::Body => self.end_response(None),
            _ => self.phase = Phase::Flush,
        }
    }

    /// Whether the exchange has a stream of its own on the client's connection.
    fn is_over_stream(&self) -> bool {
        !matches!(self.version, Version::Http10 | Version::Http11)
    }
}

fn after(start_ns: u64, time: Duration) -> u64 {
    start_ns.saturating_add(time.as_nanos() as u64)
}
