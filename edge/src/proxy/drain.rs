//! The signal to finish, in two steps: no new request, then no more patience.

use std::cell::Cell;
use std::future::Future as _;
use std::pin::Pin;
use std::task::Context;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

use crate::clock::coarse_ns;

/// An idle connection keeps its place for so long, whoever waits: most clients ask again by then.
const IDLE_MIN: Duration = Duration::from_secs(3);

/// Tells the connections of one worker that it is about to stop.
#[derive(Default)]
pub struct Drain {
    started: Cell<bool>,
    start: Notify,
    leave: Notify,
    cut: Notify,
}

impl Drain {
    /// Starts the drain and wakes every idle connection.
    pub fn start(&self) {
        self.started.set(true);
        self.start.notify_waiters();
        self.leave.notify_waiters();
    }

    /// Others wait for a place: of the connections without a request the one is asked that has
    /// waited longest for its next one.
    pub fn dismiss_one(&self) {
        self.leave.notify_one();
    }

    /// Completes when a connection without a request is to leave, or at least to think of it.
    pub fn dismissed(&self) -> Notified<'_> {
        self.leave.notified()
    }

    /// Whether a connection that has been idle since then is to leave; otherwise the task is woken
    /// when it is to think of it again.
    pub fn poll_leave<'a>(
        &'a self,
        mut dismissed: Pin<&mut Notified<'a>>,
        cx: &mut Context<'_>,
        idle_since_ns: u64,
    ) -> bool {
        while !self.is_started() {
            if dismissed.as_mut().poll(cx).is_pending() {
                return false;
            }
            let idle_ns = coarse_ns().saturating_sub(idle_since_ns);
            if idle_ns >= IDLE_MIN.as_nanos() as u64 {
                return true;
            }
            dismissed.set(self.dismissed());
        }
        true
    }

    /// Whether it has started.
    pub fn is_started(&self) -> bool {
        self.started.get()
    }

    /// Completes when the drain starts; check [`Drain::is_started`] after creating it.
    pub fn started(&self) -> Notified<'_> {
        self.start.notified()
    }

    /// The deadline has come: event streams that still run are ended where a client can take them
    /// up again.
    pub fn cut(&self) {
        self.cut.notify_waiters();
    }

    /// Completes when [`Drain::cut`] is called after this.
    pub(super) fn is_cut(&self) -> Notified<'_> {
        self.cut.notified()
    }
}
