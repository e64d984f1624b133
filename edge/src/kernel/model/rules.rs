//! What the model goes by.

use std::collections::HashSet;
use std::net::{IpAddr, Ipv6Addr};

/// The rules in force.
#[derive(Clone, Debug, Default)]
pub(crate) struct Rules {
    /// TCP ports that may be touched.
    pub(crate) tcp: HashSet<u16>,
    /// UDP ports that may be touched.
    pub(crate) udp: HashSet<u16>,
    /// Bits by which IPv6 sources are told apart.
    pub(crate) ipv6_prefix: u8,
    /// Who is let in whatever else is said.
    pub(crate) allow: Vec<Network>,
    /// Who is not.
    pub(crate) deny: Vec<Network>,
    /// Who is banned, as sources are counted.
    pub(crate) banned: HashSet<IpAddr>,
    /// Nobody but the allow list.
    pub(crate) only: bool,
    /// First fragments are dropped.
    pub(crate) drop_fragments: bool,
    /// Packets a source may send.
    pub(crate) packets: Option<u32>,
    /// TCP connections it may ask for.
    pub(crate) connections: Option<u32>,
    /// QUIC connections it may ask for.
    pub(crate) initials: Option<u32>,
    /// Connections all may ask for.
    pub(crate) new_connections: Option<u32>,
    /// Initials of unknown versions that are let through.
    pub(crate) versions: u32,
    /// Who has completed a handshake, as sources are counted.
    pub(crate) known: HashSet<IpAddr>,
}

impl Rules {
    /// What a source is counted as: an IPv6 address as its prefix.
    pub(crate) fn counted_as(&self, source: IpAddr) -> IpAddr {
        match source {
            IpAddr::V4(_) => source,
            IpAddr::V6(v6) => {
                let mut octets = v6.octets();
                for bit in usize::from(self.ipv6_prefix)..128 {
                    octets[bit / 8] &= !(0x80 >> (bit % 8));
                }
                // An IPv4-mapped address off the wire is still IPv6, but is counted as IPv4.
                Ipv6Addr::from(octets).to_canonical()
            }
        }
    }
}

/// A network.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Network {
    /// An address in it.
    pub(crate) addr: IpAddr,
    /// How many leading bits count.
    pub(crate) prefix: u8,
}

impl Network {
    /// Whether an address is in it.
    pub(crate) fn has(&self, addr: IpAddr) -> bool {
        let bits = |addr: IpAddr| -> Vec<bool> {
            let octets = match addr {
                IpAddr::V4(v4) => v4.octets().to_vec(),
                IpAddr::V6(v6) => v6.octets().to_vec(),
            };
            let bits = octets
                .iter()
                .flat_map(|octet| (0..8).map(move |bit| octet & (0x80 >> bit) != 0));
            bits.collect()
        };
        let (own, other) = (bits(self.addr), bits(addr));
        own.len() == other.len()
            && own
                .iter()
                .zip(&other)
                .take(self.prefix.into())
                .all(|(a, b)| a == b)
    }
}
