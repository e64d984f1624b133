//! How a packet's source is counted: the address, IPv6 cut to a prefix.

use core::net::{IpAddr, Ipv4Addr, Ipv6Addr};

/// Keeps the leading bits of an IPv6 address: one customer usually has a whole /64 (RFC 6177), so
/// counting single addresses would give an attacker 2⁶⁴ fresh limits.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ipv6Mask([u64; 2]);

const _: () = assert!(size_of::<Ipv6Mask>() == 16 && align_of::<Ipv6Mask>() == 8);

impl Ipv6Mask {
    /// A mask of so many leading bits; `None` above 128.
    pub const fn new(prefix: u8) -> Option<Ipv6Mask> {
        let bits: u128 = match prefix {
            0 => 0,
            1..=128 => u128::MAX << (128 - prefix),
            _ => return None,
        };
        Some(Ipv6Mask([
            ((bits >> 64) as u64).to_be(),
            (bits as u64).to_be(),
        ]))
    }

    /// The number of bits kept.
    pub const fn prefix(&self) -> u8 {
        (self.0[0].count_ones() + self.0[1].count_ones()) as u8
    }
}

impl Default for Ipv6Mask {
    fn default() -> Ipv6Mask {
        Ipv6Mask::new(64).expect("64 is a prefix length")
    }
}

/// A source: 16 bytes in network order, IPv4 as `::ffff:a.b.c.d` (RFC 4291 §2.5.5.2).
///
/// Two words instead of bytes, so that the kernel program moves it in two instructions.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct SourceKey([u64; 2]);

const _: () = assert!(size_of::<SourceKey>() == 16 && align_of::<SourceKey>() == 8);

impl SourceKey {
    /// The key of an IPv4 source.
    #[inline(always)]
    pub const fn from_v4([a, b, c, d]: [u8; 4]) -> SourceKey {
        SourceKey([0, u64::from_ne_bytes([0, 0, 0xff, 0xff, a, b, c, d])])
    }

    /// The key of an IPv6 source given as two words in network order.
    #[inline(always)]
    pub const fn from_v6(words: [u64; 2], mask: &Ipv6Mask) -> SourceKey {
        SourceKey([words[0] & mask.0[0], words[1] & mask.0[1]])
    }

    /// The key of any address. An IPv4-mapped IPv6 address, as a dual-stack socket reports it, is
    /// the IPv4 address.
    pub const fn from_ip(addr: IpAddr, mask: &Ipv6Mask) -> SourceKey {
        match addr.to_canonical() {
            IpAddr::V4(v4) => SourceKey::from_v4(v4.octets()),
            IpAddr::V6(v6) => {
                let bits = v6.to_bits();
                SourceKey::from_v6([((bits >> 64) as u64).to_be(), (bits as u64).to_be()], mask)
            }
        }
    }

    /// The key whose bytes stand in a map.
    pub fn from_ne_bytes(bytes: &[u8]) -> Option<SourceKey> {
        let (high, rest) = bytes.split_first_chunk()?;
        let low = rest.first_chunk()?;
        Some(SourceKey([
            u64::from_ne_bytes(*high),
            u64::from_ne_bytes(*low),
        ]))
    }

    /// A number spread evenly over all 64 bits; which one, nobody can tell without the seed.
    #[inline(always)]
    pub const fn hash(&self, seed: u64) -> u64 {
        // The finalizer of SplitMix64 (Steele, Lea and Flood 2014) over both words. For a given
        // upper word it is a bijection of the lower: no two IPv4 addresses share a hash.
        let mut hash = (self.0[0] ^ seed).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        hash ^= (hash >> 32) ^ self.0[1];
        hash = (hash ^ (hash >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        hash = (hash ^ (hash >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        hash ^ (hash >> 31)
    }

    /// A number whose upper bits are spread evenly, the same for everybody.
    #[inline(always)]
    pub const fn mix(&self) -> u64 {
        // Multiplicative hashing (Knuth, The Art of Computer Programming 3, §6.4), once a word.
        let high = self.0[0].wrapping_mul(0x9e37_79b9_7f4a_7c15);
        (self.0[1] ^ high ^ (high >> 32)).wrapping_mul(0xbf58_476d_1ce4_e5b9)
    }

    /// The two words, in network order.
    #[inline(always)]
    pub const fn words(&self) -> [u64; 2] {
        self.0
    }

    /// The address, or the first one of the prefix.
    pub const fn ip(&self) -> IpAddr {
        let bits = (u64::from_be(self.0[0]) as u128) << 64 | u64::from_be(self.0[1]) as u128;
        if bits >> 32 == 0xffff {
            IpAddr::V4(Ipv4Addr::from_bits(bits as u32))
        } else {
            IpAddr::V6(Ipv6Addr::from_bits(bits))
        }
    }
}

#[cfg(feature = "user")]
mod pod {
    #![allow(unsafe_code, reason = "aya::Pod is an unsafe trait")]

    // SAFETY: repr(C), two u64, no padding, every bit pattern valid.
    unsafe impl aya::Pod for super::SourceKey {}
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(addr: &str, prefix: u8) -> SourceKey {
        SourceKey::from_ip(addr.parse().unwrap(), &Ipv6Mask::new(prefix).unwrap())
    }

    #[test]
    fn ipv4_is_kept_whole_whatever_the_prefix() {
        assert_eq!(key("192.0.2.7", 0), SourceKey::from_v4([192, 0, 2, 7]));
        assert_eq!(key("192.0.2.7", 64), key("::ffff:192.0.2.7", 64));
        assert_eq!(
            key("192.0.2.7", 64).ip(),
            "192.0.2.7".parse::<IpAddr>().unwrap()
        );
    }

    #[test]
    fn ipv6_is_cut_to_the_prefix() {
        assert_eq!(
            key("2001:db8:1:2:3::4", 64).ip(),
            "2001:db8:1:2::".parse::<IpAddr>().unwrap()
        );
        assert_eq!(
            key("2001:db8:1:2:3::4", 56).ip(),
            "2001:db8:1::".parse::<IpAddr>().unwrap()
        );
        assert_eq!(
            key("2001:db8::4", 128).ip(),
            "2001:db8::4".parse::<IpAddr>().unwrap()
        );
        assert_eq!(key("2001:db8::4", 0), key("fe80::1", 0));
    }

    #[test]
    fn the_key_is_the_address_as_it_stands_in_a_packet() {
        let octets = "2001:db8:1:2:3:4:5:6".parse::<Ipv6Addr>().unwrap().octets();
        let (high, low) = octets.split_at(8);
        let words = [high, low].map(|half| u64::from_ne_bytes(half.try_into().unwrap()));
        let mask = Ipv6Mask::new(64).unwrap();
        assert_eq!(
            SourceKey::from_v6(words, &mask),
            key("2001:db8:1:2:3:4:5:6", 64)
        );
    }

    #[test]
    fn masks_know_their_prefix() {
        for prefix in 0..=128 {
            assert_eq!(Ipv6Mask::new(prefix).unwrap().prefix(), prefix);
        }
        assert_eq!(Ipv6Mask::new(129), None);
        assert_eq!(Ipv6Mask::default().prefix(), 64);
    }
}
