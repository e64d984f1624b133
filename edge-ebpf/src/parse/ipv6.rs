//! IPv6 and its extension headers (RFC 8200 §4).

use edge_common::{Family, Ipv6Mask, SourceKey, Verdict};

use super::{Aside, Packet, Protocol, Segment, TCP, UDP};

/// Extension headers followed. RFC 8200 §4.1 has six kinds, one of which may come twice: an honest
/// packet never has more.
const EXTENSIONS_MAX: usize = 8;

const HOP_BY_HOP: u8 = 0;
const ROUTING: u8 = 43;
const FRAGMENT: u8 = 44;
const AUTHENTICATION: u8 = 51;
const DESTINATION: u8 = 60;

const MORE_FRAGMENTS: u16 = 1;

#[inline(always)]
pub(super) fn segment<'a>(packet: Packet<'a>, mask: &Ipv6Mask) -> Result<Segment<'a>, Aside> {
    const UNPARSED: Aside = (Verdict::Unparsed, Family::V6);

    let header = packet.peek::<40>().ok_or(UNPARSED)?;
    if header[0] >> 4 != 6 {
        return Err(UNPARSED);
    }
    let words = [word(header, 8), word(header, 16)];
    let mut next = header[6];
    let mut payload = packet.skip(40);

    // Every kind of header the kernel itself follows to a transport header, and no other: what it
    // would not deliver to a socket needs no shield. A first fragment has all of them (RFC 8200 §4.5),
    // but the kernel takes one that ends between two, and puts the port together from the next.
    let mut protocol = Protocol::Hidden;
    let mut is_first_fragment = false;
    for _ in 0..=EXTENSIONS_MAX {
        match next {
            TCP => {
                protocol = Protocol::Tcp;
                break;
            }
            UDP => {
                protocol = Protocol::Udp;
                break;
            }
            HOP_BY_HOP | ROUTING | DESTINATION => {
                let Some(&[following, length]) = payload.peek::<2>() else {
                    if is_first_fragment {
                        break;
                    }
                    return Err(UNPARSED);
                };
                next = following;
                payload = payload.skip((usize::from(length) + 1) * 8);
            }
            AUTHENTICATION => {
                // RFC 4302 §2.2: in words of four bytes, minus two.
                let Some(&[following, length]) = payload.peek::<2>() else {
                    if is_first_fragment {
                        break;
                    }
                    return Err(UNPARSED);
                };
                next = following;
                payload = payload.skip((usize::from(length) + 2) * 4);
            }
            FRAGMENT => {
                let [following, _, high, low, ..] = *payload.peek::<8>().ok_or(UNPARSED)?;
                let fragment = u16::from_be_bytes([high, low]);
                if fragment >> 3 != 0 {
                    return Err((Verdict::Fragment, Family::V6));
                }
                is_first_fragment |= fragment & MORE_FRAGMENTS != 0;
                next = following;
                payload = payload.skip(8);
            }
            _ => return Err((Verdict::Unguarded, Family::V6)),
        }
    }
    Ok(Segment {
        family: Family::V6,
        address: words,
        is_first_fragment,
        source: SourceKey::from_v6(words, mask),
        protocol,
        payload,
    })
}

/// Eight bytes as they stand in memory.
#[inline(always)]
fn word(header: &[u8; 40], at: usize) -> u64 {
    let mut bytes = [0; 8];
    bytes.copy_from_slice(&header[at..at + 8]);
    u64::from_ne_bytes(bytes)
}
