//! The time seam: monotonic nanoseconds that tests can set by hand.
//!
//! Limiters, keep-alive and drain take a [`Clock`] instead of calling the operating system, so that
//! their tests are deterministic. The epoch is arbitrary; only differences mean anything. The real
//! clock is `CLOCK_MONOTONIC`, the one that `bpf_ktime_get_ns` reads, so times written to the
//! kernel maps by user space can be compared with the kernel's own.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::time::{ClockId, clock_gettime};

/// Where "now" comes from.
#[derive(Clone, Debug, Default)]
pub enum Clock {
    /// `CLOCK_MONOTONIC`.
    #[default]
    System,
    /// A clock that moves only when told to.
    Manual(Rc<Cell<u64>>),
}

impl Clock {
    /// Nanoseconds since an arbitrary point in the past (for [`Clock::System`]: since boot).
    pub fn now_ns(&self) -> u64 {
        match self {
            Clock::System => monotonic_ns(),
            Clock::Manual(now) => now.get(),
        }
    }
}

/// `CLOCK_MONOTONIC` in nanoseconds, for what is measured.
pub fn monotonic_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC)
}

/// `CLOCK_MONOTONIC` at the kernel's last tick, at most 10 ms ago, for deadlines: read in a tenth of
/// the time (clock_gettime(2), `CLOCK_MONOTONIC_COARSE`). Never ahead of [`monotonic_ns`].
pub fn coarse_ns() -> u64 {
    read(ClockId::CLOCK_MONOTONIC_COARSE)
}

fn read(clock: ClockId) -> u64 {
    let now = clock_gettime(clock).expect("the clock exists on every Linux");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// Nanoseconds of Unix time; 0 before it began.
pub fn unix_ns() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |since| since.as_nanos() as u64)
}
