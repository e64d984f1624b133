//! Whom a limit counts as one client.

use std::net::{IpAddr, Ipv6Addr};

/// A client, as limits and bans see it: an IPv4 address or an IPv6 network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct ClientKey(u128);

impl ClientKey {
    /// The client behind an address.
    ///
    /// An IPv6 client is the network of `v6_prefix` bits that its address is in (64: one site can
    /// use any address of it, RFC 4291 §2.5.4); an IPv4 address written as IPv6 (`::ffff:0:0/96`)
    /// is the same client as the IPv4 address.
    pub fn from_ip(address: IpAddr, v6_prefix: u8) -> Self {
        match address.to_canonical() {
            IpAddr::V4(v4) => Self(v4.to_ipv6_mapped().to_bits()),
            IpAddr::V6(v6) => {
                let host_bits = 128 - u32::from(v6_prefix.min(128));
                let mask = u128::MAX.checked_shl(host_bits).unwrap_or(0);
                Self(v6.to_bits() & mask)
            }
        }
    }

    /// What a limit counts by that is no address, as a hash of it.
    pub(super) fn of_hash(hash: u64) -> Self {
        Self(u128::from(hash))
    }

    /// The key as a number, for keys made of several things.
    pub fn bits(&self) -> u128 {
        self.0
    }

    /// The address, or the first one of the network.
    pub fn address(&self) -> IpAddr {
        Ipv6Addr::from_bits(self.0).to_canonical()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(address: &str, prefix: u8) -> ClientKey {
        ClientKey::from_ip(address.parse().unwrap(), prefix)
    }

    #[test]
    fn one_site_is_one_client_and_its_neighbour_another() {
        assert_eq!(key("2001:db8::1", 64), key("2001:db8::ffff:2", 64));
        assert_ne!(key("2001:db8::1", 64), key("2001:db8:0:1::1", 64));
        assert_eq!(key("2001:db8:0:1::1", 48), key("2001:db8:0:2::1", 48));
        assert_ne!(key("2001:db8::1", 128), key("2001:db8::2", 128));
        assert_eq!(key("2001:db8::1", 0), key("fe80::1", 0));
        assert_eq!(key("2001:db8::1", 255), key("2001:db8::1", 128));
    }

    #[test]
    fn ipv4_is_whole_however_it_is_written() {
        assert_eq!(key("192.0.2.1", 64), key("::ffff:192.0.2.1", 64));
        assert_ne!(key("192.0.2.1", 64), key("192.0.2.2", 64));
        assert_ne!(key("192.0.2.1", 0), key("192.0.2.2", 0));
        assert_ne!(key("::", 0), key("0.0.0.0", 0));
    }

    #[test]
    fn a_key_tells_its_network() {
        let address = |text, prefix| key(text, prefix).address().to_string();
        assert_eq!(address("2001:db8::1:2:3:4", 64), "2001:db8::");
        assert_eq!(address("::ffff:192.0.2.1", 64), "192.0.2.1");
    }
}
