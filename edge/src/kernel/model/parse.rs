//! From bytes to what the model decides on.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use edge_common::{Family, Verdict};

/// What became of a frame.
pub(super) enum Parsed<'a> {
    /// It is none of the shield's business.
    Aside(Verdict, Family),
    Packet(Packet<'a>),
}

pub(super) struct Packet<'a> {
    pub(super) family: Family,
    pub(super) source: IpAddr,
    pub(super) transport: Transport,
    /// Fragments follow.
    pub(super) is_first_fragment: bool,
    /// From the transport header on.
    pub(super) payload: &'a [u8],
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Transport {
    Tcp,
    Udp,
    Hidden,
}

/// What a packet asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Opening {
    Nothing,
    Tcp,
    Quic,
    QuicUnknown,
}

fn number(bytes: &[u8]) -> usize {
    bytes
        .iter()
        .fold(0, |sum, byte| sum * 256 + usize::from(*byte))
}

/// What comes after so many bytes; nothing if there are fewer.
fn after(bytes: &[u8], count: usize) -> &[u8] {
    bytes.get(count..).unwrap_or(&[])
}

pub(super) fn parse(frame: &[u8]) -> Parsed<'_> {
    if frame.len() < 14 {
        return Parsed::Aside(Verdict::Unparsed, Family::Other);
    }
    let mut kind = number(&frame[12..14]);
    let mut rest = &frame[14..];
    let mut tags = 0;
    while kind == 0x8100 || kind == 0x88a8 {
        tags += 1;
        if tags > 2 || rest.len() < 4 {
            return Parsed::Aside(Verdict::Unparsed, Family::Other);
        }
        kind = number(&rest[2..4]);
        rest = &rest[4..];
    }
    match kind {
        0x0800 => ipv4(rest),
        0x86dd => ipv6(rest),
        _ => Parsed::Aside(Verdict::Unguarded, Family::Other),
    }
}

fn ipv4(bytes: &[u8]) -> Parsed<'_> {
    let unparsed = Parsed::Aside(Verdict::Unparsed, Family::V4);
    if bytes.len() < 20 || bytes[0] / 16 != 4 {
        return unparsed;
    }
    let header = usize::from(bytes[0] % 16) * 4;
    if header < 20 || number(&bytes[2..4]) < header {
        return unparsed;
    }
    let transport = match bytes[9] {
        6 => Transport::Tcp,
        17 => Transport::Udp,
        _ => return Parsed::Aside(Verdict::Unguarded, Family::V4),
    };
    let fragment = number(&bytes[6..8]);
    if !fragment.is_multiple_of(0x2000) {
        return Parsed::Aside(Verdict::Fragment, Family::V4);
    }
    Parsed::Packet(Packet {
        family: Family::V4,
        source: Ipv4Addr::new(bytes[12], bytes[13], bytes[14], bytes[15]).into(),
        transport,
        is_first_fragment: fragment & 0x2000 > 0,
        payload: after(bytes, header),
    })
}

fn ipv6(bytes: &[u8]) -> Parsed<'_> {
    let unparsed = || Parsed::Aside(Verdict::Unparsed, Family::V6);
    if bytes.len() < 40 || bytes[0] / 16 != 6 {
        return unparsed();
    }
    let mut source = [0; 16];
    source.copy_from_slice(&bytes[8..24]);
    let mut packet = Packet {
        family: Family::V6,
        source: Ipv6Addr::from(source).into(),
        transport: Transport::Hidden,
        is_first_fragment: false,
        payload: &bytes[40..],
    };
    let mut kind = bytes[6];
    let mut headers = 0;
    loop {
        let length = match kind {
            6 => {
                packet.transport = Transport::Tcp;
                return Parsed::Packet(packet);
            }
            17 => {
                packet.transport = Transport::Udp;
                return Parsed::Packet(packet);
            }
            44 => 8,
            // The others are in the next fragment.
            0 | 43 | 51 | 60 if packet.payload.len() < 2 && packet.is_first_fragment => {
                return Parsed::Packet(packet);
            }
            0 | 43 | 51 | 60 if packet.payload.len() < 2 => return unparsed(),
            0 | 43 | 60 => 8 + 8 * usize::from(packet.payload[1]),
            51 => 8 + 4 * usize::from(packet.payload[1]),
            _ => return Parsed::Aside(Verdict::Unguarded, Family::V6),
        };
        if kind == 44 {
            if packet.payload.len() < 8 {
                return unparsed();
            }
            let field = number(&packet.payload[2..4]);
            if field >= 8 {
                return Parsed::Aside(Verdict::Fragment, Family::V6);
            }
            packet.is_first_fragment = packet.is_first_fragment || field % 2 == 1;
        }
        headers += 1;
        kind = packet.payload[0];
        packet.payload = after(packet.payload, length);
        // Nobody honest has more than eight.
        if headers == 9 {
            return Parsed::Packet(packet);
        }
    }
}

/// What a packet to a guarded port asks for, or why it is dropped.
pub(super) fn opening(packet: &Packet<'_>, drop_fragments: bool) -> Result<Opening, Verdict> {
    if number(&packet.payload[..2]) == 0 {
        return Err(Verdict::ZeroPort);
    }
    if packet.is_first_fragment && drop_fragments {
        return Err(Verdict::FragmentRefused);
    }
    match packet.transport {
        Transport::Tcp => tcp(packet.payload),
        _ => udp(packet.payload),
    }
}

fn tcp(bytes: &[u8]) -> Result<Opening, Verdict> {
    if bytes.len() < 20 {
        return Err(Verdict::Malformed);
    }
    let header = usize::from(bytes[12] / 16) * 4;
    if header < 20 || bytes.len() < header {
        return Err(Verdict::Malformed);
    }
    let flag = |bit: u8| bytes[13] & (1 << bit) != 0;
    let (fin, syn, rst, ack) = (flag(0), flag(1), flag(2), flag(4));
    let may_be = match (syn, rst, fin) {
        (true, false, false) => true,
        (false, true, false) => true,
        (false, false, _) => ack,
        _ => false,
    };
    if !may_be {
        return Err(Verdict::TcpFlags);
    }
    Ok(match syn && !ack {
        true => Opening::Tcp,
        false => Opening::Nothing,
    })
}

fn udp(bytes: &[u8]) -> Result<Opening, Verdict> {
    if bytes.len() < 8 || number(&bytes[4..6]) < 8 {
        return Err(Verdict::Malformed);
    }
    let datagram = number(&bytes[4..6]) - 8;
    let data = &bytes[8..];
    if data.first().is_none_or(|&first| first < 0x80) {
        return Ok(Opening::Nothing);
    }
    if data.len() < 5 || datagram < 7 {
        return Err(Verdict::Malformed);
    }
    let kind = data[0] / 16 % 4;
    let opening = match (number(&data[1..5]), kind) {
        (0, _) => Opening::Nothing,
        (1, 0) | (0x6b33_43cf, 1) => Opening::Quic,
        (1 | 0x6b33_43cf, _) => Opening::Nothing,
        _ => Opening::QuicUnknown,
    };
    if opening != Opening::Nothing && datagram < 1200 {
        return Err(Verdict::ShortInitial);
    }
    Ok(opening)
}
