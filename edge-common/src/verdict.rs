//! What the shield decided on a packet, and how the decisions are counted.

/// A decision, in the order of the counters.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// To a guarded port, within the limits: passed.
    Passed,
    /// To no guarded port, or neither TCP nor UDP: passed untouched.
    Unguarded,
    /// A later fragment, which carries no ports: passed. The datagram cannot be put together if its
    /// first fragment was dropped.
    Fragment,
    /// Not understood, and not known to be for a guarded port: passed.
    Unparsed,
    /// To a guarded port with a header that is cut off or impossible: dropped.
    Malformed,
    /// From a banned source: dropped.
    Banned,
    /// More packets than the source may send: dropped.
    PacketRate,
    /// More connection attempts than the source may make: dropped.
    ConnectionRate,
}

impl Verdict {
    /// All of them, in order.
    pub const ALL: [Verdict; 8] = [
        Verdict::Passed,
        Verdict::Unguarded,
        Verdict::Fragment,
        Verdict::Unparsed,
        Verdict::Malformed,
        Verdict::Banned,
        Verdict::PacketRate,
        Verdict::ConnectionRate,
    ];

    /// The name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Unguarded => "unguarded",
            Verdict::Fragment => "fragment",
            Verdict::Unparsed => "unparsed",
            Verdict::Malformed => "malformed",
            Verdict::Banned => "banned",
            Verdict::PacketRate => "packet_rate",
            Verdict::ConnectionRate => "connection_rate",
        }
    }

    /// Whether the packet was dropped.
    #[inline(always)]
    pub const fn dropped(self) -> bool {
        matches!(
            self,
            Verdict::Malformed | Verdict::Banned | Verdict::PacketRate | Verdict::ConnectionRate
        )
    }

    /// Where decisions of this kind on packets of a family are counted.
    #[inline(always)]
    pub const fn counter(self, family: Family) -> u32 {
        self as u32 * Family::ALL.len() as u32 + family as u32
    }
}

/// The network protocol of a packet.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
    /// Neither (ARP, ...), or not known.
    Other,
}

impl Family {
    /// All of them, in order.
    pub const ALL: [Family; 3] = [Family::V4, Family::V6, Family::Other];

    /// The name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Family::V4 => "ipv4",
            Family::V6 => "ipv6",
            Family::Other => "other",
        }
    }
}

/// Entries of the per-CPU counter map: one `u64` of packets for each verdict and family.
pub const COUNTERS: u32 = Verdict::ALL.len() as u32 * Family::ALL.len() as u32;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_verdict_and_family_has_its_own_counter() {
        let mut expected = 0;
        for verdict in Verdict::ALL {
            for family in Family::ALL {
                assert_eq!(verdict.counter(family), expected, "{verdict:?} {family:?}");
                expected += 1;
            }
        }
        assert_eq!(expected, COUNTERS);
    }
}
