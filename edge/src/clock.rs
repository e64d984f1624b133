//! The time seam: monotonic nanoseconds that tests can set by hand.
//!
//! Limiters, keep-alive and drain take a [`Clock`] instead of calling the operating system, so that
//! their tests are deterministic. The epoch is arbitrary; only differences mean anything. The real
//! clock is `CLOCK_MONOTONIC`, the one that `bpf_ktime_get_ns` reads, so times written to the
//! kernel maps by user space can be compared with the kernel's own.

use std::cell::Cell;
use std::rc::Rc;
use std::time::{SystemTime, UNIX_EPOCH};

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

/// `CLOCK_MONOTONIC` in nanoseconds, for code that runs outside a worker.
pub fn monotonic_ns() -> u64 {
    let now = nix::time::clock_gettime(nix::time::ClockId::CLOCK_MONOTONIC)
        .expect("CLOCK_MONOTONIC exists on every Linux");
    now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64
}

/// Nanoseconds of Unix time; 0 before it began.
pub fn unix_ns() -> u64 {
    let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
    since_epoch.map_or(0, |since| since.as_nanos() as u64)
}
