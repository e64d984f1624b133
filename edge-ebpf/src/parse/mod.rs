//! From bytes to what the shield decides on: Ethernet, then IPv4 or IPv6, then TCP or UDP.

mod ethernet;
mod ipv4;
mod ipv6;
mod shape;
mod transport;

pub(crate) use ethernet::segment;
pub(crate) use shape::{Opens, opens};
pub(crate) use transport::port;

use edge_common::{Family, SourceKey, Verdict};

use super::packet::Packet;

/// A TCP segment or UDP datagram, or the first fragment of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    /// Of the network header.
    pub(crate) family: Family,
    /// Who it says it is from: the address, as a [`SourceKey`] holds it but whole.
    pub(crate) address: [u64; 2],
    /// The same, as it is counted and banned.
    pub(crate) source: SourceKey,
    /// Whether more fragments follow.
    pub(crate) is_first_fragment: bool,
    /// Of the transport header.
    pub(crate) protocol: Protocol,
    /// The packet from its transport header on.
    pub(crate) payload: Packet<'a>,
}

/// The protocols whose ports can be guarded.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Protocol {
    Tcp,
    Udp,
    /// Behind more IPv6 extension headers than are followed, or than are in the first fragment.
    Hidden,
}

impl Protocol {
    /// Its number in IP headers; 0 when hidden.
    #[inline(always)]
    pub(crate) fn number(self) -> u8 {
        match self {
            Protocol::Tcp => TCP,
            Protocol::Udp => UDP,
            Protocol::Hidden => 0,
        }
    }
}

/// Why a packet is none of the shield's business: decided while parsing.
type Aside = (Verdict, Family);

const TCP: u8 = 6;
const UDP: u8 = 17;

#[cfg(test)]
mod tests {
    use edge_common::{Ipv6Mask, PortSet, ShieldConfig};
    use proptest::prelude::*;

    use super::*;

    fn config() -> ShieldConfig {
        let mut tcp = PortSet::EMPTY;
        tcp.insert(443);
        ShieldConfig {
            tcp,
            udp: tcp,
            ..ShieldConfig::default()
        }
    }

    fn parse(frame: &[u8]) -> (Verdict, Family) {
        match segment(frame.into(), &Ipv6Mask::default()) {
            Ok(segment) => {
                let config = config();
                let looked = port(&segment, &config).and_then(|_| opens(&segment, &config));
                let verdict = looked.map_or_else(|verdict| verdict, |_| Verdict::Passed);
                (verdict, segment.family)
            }
            Err(aside) => aside,
        }
    }

    /// An IPv4 frame with a TCP header to this port.
    fn frame(port: u16) -> Vec<u8> {
        let mut bytes = vec![0; 14 + 20 + 20];
        bytes[12] = 0x08;
        bytes[14] = 0x45;
        bytes[17] = 40;
        bytes[23] = TCP;
        bytes[35] = 99;
        bytes[36..38].copy_from_slice(&port.to_be_bytes());
        bytes[46] = 5 << 4;
        bytes[47] = 0x02;
        bytes
    }

    #[test]
    fn frames_shorter_than_a_header_pass() {
        for length in 0..14 {
            let frame = &frame(443)[..length];
            assert_eq!(parse(frame), (Verdict::Unparsed, Family::Other), "{length}");
        }
        assert_eq!(parse(&frame(443)), (Verdict::Passed, Family::V4));
        assert_eq!(parse(&frame(22)), (Verdict::Unguarded, Family::V4));
    }

    proptest! {
        // Reads outside of the frame are undefined; an address sanitizer or Miri would tell.
        #[test]
        fn any_bytes_can_be_parsed(
            mut bytes in prop::collection::vec(any::<u8>(), 0..200),
            ether_type in prop::sample::select(vec![0x0800u16, 0x86dd, 0x8100, 0x88a8]),
            inner in prop::sample::select(vec![0x0800u16, 0x86dd]),
            version in prop::sample::select(vec![0x45u8, 0x4f, 0x60]),
            next in prop::sample::select(vec![0u8, 6, 17, 43, 44, 51, 60]),
        ) {
            if bytes.len() > 60 {
                bytes[12..14].copy_from_slice(&ether_type.to_be_bytes());
                bytes[16..18].copy_from_slice(&inner.to_be_bytes());
                for at in [14, 18] {
                    bytes[at] = version;
                    bytes[at + 6] = next;
                }
            }
            let (verdict, _) = parse(&bytes);
            use Verdict::{Malformed, ShortInitial, TcpFlags, ZeroPort};
            prop_assert!(!verdict.dropped() || [Malformed, ShortInitial, TcpFlags, ZeroPort].contains(&verdict));
        }

        #[test]
        fn a_frame_to_another_port_is_never_dropped(
            port in (0u16..=u16::MAX).prop_filter("guarded", |port| *port != 443),
            noise in prop::collection::vec((38usize..54, any::<u8>()), 0..8),
            length in 0usize..=54,
        ) {
            let mut frame = frame(port);
            for (at, byte) in noise {
                frame[at] = byte;
            }
            prop_assert!(!parse(&frame[..length]).0.dropped());
        }
    }
}
