//! WebSocket as the relay sees it: once the server has switched, both bodies are opaque bytes that
//! go on until their side ends them. Of their frames no more is known than where they end, so that the
//! edge can say Close when it ends them itself.
//!
//! Nothing of the client's body is read before the server has switched, so what a client sends ahead
//! is either part of the new protocol or the next request, and never both.

use std::time::Duration;

use http::StatusCode;

use super::deadline::{Deadline, Overdue};
use super::{Phase, Relay};
use crate::clock::monotonic_ns;
use crate::message::{BodyLength, FrameTracker, Name, ResponseHead, Version, close_frame};
use crate::proxy::exchange::Downstream;
use crate::proxy::request_id::unguessable;
use crate::upstream::UpstreamError;

/// How long a client may be silent after the server has ended its direction: few have anything left
/// to say, and some never end theirs.
const HALF_CLOSED: Duration = Duration::from_secs(10);

/// Both directions of a connection that has switched protocols.
pub(super) struct Tunnel {
    end_ns: u64,
    from_client: FrameTracker,
    from_server: FrameTracker,
    closing: Option<Closing>,
}

/// Close has been said: nothing passes any more, and who was told may answer in kind.
#[derive(Clone, Copy)]
struct Closing {
    client_told: bool,
    server_told: bool,
}

/// RFC 6455 §7.4.1: going away. Libraries take it for a reason to connect again.
const GOING_AWAY: u16 = 1001;
/// How long the answers to a Close are waited for.
const ANSWER: Duration = Duration::from_millis(300);

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
            from_client: FrameTracker::default(),
            from_server: FrameTracker::default(),
            closing: None,
        });
        self.begin_stream();
        self.client.send_switch(&head);
        self.phase = Phase::Body;
    }

    /// Activity either way counts, and a client that takes nothing is as overdue as with any other
    /// response. Age has the last word.
    pub(super) fn tunnel_deadline(&self, tunnel: &Tunnel) -> Deadline {
        if tunnel.closing.is_some() {
            return Deadline::At(tunnel.end_ns, Overdue::Tunnel("closed"));
        }
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

    /// Content of the client's in a tunnel; whether it goes on to the server.
    pub(super) fn request_goes_on(&mut self, data: &[u8]) -> bool {
        self.tunnel.as_mut().is_none_or(|tunnel| {
            tunnel.from_client.passed(data);
            tunnel.closing.is_none()
        })
    }

    /// Content of the server's; whether it goes on to the client.
    pub(super) fn response_goes_on(&mut self, data: &[u8]) -> bool {
        self.tunnel.as_mut().is_none_or(|tunnel| {
            tunnel.from_server.passed(data);
            tunnel.closing.is_none()
        })
    }

    /// Ends both directions, with a Close to each side that stands between two frames.
    pub(super) fn end_tunnel(&mut self, reason: &'static str) {
        let in_body = matches!(self.phase, Phase::Body);
        let Some(tunnel) = self
            .tunnel
            .as_mut()
            .filter(|tunnel| tunnel.closing.is_none())
        else {
            return self.finish_tunnel();
        };
        self.progress.ended_for = Some(reason);
        let client_told = in_body && tunnel.from_server.may_close();
        let server_told = in_body && !self.request_ended && tunnel.from_client.may_close();
        if !client_told && !server_told {
            return self.finish_tunnel();
        }
        let text = match reason {
            "websocket_idle" => "idle for too long",
            "websocket_age" => "open for too long",
            _ => "going away",
        };
        tunnel.closing = Some(Closing {
            client_told,
            server_told,
        });
        tunnel.end_ns = after(monotonic_ns(), ANSWER);
        if client_told {
            let frame = close_frame(GOING_AWAY, text, None);
            self.client.send_data(frame.into());
        }
        if server_told {
            let mask = (unguessable().0 as u32).to_be_bytes();
            let frame = close_frame(GOING_AWAY, text, Some(mask));
            self.conn.send_data(frame.into());
        }
    }

    /// Whether everybody who was told has answered, or is gone.
    pub(super) fn tunnel_is_closed(&self) -> bool {
        let Some((tunnel, closing)) = self
            .tunnel
            .as_ref()
            .and_then(|tunnel| Some((tunnel, tunnel.closing?)))
        else {
            return false;
        };
        let client = tunnel.from_client.has_closed() || self.request_ended;
        let server = tunnel.from_server.has_closed() || !matches!(self.phase, Phase::Body);
        (client || !closing.client_told) && (server || !closing.server_told)
    }

    pub(super) fn finish_tunnel(&mut self) {
        self.tunnel = None;
        if !self.request_ended {
            self.request_ended = true;
            self.conn.send_end(None);
        }
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
