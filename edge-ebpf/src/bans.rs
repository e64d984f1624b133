//! The ban table, as the program reads it. Expired entries let through; the proxy removes them.

use core::intrinsics::{AtomicOrdering, atomic_xchg};

use edge_common::{BanSeen, Cpu, SourceKey, ban_filter, ban_place};

use crate::clock;
use crate::maps::{BAN_FILTER, BANS, BANS_CHANGED, BANS_SEEN};

/// Whether a source is banned now. Nearly none is, and the filters say so at a fifth of the price.
#[inline(always)]
pub(crate) fn hold(source: &SourceKey, cpu: &mut Cpu) -> bool {
    let [coarse, fine] = ban_filter(source);
    if !is_set(coarse) || !is_set(fine) {
        return false;
    }
    let (Some(seen), Some(changes)) = (
        BANS_SEEN.get_ptr_mut(ban_place(source)),
        BANS_CHANGED.get_ptr_mut(0),
    ) else {
        return false; // Both indices are in bounds: cannot happen.
    };
    // SAFETY: this CPU's own, and XDP programs do not interrupt each other on a CPU.
    let seen = unsafe { &mut *seen };
    // SAFETY: an aligned u64 of a map value; volatile because the proxy writes it.
    let changes = unsafe { changes.read_volatile() };
    if seen.source == *source && seen.changes == changes {
        return seen.expires_ns != 0 && clock::monotonic(cpu) < seen.expires_ns;
    }
    // The table is looked up after that number was read: what is found there has not changed by
    // then. An atomic exchange keeps the order on every machine.
    // SAFETY: an aligned u64 of a map value.
    unsafe { atomic_xchg::<u64, { AtomicOrdering::SeqCst }>(&raw mut seen.expires_ns, 0) };
    // SAFETY: the program never writes to this map, and an entry that user space removes stays
    // readable until the program is done (RCU; without preallocation it is not reused before).
    let ban = unsafe { BANS.get(source) };
    let expires_ns = ban.map_or(0, |ban| ban.expires_ns);
    *seen = BanSeen {
        source: *source,
        expires_ns,
        changes,
    };
    expires_ns != 0 && clock::monotonic(cpu) < expires_ns
}

#[inline(always)]
fn is_set((word, bit): (u32, u64)) -> bool {
    BAN_FILTER.get(word).is_some_and(|word| word & bit != 0)
}
