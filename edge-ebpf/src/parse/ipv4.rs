//! IPv4 (RFC 791).

use edge_common::{Family, SourceKey, Verdict};

use super::{Aside, Packet, Protocol, Segment, TCP, UDP};

const FRAGMENT_OFFSET: u16 = 0x1fff;
const MORE_FRAGMENTS: u16 = 0x2000;

#[inline(always)]
pub(super) fn segment(packet: Packet<'_>) -> Result<Segment<'_>, Aside> {
    const UNPARSED: Aside = (Verdict::Unparsed, Family::V4);

    let header = packet.peek::<20>().ok_or(UNPARSED)?;
    let [first, _, length_high, length_low, ..] = *header;
    let header_length = usize::from(first & 0x0f) * 4;
    let total_length = usize::from(u16::from_be_bytes([length_high, length_low]));
    if first >> 4 != 4 || header_length < 20 || total_length < header_length {
        return Err(UNPARSED);
    }
    let protocol = match header[9] {
        TCP => Protocol::Tcp,
        UDP => Protocol::Udp,
        _ => return Err((Verdict::Unguarded, Family::V4)),
    };
    let fragment = u16::from_be_bytes([header[6], header[7]]);
    if fragment & FRAGMENT_OFFSET != 0 {
        return Err((Verdict::Fragment, Family::V4));
    }
    let [.., a, b, c, d, _, _, _, _] = *header;
    let source = SourceKey::from_v4([a, b, c, d]);
    Ok(Segment {
        family: Family::V4,
        address: source.words(),
        source,
        is_first_fragment: fragment & MORE_FRAGMENTS != 0,
        protocol,
        payload: packet.skip(header_length),
    })
}
