//! Building frames, layer by layer from the inside out.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

pub(super) const TCP: u8 = 6;
pub(super) const UDP: u8 = 17;

pub(super) const HOP_BY_HOP: u8 = 0;
pub(super) const ROUTING: u8 = 43;
pub(super) const FRAGMENT: u8 = 44;
pub(super) const ESP: u8 = 50;
pub(super) const AUTHENTICATION: u8 = 51;
pub(super) const NO_NEXT: u8 = 59;
pub(super) const DESTINATION: u8 = 60;

pub(super) const FIN: u8 = 0x01;
pub(super) const SYN: u8 = 0x02;
pub(super) const RST: u8 = 0x04;
pub(super) const ACK: u8 = 0x10;

/// A TCP header without options.
pub(super) fn tcp(port: u16, flags: u8) -> Vec<u8> {
    let mut bytes = vec![0; 20];
    bytes[0..2].copy_from_slice(&50_000u16.to_be_bytes());
    bytes[2..4].copy_from_slice(&port.to_be_bytes());
    bytes[12] = 5 << 4;
    bytes[13] = flags;
    bytes
}

/// A UDP datagram.
pub(super) fn udp(port: u16, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    bytes[0..2].copy_from_slice(&50_000u16.to_be_bytes());
    bytes[2..4].copy_from_slice(&port.to_be_bytes());
    bytes[4..6].copy_from_slice(&(8 + payload.len() as u16).to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The beginning of a QUIC long header (RFC 8999 §5.1), its type in the two bits below the top.
pub(super) fn quic_long(version: u32, kind: u8) -> Vec<u8> {
    let mut bytes = vec![0xc0 | kind << 4];
    bytes.extend(version.to_be_bytes());
    bytes.resize(1200, 0);
    bytes
}

/// An IPv4 packet with options of `words` times four bytes and a fragment field as it stands in
/// the header.
pub(super) fn ipv4(
    source: Ipv4Addr,
    protocol: u8,
    words: u8,
    fragment: u16,
    payload: &[u8],
) -> Vec<u8> {
    let header = 20 + usize::from(words) * 4;
    let mut bytes = vec![1; header]; // Option 1: no operation.
    bytes[0] = 0x40 | (5 + words);
    bytes[1] = 0;
    bytes[2..4].copy_from_slice(&((header + payload.len()) as u16).to_be_bytes());
    bytes[6..8].copy_from_slice(&fragment.to_be_bytes());
    bytes[8] = 64;
    bytes[9] = protocol;
    bytes[10..12].fill(0);
    bytes[12..16].copy_from_slice(&source.octets());
    bytes[16..20].copy_from_slice(&[192, 0, 2, 1]);
    let checksum = checksum(&bytes);
    bytes[10..12].copy_from_slice(&checksum.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The Internet checksum (RFC 1071) of whole words, and of a last byte.
pub(super) fn checksum(bytes: &[u8]) -> u16 {
    let words = bytes.chunks(2);
    let sum: u32 = words
        .map(|word| u32::from(word[0]) << 8 | word.get(1).map_or(0, |low| u32::from(*low)))
        .sum();
    let folded = (sum >> 16) + (sum & 0xffff);
    !((folded >> 16) + folded) as u16
}

/// An IPv6 packet whose payload begins with a header of the kind `next`.
pub(super) fn ipv6(source: Ipv6Addr, next: u8, payload: &[u8]) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    bytes[0] = 0x60;
    bytes[4..6].copy_from_slice(&(payload.len() as u16).to_be_bytes());
    bytes[6] = next;
    bytes[7] = 64;
    bytes.extend(source.octets());
    bytes.extend("2001:db8:ffff::1".parse::<Ipv6Addr>().unwrap().octets());
    bytes.extend(payload);
    bytes
}

/// An IPv6 packet with a chain of extension headers, in this order, before the transport header.
pub(super) fn ipv6_chain(
    source: Ipv6Addr,
    extensions: &[(u8, Vec<u8>)],
    protocol: u8,
    payload: &[u8],
) -> Vec<u8> {
    let mut bytes = payload.to_vec();
    let mut next = protocol;
    for (kind, body) in extensions.iter().rev() {
        let mut header = body.clone();
        header[0] = next;
        header.extend(bytes);
        (next, bytes) = (*kind, header);
    }
    ipv6(source, next, &bytes)
}

/// The body of an extension header with a length field (hop-by-hop, destination, routing).
pub(super) fn extension(length_field: u8) -> Vec<u8> {
    let mut bytes = vec![0; (usize::from(length_field) + 1) * 8];
    bytes[1] = length_field;
    bytes
}

/// The body of an authentication header (RFC 4302 §2.2).
pub(super) fn authentication(length_field: u8) -> Vec<u8> {
    let mut bytes = vec![0; (usize::from(length_field) + 2) * 4];
    bytes[1] = length_field;
    bytes
}

/// The body of a fragment header: offset in units of eight bytes, and whether more follow.
pub(super) fn fragment(offset: u16, more: bool) -> Vec<u8> {
    let mut bytes = vec![0; 8];
    bytes[2..4].copy_from_slice(&(offset << 3 | u16::from(more)).to_be_bytes());
    bytes
}

/// An Ethernet frame around an IP packet.
pub(super) fn ethernet(packet: &[u8]) -> Vec<u8> {
    vlan(&[], packet)
}

/// An Ethernet frame with VLAN tags, each given by its protocol number.
pub(super) fn vlan(tags: &[u16], packet: &[u8]) -> Vec<u8> {
    let mut bytes = vec![2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2];
    for tag in tags {
        bytes.extend(tag.to_be_bytes());
        bytes.extend(7u16.to_be_bytes());
    }
    let kind: u16 = if packet[0] >> 4 == 6 { 0x86dd } else { 0x0800 };
    bytes.extend(kind.to_be_bytes());
    bytes.extend(packet);
    bytes
}

/// A whole frame from an address of either family.
pub(super) fn from(source: &str, protocol: u8, payload: &[u8]) -> Vec<u8> {
    ethernet(&match source.parse().unwrap() {
        IpAddr::V4(source) => ipv4(source, protocol, 0, 0, payload),
        IpAddr::V6(source) => ipv6(source, protocol, payload),
    })
}
