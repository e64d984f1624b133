//! When calls are due. Pure.

use std::collections::VecDeque;

/// Calls of one slice.
#[derive(Default)]
pub(super) struct Schedule {
    until_ns: u64,
    open: Option<Open>,
}

struct Open {
    start_ns: u64,
    interval_ns: f64,
    made: u64,
    /// Due, and no connection is free: the times they were due at.
    waiting: VecDeque<u64>,
}

impl Schedule {
    /// Calls follow answers until then.
    pub(super) fn closed(until_ns: u64) -> Self {
        Self {
            until_ns,
            open: None,
        }
    }

    /// Calls are due at even distances between these times, whatever becomes of them.
    pub(super) fn open(per_s: f64, start_ns: u64, until_ns: u64) -> Self {
        Self {
            until_ns,
            open: Some(Open {
                start_ns,
                interval_ns: 1e9 / per_s.max(1e-3),
                made: 0,
                waiting: VecDeque::new(),
            }),
        }
    }

    /// Notes what has become due.
    pub(super) fn advance(&mut self, now_ns: u64) {
        let Some(open) = &mut self.open else {
            return;
        };
        loop {
            let due_ns = open.start_ns + (open.made as f64 * open.interval_ns) as u64;
            if due_ns > now_ns || due_ns >= self.until_ns {
                return;
            }
            open.waiting.push_back(due_ns);
            open.made += 1;
        }
    }

    /// When the call that a free connection is to make was due, if it is to make one.
    pub(super) fn take(&mut self, now_ns: u64) -> Option<u64> {
        match &mut self.open {
            Some(open) => open.waiting.pop_front(),
            None => (now_ns < self.until_ns).then_some(now_ns),
        }
    }

    /// Calls that are due and have no connection.
    pub(super) fn waiting(&self) -> usize {
        self.open.as_ref().map_or(0, |open| open.waiting.len())
    }

    /// Whether no more calls will become due.
    pub(super) fn is_over(&self, now_ns: u64) -> bool {
        now_ns >= self.until_ns && self.waiting() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn calls_that_had_to_wait_count_from_when_they_were_due() {
        let mut schedule = Schedule::open(1000.0, 0, 10_000_000);
        schedule.advance(0);
        assert_eq!((schedule.take(0), schedule.take(0)), (Some(0), None));
        // Nothing was looked at for a while: all of it is late.
        schedule.advance(3_500_000);
        assert_eq!(schedule.waiting(), 3);
        assert_eq!(schedule.take(3_500_000), Some(1_000_000));
        assert_eq!(schedule.take(3_500_000), Some(2_000_000));
        schedule.advance(60_000_000);
        assert_eq!(schedule.waiting(), 7);
        assert!(!schedule.is_over(60_000_000));
        let rest = std::iter::from_fn(|| schedule.take(0)).count();
        assert_eq!((rest, schedule.is_over(60_000_000)), (7, true));
    }

    #[test]
    fn a_closed_loop_calls_until_its_end() {
        let mut schedule = Schedule::closed(5);
        schedule.advance(4);
        assert_eq!((schedule.take(4), schedule.take(5)), (Some(4), None));
        assert!(schedule.is_over(5) && !schedule.is_over(4));
    }
}
