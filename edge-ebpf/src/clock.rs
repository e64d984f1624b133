//! `CLOCK_MONOTONIC`, the clock of user space's [`edge::clock`](../edge/clock/index.html).

use aya_ebpf::helpers::{bpf_ktime_get_coarse_ns, bpf_ktime_get_ns};
use edge_common::ShieldFlags;

/// Nanoseconds since boot: as of the last tick (1 to 10 ms old, a memory read), or as of now (a
/// read of the hardware clock) where a limit is so fine that a tick would show.
///
/// With the coarse clock a source can get one tick's worth of its rate on top of its burst, no more.
#[inline(always)]
pub(crate) fn now(flags: ShieldFlags) -> u64 {
    if flags.any(ShieldFlags::PRECISE_CLOCK) {
        // SAFETY: no arguments, no preconditions.
        unsafe { bpf_ktime_get_ns() }
    } else {
        // SAFETY: no arguments, no preconditions.
        unsafe { bpf_ktime_get_coarse_ns() }
    }
}
