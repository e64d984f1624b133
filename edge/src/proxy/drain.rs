//! The signal to finish: no new request on any connection of this worker.

use std::cell::Cell;

use tokio::sync::Notify;
use tokio::sync::futures::Notified;

/// Tells the connections of one worker that it is about to stop.
#[derive(Default)]
pub struct Drain {
    started: Cell<bool>,
    notify: Notify,
}

impl Drain {
    /// Starts the drain and wakes every idle connection.
    pub fn start(&self) {
        self.started.set(true);
        self.notify.notify_waiters();
    }

    /// Whether it has started.
    pub fn is_started(&self) -> bool {
        self.started.get()
    }

    /// Completes when the drain starts; check [`Drain::is_started`] after creating it.
    pub fn started(&self) -> Notified<'_> {
        self.notify.notified()
    }
}
