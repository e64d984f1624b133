//! From bytes to what the shield decides on: Ethernet, then IPv4 or IPv6, then TCP or UDP.

mod ethernet;
mod ipv4;
mod ipv6;
mod transport;

pub(crate) use ethernet::segment;
pub(crate) use transport::target;

use edge_common::{Family, SourceKey, Verdict};

use crate::packet::Packet;

/// A TCP segment or UDP datagram, or the first fragment of one.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Segment<'a> {
    /// Of the network header.
    pub(crate) family: Family,
    /// Who it says it is from.
    pub(crate) source: SourceKey,
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
    /// Behind more IPv6 extension headers than are followed.
    Hidden,
}

/// Why a packet is none of the shield's business: decided while parsing.
type Aside = (Verdict, Family);

const TCP: u8 = 6;
const UDP: u8 = 17;
