//! The ban table, as the program reads it. Expired entries let through; the proxy removes them.

use edge_common::{Cpu, SourceKey, ban_filter};

use crate::clock;
use crate::maps::{BAN_FILTER, BANS};

/// Whether a source is banned now. Nearly none is, and the filter says so at a fifth of the price.
#[inline(always)]
pub(crate) fn hold(source: &SourceKey, cpu: &mut Cpu) -> bool {
    let (word, bit) = ban_filter(source);
    match BAN_FILTER.get(word) {
        Some(word) if word & bit != 0 => {}
        _ => return false,
    }
    // SAFETY: the program never writes to this map, and an entry that user space removes stays
    // readable until the program is done (RCU; without preallocation it is not reused before).
    match unsafe { BANS.get(source) } {
        Some(ban) => ban.holds(clock::monotonic(cpu)),
        None => false,
    }
}
