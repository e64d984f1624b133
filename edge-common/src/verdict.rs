//! What the shield decided on a packet, and how the decisions are counted.

/// A decision, in the order of the counters.
#[repr(u8)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Verdict {
    /// To a guarded port, within the limits: passed.
    Passed,
    /// To a guarded port from an address on the allow list: passed without any further look.
    Allowed,
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
    /// From an address on the deny list: dropped.
    Denied,
    /// Not from the allow list, and nobody else is let in: dropped.
    NotAllowed,
    /// The first fragment of a datagram, where fragments are not wanted: dropped.
    FragmentRefused,
    /// TCP flags that no TCP sends together: dropped.
    TcpFlags,
    /// From port 0, which nobody can answer: dropped.
    ZeroPort,
    /// A QUIC Initial in a datagram shorter than an Initial may be: dropped.
    ShortInitial,
    /// A QUIC version nobody speaks, more often than is answered: dropped.
    QuicVersion,
    /// More packets than the source may send: dropped.
    PacketRate,
    /// More connection attempts over TCP than the source may make: dropped.
    ConnectionRate,
    /// More connection attempts over QUIC than the source may make: dropped.
    InitialRate,
    /// More connection attempts than everybody together may make, from a source that has never
    /// completed one: dropped.
    NewConnections,
}

/// How many verdicts there are.
pub const VERDICTS: usize = Verdict::ALL.len();

impl Verdict {
    /// All of them, in order.
    pub const ALL: [Verdict; 18] = [
        Verdict::Passed,
        Verdict::Allowed,
        Verdict::Unguarded,
        Verdict::Fragment,
        Verdict::Unparsed,
        Verdict::Malformed,
        Verdict::Banned,
        Verdict::Denied,
        Verdict::NotAllowed,
        Verdict::FragmentRefused,
        Verdict::TcpFlags,
        Verdict::ZeroPort,
        Verdict::ShortInitial,
        Verdict::QuicVersion,
        Verdict::PacketRate,
        Verdict::ConnectionRate,
        Verdict::InitialRate,
        Verdict::NewConnections,
    ];

    /// The name in metrics and logs.
    pub const fn name(self) -> &'static str {
        match self {
            Verdict::Passed => "passed",
            Verdict::Allowed => "allowed",
            Verdict::Unguarded => "unguarded",
            Verdict::Fragment => "fragment",
            Verdict::Unparsed => "unparsed",
            Verdict::Malformed => "malformed",
            Verdict::Banned => "banned",
            Verdict::Denied => "denied",
            Verdict::NotAllowed => "not_allowed",
            Verdict::FragmentRefused => "fragment_refused",
            Verdict::TcpFlags => "tcp_flags",
            Verdict::ZeroPort => "zero_port",
            Verdict::ShortInitial => "short_initial",
            Verdict::QuicVersion => "quic_version",
            Verdict::PacketRate => "packet_rate",
            Verdict::ConnectionRate => "connection_rate",
            Verdict::InitialRate => "initial_rate",
            Verdict::NewConnections => "new_connections",
        }
    }

    /// The verdict of a number, as [`Evidence`](crate::Evidence) carries it.
    pub const fn from_number(number: u8) -> Option<Verdict> {
        if (number as usize) < VERDICTS {
            Some(Verdict::ALL[number as usize])
        } else {
            None
        }
    }

    /// Whether the packet was dropped.
    #[inline(always)]
    pub const fn dropped(self) -> bool {
        self as u8 >= Verdict::Malformed as u8
    }

    /// Where decisions of this kind on packets of a family are counted.
    #[inline(always)]
    pub const fn counter(self, family: Family) -> usize {
        self as usize * Family::ALL.len() + family as usize
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

    /// The family of a number, as [`Evidence`](crate::Evidence) carries it.
    pub const fn from_number(number: u8) -> Option<Family> {
        if (number as usize) < Family::ALL.len() {
            Some(Family::ALL[number as usize])
        } else {
            None
        }
    }
}

/// Counters of packets: one for each verdict and family.
pub const COUNTERS: usize = VERDICTS * Family::ALL.len();

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

    #[test]
    fn numbers_and_verdicts_are_each_other_s() {
        for verdict in Verdict::ALL {
            assert_eq!(Verdict::from_number(verdict as u8), Some(verdict));
        }
        for family in Family::ALL {
            assert_eq!(Family::from_number(family as u8), Some(family));
        }
        assert_eq!(Verdict::from_number(VERDICTS as u8), None);
        assert_eq!(Family::from_number(3), None);
    }

    #[test]
    fn what_is_dropped_comes_last() {
        use Verdict::{Allowed, Fragment, Passed, Unguarded, Unparsed};
        for verdict in Verdict::ALL {
            let passes = [Passed, Allowed, Unguarded, Fragment, Unparsed].contains(&verdict);
            assert_eq!(verdict.dropped(), !passes, "{verdict:?}");
        }
    }
}
