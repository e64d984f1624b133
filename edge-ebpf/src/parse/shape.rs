//! What no honest host sends to a guarded port, and what asks for a connection.

use edge_common::{ShieldConfig, ShieldFlags, Verdict};

use super::{Packet, Protocol, Segment};

/// What a segment asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Opens {
    /// Nothing new.
    Nothing,
    /// A TCP connection.
    Connection,
    /// A QUIC connection.
    Initial,
    /// A QUIC connection in a version that is answered with those there are (RFC 9000 §6.1).
    UnknownVersion,
}

impl Opens {
    #[inline(always)]
    pub(crate) fn is_quic(self) -> bool {
        matches!(self, Opens::Initial | Opens::UnknownVersion)
    }
}

/// Looks at the transport header of a segment to a guarded port. `Err` is why it is dropped.
#[inline(always)]
pub(crate) fn opens(segment: &Segment<'_>, config: &ShieldConfig) -> Result<Opens, Verdict> {
    let [high, low] = *segment.payload.peek::<2>().ok_or(Verdict::Malformed)?;
    if high | low == 0 {
        return Err(Verdict::ZeroPort);
    }
    // QUIC forbids fragments (RFC 9000 §14), TCP fits its segments to the path.
    if segment.is_first_fragment && config.flags.any(ShieldFlags::NO_FRAGMENTS) {
        return Err(Verdict::FragmentRefused);
    }
    match segment.protocol {
        Protocol::Tcp => tcp(segment.payload),
        _ => udp(segment.payload),
    }
}

const FIN: u8 = 0x01;
const SYN: u8 = 0x02;
const RST: u8 = 0x04;
const PSH: u8 = 0x08;
const ACK: u8 = 0x10;
const URG: u8 = 0x20;

/// The combinations of the six flags that a TCP sends, a bit each. Every segment but the first and a
/// reset carries ACK, and what begins a connection does not end it (RFC 9293 §3.10.7). The flags
/// above these are about congestion and go with all of them.
const TCP_FLAGS: u64 = {
    let mut set = 0;
    let sent = [SYN, SYN | ACK, RST, RST | ACK, ACK, ACK | FIN];
    let with = [0, PSH, URG, PSH | URG];
    let mut i = 0;
    while i < sent.len() * with.len() {
        set |= 1 << (sent[i / with.len()] | with[i % with.len()]);
        i += 1;
    }
    set
};

/// A header that is not whole is dropped, in the first fragment of several too: splitting it is how
/// filters are evaded (RFC 1858 §3, RFC 7112 §5).
#[inline(always)]
fn tcp(packet: Packet<'_>) -> Result<Opens, Verdict> {
    let header = packet.peek::<20>().ok_or(Verdict::Malformed)?;
    let length = usize::from(header[12] >> 4) * 4;
    if length < 20 {
        return Err(Verdict::Malformed);
    }
    packet.skip(length).peek::<0>().ok_or(Verdict::Malformed)?;
    let flags = header[13];
    if TCP_FLAGS >> (flags & 0x3f) & 1 == 0 {
        return Err(Verdict::TcpFlags);
    }
    Ok(match flags & (SYN | ACK) == SYN {
        true => Opens::Connection,
        false => Opens::Nothing,
    })
}

/// A datagram with an Initial is at least so long (RFC 9000 §14.1), and one in a version to
/// negotiate has to be as well to be answered (§6.1).
const INITIAL_MIN: u16 = 1200;

#[inline(always)]
fn udp(packet: Packet<'_>) -> Result<Opens, Verdict> {
    const HEADER: u16 = 8;
    const LONG_HEADER: u8 = 0x80;
    /// In every version: the first byte, the version, two lengths of connection IDs (RFC 8999 §5.1).
    const LONG_HEADER_MIN: u16 = 7;
    const TYPE: u8 = 0x30;
    /// What comes from servers only (RFC 9000 §17.2.1).
    const VERSION_NEGOTIATION: u32 = 0;
    const VERSION_1: u32 = 1;
    const VERSION_2: u32 = 0x6b33_43cf;

    let header = packet.peek::<8>().ok_or(Verdict::Malformed)?;
    let length = u16::from_be_bytes([header[4], header[5]]);
    if length < HEADER {
        return Err(Verdict::Malformed);
    }
    let data = packet.skip(8);
    let Some(&[first, a, b, c, d]) = data.peek::<5>() else {
        return match data.peek::<1>() {
            Some([first]) if first & LONG_HEADER != 0 => Err(Verdict::Malformed),
            _ => Ok(Opens::Nothing),
        };
    };
    if first & LONG_HEADER == 0 {
        return Ok(Opens::Nothing);
    }
    // A frame may be filled up behind the datagram.
    if length < HEADER + LONG_HEADER_MIN {
        return Err(Verdict::Malformed);
    }
    let opens = match u32::from_be_bytes([a, b, c, d]) {
        VERSION_NEGOTIATION => Opens::Nothing,
        VERSION_1 if first & TYPE == 0x00 => Opens::Initial, // RFC 9000 §17.2.2
        VERSION_2 if first & TYPE == 0x10 => Opens::Initial, // RFC 9369 §3.2
        VERSION_1 | VERSION_2 => Opens::Nothing,
        _ => Opens::UnknownVersion,
    };
    if opens.is_quic() && length < HEADER + INITIAL_MIN {
        return Err(Verdict::ShortInitial);
    }
    Ok(opens)
}
