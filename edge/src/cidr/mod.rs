//! Networks: an address and how many of its leading bits count.

mod list;
mod parse;

pub use list::{CidrList, Finding, ListUse, check_use, parse_entry, read_list};
pub use parse::{CidrError, Parsed};

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// A network in its one form: no bits beyond the prefix, and an IPv4 network written as IPv6
/// (`::ffff:192.0.2.0/120`) is the IPv4 network. In order of address, IPv4 first, the wider network
/// before those in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Cidr {
    addr: IpAddr,
    prefix: u8,
}

impl Cidr {
    /// The network that an address is in, whatever its other bits; `None` if the prefix is longer
    /// than the address.
    pub fn new(addr: IpAddr, prefix: u8) -> Option<Cidr> {
        let (addr, prefix) = match (addr, addr.to_canonical()) {
            // RFC 4291 §2.5.5.2: the last 32 of 128 bits.
            (IpAddr::V6(_), IpAddr::V4(v4)) if prefix >= 96 => (IpAddr::V4(v4), prefix - 96),
            _ => (addr, prefix),
        };
        let addr = match addr {
            IpAddr::V4(v4) if prefix <= 32 => {
                let mask = u32::MAX.checked_shl(32 - u32::from(prefix)).unwrap_or(0);
                Ipv4Addr::from_bits(v4.to_bits() & mask).into()
            }
            IpAddr::V6(v6) if prefix <= 128 => {
                let mask = u128::MAX.checked_shl(128 - u32::from(prefix)).unwrap_or(0);
                Ipv6Addr::from_bits(v6.to_bits() & mask).into()
            }
            _ => return None,
        };
        Some(Cidr { addr, prefix })
    }

    /// The network of one address.
    pub fn of(addr: IpAddr) -> Cidr {
        let addr = addr.to_canonical();
        let prefix = if addr.is_ipv4() { 32 } else { 128 };
        Cidr { addr, prefix }
    }

    /// Its first address.
    pub fn addr(&self) -> IpAddr {
        self.addr
    }

    /// How many leading bits count.
    pub fn prefix(&self) -> u8 {
        self.prefix
    }

    /// Whether an address is in it.
    pub fn contains(&self, addr: IpAddr) -> bool {
        Cidr::new(addr.to_canonical(), self.prefix) == Some(*self)
    }

    /// Whether a network is wholly in it.
    pub fn covers(&self, other: &Cidr) -> bool {
        self.prefix <= other.prefix && self.contains(other.addr)
    }
}

impl fmt::Display for Cidr {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.addr, self.prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cidr(text: &str) -> Cidr {
        text.parse::<Parsed>().unwrap().cidr
    }

    #[test]
    fn a_network_has_one_form() {
        for (written, form) in [
            ("192.0.2.7/24", "192.0.2.0/24"),
            ("192.0.2.7", "192.0.2.7/32"),
            ("0.0.0.1/0", "0.0.0.0/0"),
            ("2001:db8:1:2::3/48", "2001:db8:1::/48"),
            ("2001:db8::1", "2001:db8::1/128"),
            ("::1/0", "::/0"),
            ("::ffff:192.0.2.7/120", "192.0.2.0/24"),
            ("::ffff:192.0.2.7", "192.0.2.7/32"),
            ("::ffff:0:0/96", "0.0.0.0/0"),
            ("::ffff:0:0/95", "::fffe:0:0/95"),
        ] {
            assert_eq!(cidr(written).to_string(), form, "{written}");
        }
        assert_eq!(Cidr::new([192, 0, 2, 1].into(), 33), None);
        assert_eq!(Cidr::new([0u16; 8].into(), 129), None);
    }

    #[test]
    fn networks_know_what_is_in_them() {
        let net = cidr("192.0.2.0/24");
        let addr = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(net.contains(addr("192.0.2.0")) && net.contains(addr("192.0.2.255")));
        assert!(net.contains(addr("::ffff:192.0.2.9")));
        assert!(!net.contains(addr("192.0.3.0")) && !net.contains(addr("2001:db8::1")));
        assert!(net.covers(&cidr("192.0.2.128/25")) && net.covers(&net));
        assert!(!net.covers(&cidr("192.0.0.0/16")));
        assert!(cidr("::/0").contains(addr("2001:db8::1")));
        assert!(!cidr("::/0").contains(addr("192.0.2.1")));
    }

    #[test]
    fn the_wider_network_comes_first() {
        let mut list = ["10.1.0.0/16", "::/8", "10.0.0.0/8", "10.0.0.0/16"].map(cidr);
        list.sort();
        let shown = list.map(|cidr| cidr.to_string());
        assert_eq!(shown, ["10.0.0.0/8", "10.0.0.0/16", "10.1.0.0/16", "::/8"]);
    }
}
