//! What a relay waits for, and how long.

use std::time::Duration;

use bytes::Bytes;

use super::{Phase, Relay};
use crate::mcp::KeepAlive;
use crate::proxy::exchange::Downstream;

/// When something is overdue.
pub(super) enum Deadline {
    None,
    At(u64, Overdue),
}

/// What is.
#[derive(Clone, Copy)]
pub(super) enum Overdue {
    Upstream,
    RequestBody,
    Pace,
    Response,
    KeepAlive,
    Tunnel(&'static str),
}

impl<D: Downstream> Relay<'_, D> {
    /// What is overdue next. Nothing is once a response without length has begun: a quiet stream
    /// is a healthy stream.
    pub(super) fn deadline(&self) -> Deadline {
        let at = |timeout: Duration, overdue| {
            Deadline::At(
                self.active_ns.saturating_add(timeout.as_nanos() as u64),
                overdue,
            )
        };
        if let Some(tunnel) = &self.tunnel {
            return self.tunnel_deadline(tunnel);
        }
        if self.client.queued() > 0 {
            return at(self.limits.send_timeout, Overdue::Response);
        }
        match self.phase {
            Phase::Head if self.conn.queued() > 0 && !self.send_failed => {
                at(self.limits.upstream_send_timeout, Overdue::Upstream)
            }
            Phase::Head if self.waits_for_upstream() => {
                at(self.limits.response_timeout, Overdue::Upstream)
            }
            Phase::Head => match at(self.limits.body_timeout, Overdue::RequestBody) {
                Deadline::At(at_ns, _) if self.pace.due_ns() < at_ns => {
                    Deadline::At(self.pace.due_ns(), Overdue::Pace)
                }
                deadline => deadline,
            },
            Phase::Body if self.body_is_sized => {
                at(self.limits.response_timeout, Overdue::Upstream)
            }
            Phase::Body => match self.events.as_ref().and_then(KeepAlive::due_ns) {
                Some(due_ns) => Deadline::At(due_ns, Overdue::KeepAlive),
                None => Deadline::None,
            },
            Phase::HalfClosed | Phase::Flush | Phase::Abort(_) | Phase::Ended => Deadline::None,
        }
    }

    pub(super) fn waits_for_upstream(&self) -> bool {
        self.request_ended || self.holds_request() || self.send_failed
    }

    /// The stream has been silent and stands between two events: a comment.
    pub(super) fn keep_alive(&mut self, now_ns: u64) {
        self.active_ns = now_ns;
        if let Some(comment) = self
            .events
            .as_mut()
            .and_then(|events| events.comment(now_ns))
        {
            self.worker.metrics.keep_alive_sent();
            self.client.send_data(Bytes::from_static(comment));
        }
    }
}
