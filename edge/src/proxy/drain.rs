//! The signal to finish, in two steps: no new request, then no more patience.

use std::cell::Cell;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Tells the connections of one worker that it is about to stop.
#[derive(Default)]
pub struct Drain {
    started: Cell<bool>,
    start: Notify,
    cut: Notify,
}

impl Drain {
    /// Starts the drain and wakes every idle connection.
    pub fn start(&self) {
        self.started.set(true);
        self.start.notify_waiters();
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
