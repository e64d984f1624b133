//! The ban table, as the program reads it. Expired entries let through; the proxy removes them.

use edge_common::SourceKey;

use crate::clock;
use crate::maps::BANS;

/// Whether a source is banned now.
#[inline(always)]
pub(crate) fn hold(source: &SourceKey) -> bool {
    // SAFETY: the program never writes to this map, and an entry that user space removes stays
    // readable until the program is done (RCU; without preallocation it is not reused before).
    match unsafe { BANS.get(source) } {
        Some(ban) => ban.holds(clock::monotonic()),
        None => false,
    }
}
