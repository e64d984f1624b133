//! When which event stream is due.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// A stream's next event.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Due {
    at_ns: u64,
    /// Which connection, and which use of its place: places are used again.
    pub(super) index: u32,
    pub(super) generation: u32,
    interval_ns: u64,
}

/// Streams ordered by when they are due.
#[derive(Default)]
pub(super) struct Ticker(BinaryHeap<Reverse<Due>>);

impl Ticker {
    /// A stream that ticks from now on.
    pub(super) fn start(&mut self, index: u32, generation: u32, interval_ms: u64, now_ns: u64) {
        let interval_ns = interval_ms.saturating_mul(1_000_000);
        self.0.push(Reverse(Due {
            at_ns: now_ns.saturating_add(interval_ns),
            index,
            generation,
            interval_ns,
        }));
    }

    /// The next stream that is due by now.
    pub(super) fn pop(&mut self, now_ns: u64) -> Option<Due> {
        let due = self.0.peek()?.0;
        (due.at_ns <= now_ns).then(|| self.0.pop())?;
        Some(due)
    }

    /// Puts a stream back for its next event, on schedule however late this one was.
    pub(super) fn again(&mut self, due: Due) {
        self.0.push(Reverse(Due {
            at_ns: due.at_ns.saturating_add(due.interval_ns),
            ..due
        }));
    }

    /// How long nothing is due.
    pub(super) fn wait(&self, now_ns: u64) -> Option<Duration> {
        let due = self.0.peek()?;
        Some(Duration::from_nanos(due.0.at_ns.saturating_sub(now_ns)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn streams_come_in_order_and_keep_their_schedule() {
        let mut ticker = Ticker::default();
        ticker.start(1, 0, 10, 0);
        ticker.start(2, 0, 3, 0);
        assert_eq!(ticker.wait(0), Some(Duration::from_millis(3)));
        assert_eq!(ticker.pop(2_999_999), None);
        // 1 ms late; the next is due 6 ms after the start all the same.
        let due = ticker.pop(4_000_000).expect("stream 2 is due");
        assert_eq!(due.index, 2);
        ticker.again(due);
        assert_eq!(ticker.wait(4_000_000), Some(Duration::from_millis(2)));
    }
}
