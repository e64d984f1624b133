//! TCP (RFC 9293) and UDP (RFC 768): to which port, and does it ask for a connection?

use edge_common::{ShieldConfig, Verdict};

use super::{Protocol, Segment};
use crate::packet::Packet;

/// A segment to a guarded port.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// Whether it is a connection attempt.
    pub(crate) opens: bool,
}

/// Looks at the transport header. `Err` is the verdict on what needs no further look.
#[inline(always)]
pub(crate) fn target(segment: &Segment<'_>, config: &ShieldConfig) -> Result<Target, Verdict> {
    let [_, _, high, low] = *segment.payload.peek::<4>().ok_or(Verdict::Unparsed)?;
    let port = u16::from_be_bytes([high, low]);
    let guarded = match segment.protocol {
        Protocol::Tcp => config.tcp.contains(port),
        Protocol::Udp => config.udp.contains(port),
        Protocol::Hidden => return Err(Verdict::Unparsed),
    };
    if !guarded {
        return Err(Verdict::Unguarded);
    }
    // From here on a header that is not whole is dropped, in the first fragment of several too:
    // splitting the header is how filters are evaded (RFC 1858 §3, RFC 7112 §5).
    let opens = match segment.protocol {
        Protocol::Tcp => tcp_opens(segment.payload),
        _ => udp_opens(segment.payload),
    };
    opens
        .map(|opens| Target { opens })
        .ok_or(Verdict::Malformed)
}

/// SYN without ACK; `None` if the header is impossible or cut off.
#[inline(always)]
fn tcp_opens(packet: Packet<'_>) -> Option<bool> {
    const SYN: u8 = 0x02;
    const ACK: u8 = 0x10;

    let header = packet.peek::<20>()?;
    let length = usize::from(header[12] >> 4) * 4;
    if length < 20 {
        return None;
    }
    packet.skip(length).peek::<0>()?;
    Some(header[13] & (SYN | ACK) == SYN)
}

/// A QUIC Initial; `None` if the UDP header is impossible or cut off.
#[inline(always)]
fn udp_opens(packet: Packet<'_>) -> Option<bool> {
    const LONG_HEADER: u8 = 0x80;
    const TYPE: u8 = 0x30;
    /// What comes from servers only (RFC 9000 §17.2.1).
    const VERSION_NEGOTIATION: u32 = 0;
    const VERSION_1: u32 = 1;
    const VERSION_2: u32 = 0x6b33_43cf;

    let header = packet.peek::<8>()?;
    if u16::from_be_bytes([header[4], header[5]]) < 8 {
        return None;
    }
    let Some(&[first, a, b, c, d]) = packet.skip(8).peek::<5>() else {
        return Some(false);
    };
    if first & LONG_HEADER == 0 {
        return Some(false);
    }
    Some(match u32::from_be_bytes([a, b, c, d]) {
        VERSION_NEGOTIATION => false,
        VERSION_1 => first & TYPE == 0x00, // RFC 9000 §17.2.2
        VERSION_2 => first & TYPE == 0x10, // RFC 9369 §3.2
        // An unknown version makes the server answer too (RFC 9000 §6.1).
        _ => true,
    })
}
