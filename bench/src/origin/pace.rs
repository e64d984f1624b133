//! Events at an even pace over many streams.

use std::time::Duration;

/// Streams that take turns.
pub(super) struct Pace {
    streams: Vec<u32>,
    next: usize,
    start_ns: u64,
    interval_ns: f64,
    sent: u64,
}

impl Pace {
    /// So many events a second over all of `streams`, from `now_ns` on.
    pub(super) fn new(streams: Vec<u32>, per_s: f64, now_ns: u64) -> Self {
        Self {
            streams,
            next: 0,
            start_ns: now_ns,
            interval_ns: 1e9 / per_s.max(1e-3),
            sent: 0,
        }
    }

    /// The stream whose turn has come by now.
    pub(super) fn pop(&mut self, now_ns: u64) -> Option<u32> {
        if self.streams.is_empty() || self.due_ns() > now_ns {
            return None;
        }
        let stream = self.streams[self.next];
        self.next = (self.next + 1) % self.streams.len();
        self.sent += 1;
        Some(stream)
    }

    /// How long it is nobody's turn; for ever without streams.
    pub(super) fn wait(&self, now_ns: u64) -> Option<Duration> {
        let some = !self.streams.is_empty();
        some.then(|| Duration::from_nanos(self.due_ns().saturating_sub(now_ns)))
    }

    /// Turns so far.
    pub(super) fn sent(&self) -> u64 {
        self.sent
    }

    /// On schedule however late the last one was.
    fn due_ns(&self) -> u64 {
        self.start_ns + ((self.sent + 1) as f64 * self.interval_ns) as u64
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turns_are_even_and_none_is_lost_by_being_late() {
        let mut pace = Pace::new(vec![7, 8, 9], 1000.0, 0);
        assert_eq!(pace.wait(0), Some(Duration::from_millis(1)));
        assert_eq!(pace.pop(999_999), None);
        let turns: Vec<_> = std::iter::from_fn(|| pace.pop(4_000_000)).collect();
        assert_eq!((turns, pace.sent()), (vec![7, 8, 9, 7], 4));
        assert_eq!(Pace::new(Vec::new(), 1.0, 0).wait(0), None);
    }
}
