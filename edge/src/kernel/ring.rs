//! Reading the ring of evidence.

use aya::maps::{MapData, RingBuf};
use edge_common::Evidence;

/// Reports taken out at once: as many as the ring holds.
const REPORTS_MAX: usize = 2048;

/// Takes reports out of the ring.
pub(super) fn drain(ring: &mut RingBuf<MapData>) -> Vec<Evidence> {
    let mut reports = Vec::new();
    while reports.len() < REPORTS_MAX {
        let Some(item) = ring.next() else { break };
        if item.len() == size_of::<Evidence>() {
            // SAFETY: of this length, and every bit pattern is valid; the ring aligns to 8 bytes but
            // nothing relies on it.
            reports.push(unsafe { item.as_ptr().cast::<Evidence>().read_unaligned() });
        }
    }
    reports
}
