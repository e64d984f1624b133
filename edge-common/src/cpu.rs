//! What each CPU keeps for itself: counters, what time it was, how much it has reported.

use crate::{COUNTERS, VERDICTS};

/// One CPU's share. One value, so that the program looks it up once a packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cpu {
    /// The tick of the kernel in which `monotonic_ns` was read.
    pub tick: u64,
    /// `CLOCK_MONOTONIC` nanoseconds as of that tick.
    pub monotonic_ns: u64,
    /// Packets by [`Verdict::counter`](crate::Verdict::counter).
    pub packets: [u64; COUNTERS],
    /// Packets that would have been dropped, and passed because the shield only watches; the same
    /// order.
    pub watched: [u64; COUNTERS],
    /// For each verdict the state of the limit on how often it is reported.
    pub reports_tat: [u64; VERDICTS],
    /// Reports for which the ring had no room.
    pub reports_lost: u64,
}

const _: () =
    assert!(size_of::<Cpu>() == 8 * (3 + 2 * COUNTERS + VERDICTS) && align_of::<Cpu>() == 8);

#[cfg(feature = "user")]
mod pod {
    #![allow(unsafe_code, reason = "aya::Pod is an unsafe trait")]

    // SAFETY: repr(C), only u64 inside, no padding, every bit pattern valid.
    unsafe impl aya::Pod for super::Cpu {}
}
