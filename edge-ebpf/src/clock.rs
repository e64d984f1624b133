//! Time. Reading the clock is the dearest thing the program could do, so it is avoided.

use aya_ebpf::helpers::{bpf_jiffies64, bpf_ktime_get_coarse_ns, bpf_ktime_get_ns};
use edge_common::{Cpu, ShieldConfig, ShieldFlags};

/// Nanoseconds since an arbitrary point, for limits.
///
/// Counted in ticks of the kernel (1 to 10 ms), which the verifier turns into one read of memory.
/// With it a source can get one tick's worth of its rate on top of its burst, no more. A limit so
/// fine that the ticks would show takes the clock itself.
#[inline(always)]
pub(crate) fn now(config: &ShieldConfig) -> u64 {
    if config.flags.any(ShieldFlags::PRECISE_CLOCK) {
        // SAFETY: no arguments, no preconditions.
        unsafe { bpf_ktime_get_ns() }
    } else {
        ticks(config)
    }
}

/// The same, never finer than a tick.
#[inline(always)]
pub(crate) fn ticks(config: &ShieldConfig) -> u64 {
    jiffies().wrapping_mul(config.tick_ns)
}

/// `CLOCK_MONOTONIC` nanoseconds as of the last tick: what user space writes expiries in.
///
/// That clock stands still between two ticks, so it is read once in each.
#[inline(always)]
pub(crate) fn monotonic(cpu: &mut Cpu) -> u64 {
    let tick = jiffies();
    if cpu.tick != tick {
        cpu.tick = tick;
        // SAFETY: no arguments, no preconditions.
        cpu.monotonic_ns = unsafe { bpf_ktime_get_coarse_ns() };
    }
    cpu.monotonic_ns
}

#[inline(always)]
fn jiffies() -> u64 {
    // SAFETY: no arguments, no preconditions.
    unsafe { bpf_jiffies64() }
}
