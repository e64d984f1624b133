//! Ethernet II, with up to two VLAN tags (802.1Q, 802.1ad).

use edge_common::{Family, Ipv6Mask, Verdict};

use super::{Aside, Packet, Segment, ipv4, ipv6};

const IPV4: u16 = 0x0800;
const IPV6: u16 = 0x86dd;
const VLAN: u16 = 0x8100;
const VLAN_SERVICE: u16 = 0x88a8;

/// Follows a frame to its transport header.
#[inline(always)]
pub(crate) fn segment<'a>(frame: Packet<'a>, mask: &Ipv6Mask) -> Result<Segment<'a>, Aside> {
    const UNPARSED: Aside = (Verdict::Unparsed, Family::Other);

    let header = frame.peek::<14>().ok_or(UNPARSED)?;
    let mut ether_type = u16::from_be_bytes([header[12], header[13]]);
    let mut packet = frame.skip(14);
    for _ in 0..2 {
        // Nearly every frame ends the loop at the first of these.
        if ether_type == IPV4 || ether_type == IPV6 {
            break;
        }
        if ether_type != VLAN && ether_type != VLAN_SERVICE {
            return Err((Verdict::Unguarded, Family::Other));
        }
        let tag = packet.peek::<4>().ok_or(UNPARSED)?;
        ether_type = u16::from_be_bytes([tag[2], tag[3]]);
        packet = packet.skip(4);
    }
    match ether_type {
        IPV4 => ipv4::segment(packet),
        IPV6 => ipv6::segment(packet, mask),
        VLAN | VLAN_SERVICE => Err(UNPARSED),
        _ => Err((Verdict::Unguarded, Family::Other)),
    }
}
