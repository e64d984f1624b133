//! Monotonic nanoseconds, for latencies and schedules.

use nix::time::{ClockId, clock_gettime};

/// `CLOCK_MONOTONIC` in nanoseconds.
pub(crate) fn monotonic_ns() -> u64 {
    read_ns(ClockId::CLOCK_MONOTONIC).expect("CLOCK_MONOTONIC exists on every Linux")
}

/// Any clock in nanoseconds.
pub(crate) fn read_ns(clock: ClockId) -> nix::Result<u64> {
    let now = clock_gettime(clock)?;
    Ok(now.tv_sec() as u64 * 1_000_000_000 + now.tv_nsec() as u64)
}

/// Waits; the threads of this crate serve nobody while they do.
#[expect(
    clippy::disallowed_methods,
    reason = "there is no worker to block here"
)]
pub(crate) fn pause(duration: std::time::Duration) {
    std::thread::sleep(duration);
}
