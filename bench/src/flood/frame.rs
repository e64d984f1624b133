//! The frames of a flood: right in every checksum, so that what is let through costs the receiver
//! what a real packet would.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use clap::ValueEnum;

/// What the packets are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Kind {
    /// TCP connection attempts.
    Syn,
    /// UDP datagrams of 18 bytes.
    Udp,
}

const TCP: u8 = 6;
const UDP: u8 = 17;

/// IPv4 sources are taken from 198.18.0.0/15, the network for measurements (RFC 2544).
pub(super) const SOURCES_MAX: u32 = 1 << 17;

/// The source of this number; in IPv6 each has a /64 of its own, of 2001:2::/48 (RFC 5180).
pub(super) fn source(number: u32, to: IpAddr) -> IpAddr {
    match to {
        IpAddr::V4(_) => Ipv4Addr::from_bits((198 << 24 | 18 << 16) + number).into(),
        // The /48 has room for 65 536; the rest differ in the interface part.
        IpAddr::V6(_) => {
            let [high, low] = [number & 0xffff, number >> 16];
            Ipv6Addr::new(0x2001, 2, 0, high as u16, 0, 0, low as u16, 1).into()
        }
    }
}

/// A frame to `to`, from a source and a source port.
pub(crate) fn frame(kind: Kind, macs: [[u8; 6]; 2], from: SocketAddr, to: SocketAddr) -> Vec<u8> {
    let [to_mac, from_mac] = macs;
    let (protocol, mut segment) = match kind {
        Kind::Syn => (TCP, tcp_syn(from.port(), to.port())),
        Kind::Udp => (UDP, udp(from.port(), to.port())),
    };
    let sum = pseudo_sum(from.ip(), to.ip(), protocol, segment.len());
    let checksum = fold(sum + words(&segment));
    let checksum_at = if kind == Kind::Syn { 16 } else { 6 };
    segment[checksum_at..checksum_at + 2].copy_from_slice(&checksum.to_be_bytes());

    let (ether_type, header): (u16, _) = match (from.ip(), to.ip()) {
        (IpAddr::V4(from), IpAddr::V4(to)) => (0x0800, ipv4(from, to, protocol, segment.len())),
        (from, to) => (0x86dd, ipv6(from, to, protocol, segment.len())),
    };
    [
        &to_mac[..],
        &from_mac,
        &ether_type.to_be_bytes(),
        &header,
        &segment,
    ]
    .concat()
}

fn tcp_syn(from: u16, to: u16) -> Vec<u8> {
    let mut bytes = vec![0; 20];
    bytes[0..2].copy_from_slice(&from.to_be_bytes());
    bytes[2..4].copy_from_slice(&to.to_be_bytes());
    bytes[12] = 5 << 4;
    bytes[13] = 0x02;
    bytes[14..16].copy_from_slice(&u16::MAX.to_be_bytes());
    bytes
}

fn udp(from: u16, to: u16) -> Vec<u8> {
    let mut bytes = vec![0; 8 + 18];
    bytes[0..2].copy_from_slice(&from.to_be_bytes());
    bytes[2..4].copy_from_slice(&to.to_be_bytes());
    bytes[5] = 8 + 18;
    bytes
}

fn ipv4(from: Ipv4Addr, to: Ipv4Addr, protocol: u8, payload: usize) -> Vec<u8> {
    let mut bytes = vec![0; 20];
    bytes[0] = 0x45;
    bytes[2..4].copy_from_slice(&((20 + payload) as u16).to_be_bytes());
    bytes[6] = 0x40; // Don't fragment.
    bytes[8] = 64;
    bytes[9] = protocol;
    bytes[12..16].copy_from_slice(&from.octets());
    bytes[16..20].copy_from_slice(&to.octets());
    let checksum = fold(words(&bytes));
    bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
    bytes
}

fn ipv6(from: IpAddr, to: IpAddr, next: u8, payload: usize) -> Vec<u8> {
    let mut bytes = vec![0x60, 0, 0, 0];
    bytes.extend((payload as u16).to_be_bytes());
    bytes.extend([next, 64]);
    bytes.extend(octets(from));
    bytes.extend(octets(to));
    bytes
}

fn octets(addr: IpAddr) -> Vec<u8> {
    match addr {
        IpAddr::V4(v4) => v4.octets().to_vec(),
        IpAddr::V6(v6) => v6.octets().to_vec(),
    }
}

/// RFC 9293 §3.1 and RFC 8200 §8.1.
fn pseudo_sum(from: IpAddr, to: IpAddr, protocol: u8, length: usize) -> u32 {
    words(&octets(from)) + words(&octets(to)) + u32::from(protocol) + length as u32
}

/// The sum of 16-bit words.
fn words(bytes: &[u8]) -> u32 {
    bytes
        .chunks(2)
        .map(|word| {
            u32::from(u16::from_be_bytes([
                word[0],
                word.get(1).copied().unwrap_or(0),
            ]))
        })
        .sum()
}

/// RFC 1071.
fn fold(sum: u32) -> u16 {
    let folded = (sum & 0xffff) + (sum >> 16);
    !((folded & 0xffff) + (folded >> 16)) as u16
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn checksums_verify() {
        for (to, network) in [("10.0.0.1", 20), ("fd00::1", 40)] {
            let to: IpAddr = to.parse().unwrap();
            for kind in [Kind::Syn, Kind::Udp] {
                let from = source(77, to);
                let ends = [SocketAddr::new(from, 4000), SocketAddr::new(to, 443)];
                let frame = frame(kind, [[2; 6], [4; 6]], ends[0], ends[1]);
                let (header, segment) = frame[14..].split_at(network);
                if to.is_ipv4() {
                    assert_eq!(fold(words(header)), 0, "{kind:?} {to}");
                }
                let protocol = if kind == Kind::Syn { TCP } else { UDP };
                let sum = pseudo_sum(from, to, protocol, segment.len()) + words(segment);
                assert_eq!(fold(sum), 0, "{kind:?} {to}");
            }
        }
    }

    #[test]
    fn every_source_is_another() {
        for to in ["10.0.0.1", "fd00::1"] {
            let to = to.parse().unwrap();
            let sources: HashSet<IpAddr> =
                (0..SOURCES_MAX).map(|number| source(number, to)).collect();
            assert_eq!(sources.len(), SOURCES_MAX as usize);
        }
    }
}
