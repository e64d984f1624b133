//! Sleep that is not disturbed by each single event.
//!
//! Of ten thousand quiet streams one has an event every tenth of a millisecond, and to wake for each
//! costs more than to pass it on. So where nobody waits for an answer and events are that many, the
//! worker sleeps on for a moment after which it takes all that have come, as network cards do
//! with interrupts. Without a crowd, and for every request, it wakes at once.

use std::io;

use io_uring::IoUring;

use super::super::urgency;
use crate::clock::coarse_ns;

/// How long events wait for others at most.
const GATHER_US: u32 = 1000;
/// So many completions end the wait.
const GATHERED: u32 = 256;
/// What makes a crowd: so many events in the time that they would wait.
const CROWD: u64 = 2;
/// How long events are counted.
const WINDOW_NS: u64 = 20_000_000;

/// `IORING_ENTER_GETEVENTS` and `IORING_ENTER_EXT_ARG` (io_uring_enter(2)).
const FLAGS: u32 = 1 | 1 << 3;

/// `struct io_uring_getevents_arg`, with what was padding before Linux 6.12.
#[repr(C)]
struct Argument {
    sigmask: u64,
    sigmask_size: u32,
    min_wait_us: u32,
    timeout: u64,
}

/// Whether there is a crowd, as events are counted.
#[derive(Debug, Default)]
pub(super) struct Crowd {
    is_there: bool,
    since_ns: u64,
    events_before: u64,
}

impl Crowd {
    /// Whether a sleep that begins now may go on past the first completion.
    pub(super) fn may_wait(&mut self) -> bool {
        !urgency::is_anybody_urgent() && self.look(coarse_ns(), urgency::events_passed())
    }

    fn look(&mut self, now_ns: u64, events: u64) -> bool {
        let elapsed_ns = now_ns.saturating_sub(self.since_ns);
        if elapsed_ns >= WINDOW_NS {
            let expected = CROWD * elapsed_ns / (u64::from(GATHER_US) * 1000);
            self.is_there = events - self.events_before >= expected;
            self.since_ns = now_ns;
            self.events_before = events;
        }
        self.is_there
    }
}

/// Whether the kernel knows the least time to wait (Linux 6.12).
pub(super) fn is_known(ring: &IoUring) -> bool {
    // SAFETY: nothing was submitted.
    unsafe { enter(ring, 0, 0) }.is_ok()
}

/// Submits, and sleeps until something has completed and events have had time to gather.
///
/// # Safety
///
/// As of the entries that are submitted.
pub(super) unsafe fn sleep(ring: &IoUring, submit: u32) -> io::Result<usize> {
    // SAFETY: the caller's.
    unsafe { enter(ring, submit, GATHERED) }
}

/// # Safety
///
/// As of the entries that are submitted.
unsafe fn enter(ring: &IoUring, submit: u32, want: u32) -> io::Result<usize> {
    let argument = Argument {
        sigmask: 0,
        sigmask_size: 0,
        min_wait_us: GATHER_US,
        timeout: 0,
    };
    // SAFETY: the argument is what the flags say, and entries are the caller's.
    unsafe { ring.submitter().enter(submit, want, FLAGS, Some(&argument)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;

    #[test]
    fn a_crowd_is_where_two_events_come_in_the_time_one_would_wait() {
        let mut crowd = Crowd::default();
        assert!(!crowd.look(1_000 * MS, 5), "five in a second");
        assert!(!crowd.look(1_019 * MS, 900), "it is counted for longer");
        assert!(crowd.look(1_020 * MS, 900));
        assert!(crowd.look(1_030 * MS, 900), "until the next count");
        assert!(crowd.look(1_040 * MS, 940));
        assert!(!crowd.look(1_060 * MS, 979));
        assert!(
            !crowd.look(9_000 * MS, 2_000),
            "a quiet time is counted whole"
        );
    }
}
