//! A worker's share of a counter or gauge: a cell, added to the shared value on the tick.

use std::cell::Cell;

/// Counts up here until the tick.
pub(super) struct LocalCounter {
    pending: Cell<u64>,
    shared: metrics::Counter,
}

impl LocalCounter {
    pub(super) fn new(shared: metrics::Counter) -> LocalCounter {
        LocalCounter {
            pending: Cell::new(0),
            shared,
        }
    }

    pub(super) fn add(&self, count: u64) {
        self.pending.set(self.pending.get().wrapping_add(count));
    }

    pub(super) fn flush(&self) {
        let pending = self.pending.take();
        if pending > 0 {
            self.shared.increment(pending);
        }
    }
}

/// What a worker that fails has counted is not lost.
impl Drop for LocalCounter {
    fn drop(&mut self) {
        self.flush();
    }
}

/// Goes up and down here until the tick.
pub(super) struct LocalGauge {
    pending: Cell<i64>,
    /// This worker's share, as last given to [`LocalGauge::set`].
    share: Cell<i64>,
    shared: metrics::Gauge,
}

impl LocalGauge {
    pub(super) fn new(shared: metrics::Gauge) -> LocalGauge {
        LocalGauge {
            pending: Cell::new(0),
            share: Cell::new(0),
            shared,
        }
    }

    /// Replaces this worker's share; not to be mixed with counting up and down.
    pub(super) fn set(&self, share: usize) {
        let share = i64::try_from(share).unwrap_or(i64::MAX);
        let change = share - self.share.replace(share);
        self.pending.set(self.pending.get().wrapping_add(change));
    }

    pub(super) fn up(&self) {
        self.pending.set(self.pending.get().wrapping_add(1));
    }

    pub(super) fn down(&self) {
        self.pending.set(self.pending.get().wrapping_sub(1));
    }

    pub(super) fn flush(&self) {
        let pending = self.pending.take();
        if pending != 0 {
            self.shared.increment(pending as f64);
        }
    }
}

/// Nor is its share left standing.
impl Drop for LocalGauge {
    fn drop(&mut self) {
        let share = self.share.take();
        self.pending.set(self.pending.get().wrapping_sub(share));
        self.flush();
    }
}
