//! The limits per source: how many packets, how many connection attempts.
//!
//! The source of a packet may be forged, so that the excess is dropped and nothing else happens:
//! banning is left to evidence from finished handshakes. A flood of forged sources turns the table
//! over and gives everybody a fresh burst; nobody honest is dropped for it.

use core::intrinsics::{AtomicOrdering, atomic_cxchg};

use aya_ebpf::bindings::BPF_NOEXIST;
use edge_common::{Gcra, ShieldConfig, ShieldFlags, SourceKey, SourceState, Verdict};

use crate::clock;
use crate::maps::SOURCES;

/// Times the state is read again because another CPU changed it between reading and writing. Each
/// of those times a packet of the same source was admitted; who loses so often is over the limit.
const ATTEMPTS_MAX: usize = 8;

/// Counts a packet to a guarded port against its source.
#[inline(always)]
pub(crate) fn admit(config: &ShieldConfig, source: &SourceKey, opens: bool) -> Verdict {
    let packets = config.flags.any(ShieldFlags::PACKETS);
    let connections = opens && config.flags.any(ShieldFlags::CONNECTIONS);
    if !packets && !connections {
        return Verdict::Passed;
    }
    let now = clock::now(config.flags);

    let Some(state) = SOURCES.get_ptr_mut(source).or_else(|| {
        let fresh = SourceState::default();
        // Fails if another CPU was first, which is as good.
        let _ = SOURCES.insert(source, fresh, u64::from(BPF_NOEXIST));
        SOURCES.get_ptr_mut(source)
    }) else {
        return Verdict::Passed; // The table has no free entry at this very moment.
    };
    // SAFETY: both fields are inside the map value the kernel returned. If the entry is evicted
    // meanwhile its memory stays a map value of this type: at worst the wrong source is charged.
    let (packets_tat, connections_tat) = unsafe {
        (
            &raw mut (*state).packets_tat,
            &raw mut (*state).connections_tat,
        )
    };

    // SAFETY (both): as above.
    if packets && !unsafe { charge(&config.packets, packets_tat, now) } {
        return Verdict::PacketRate;
    }
    if connections && !unsafe { charge(&config.connections, connections_tat, now) } {
        return Verdict::ConnectionRate;
    }
    Verdict::Passed
}

/// Takes one admission out of a state, if there is one.
///
/// # Safety
///
/// `tat` is an aligned `u64` of a map value.
#[inline(always)]
unsafe fn charge(gcra: &Gcra, tat: *mut u64, now: u64) -> bool {
    // SAFETY: the caller's promise; volatile because other CPUs write it.
    let mut seen = unsafe { tat.read_volatile() };
    for _ in 0..ATTEMPTS_MAX {
        let Ok(next) = gcra.admit(seen, now) else {
            return false;
        };
        // SAFETY: the caller's promise.
        let (found, swapped) = unsafe {
            atomic_cxchg::<u64, { AtomicOrdering::SeqCst }, { AtomicOrdering::SeqCst }>(
                tat, seen, next,
            )
        };
        if swapped {
            return true;
        }
        seen = found;
    }
    false
}
