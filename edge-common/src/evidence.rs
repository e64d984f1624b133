//! What the shield reports of the packets it drops: a sample, in a ring.

use crate::{Family, SourceKey, Verdict};

/// Bytes of the ring; a power of two and whole pages. More than a thousand reports, which take four
/// CPUs that drop for every reason at once the better part of a second.
pub const EVIDENCE_BYTES: u32 = 65_536;

/// Reports a CPU makes of one verdict in a second, on average.
pub const EVIDENCE_PER_SEC: u32 = 16;

/// Reports a CPU makes of one verdict at once.
pub const EVIDENCE_BURST: u32 = 8;

/// A dropped packet.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Evidence {
    /// When, in `CLOCK_MONOTONIC` nanoseconds as of the kernel's last tick.
    pub at_ns: u64,
    /// Who it said it was from; IPv6 cut to the prefix that is counted.
    pub source: SourceKey,
    /// The guarded port it was for; 0 when it was hidden.
    pub port: u16,
    verdict: u8,
    family: u8,
    /// The number of the transport protocol: 6 is TCP, 17 UDP, 0 hidden.
    pub protocol: u8,
    watched: u8,
    reserved: [u8; 2],
}

const _: () = assert!(size_of::<Evidence>() == 32 && align_of::<Evidence>() == 8);

impl Evidence {
    /// A report; `watched` says that the packet passed because the shield only watches.
    #[inline(always)]
    pub const fn new(
        at_ns: u64,
        source: SourceKey,
        verdict: Verdict,
        family: Family,
        (protocol, port): (u8, u16),
        watched: bool,
    ) -> Evidence {
        Evidence {
            at_ns,
            source,
            port,
            verdict: verdict as u8,
            family: family as u8,
            protocol,
            watched: watched as u8,
            reserved: [0; 2],
        }
    }

    /// Why it was dropped; `None` when another version of the program wrote it.
    pub const fn verdict(&self) -> Option<Verdict> {
        Verdict::from_number(self.verdict)
    }

    /// The network protocol; `None` as above.
    pub const fn family(&self) -> Option<Family> {
        Family::from_number(self.family)
    }

    /// Whether it passed nevertheless, because the shield only watches.
    pub const fn watched(&self) -> bool {
        self.watched != 0
    }
}

#[cfg(feature = "user")]
mod pod {
    #![allow(unsafe_code, reason = "aya::Pod is an unsafe trait")]

    // SAFETY: repr(C), no padding, every bit pattern valid.
    unsafe impl aya::Pod for super::Evidence {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_says_what_was_put_in() {
        let source = SourceKey::from_v4([192, 0, 2, 1]);
        let report = Evidence::new(7, source, Verdict::Denied, Family::V4, (6, 443), true);
        assert_eq!(report.verdict(), Some(Verdict::Denied));
        assert_eq!(report.family(), Some(Family::V4));
        assert_eq!((report.protocol, report.port), (6, 443));
        assert!(report.watched());
        let other = Evidence {
            verdict: 200,
            family: 9,
            ..report
        };
        assert_eq!((other.verdict(), other.family()), (None, None));
    }
}
