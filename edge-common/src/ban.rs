//! The ban table's value. Its key is a [`SourceKey`](crate::SourceKey).

use crate::{BanCause, SourceKey};

/// Bans that can stand at once. The table is a plain hash that never evicts, so that a flood of
/// new bans cannot push out old ones. Its index takes 16 MiB, entries are allocated as it fills.
pub const BANS_MAX: u32 = 1 << 20;

/// Words of the fine filter in front of the bans: 2²³ bits, 1 MiB. With 100,000 bans one source in a
/// hundred is looked up for nothing.
pub const BAN_FILTER_FINE: u32 = 1 << 17;

/// Words of both filters. The coarse one, behind the fine one in the same map, has a bit for two
/// words of it: 8 KiB, which stay in a CPU's cache however many sources there are, where the fine one
/// would cost a flood of them a read of memory each.
pub const BAN_FILTER_WORDS: u32 = BAN_FILTER_FINE + (1 << 10);

/// Where a source is in the coarse filter and in the fine one: a word, and a bit of it.
///
/// A set bit says that a source like this may be banned, a clear one that none is. The hash has no
/// secret: who finds an address with the bit of a banned one gains that its packets take longer.
#[inline(always)]
pub const fn ban_filter(source: &SourceKey) -> [(u32, u64); 2] {
    let hash = source.mix();
    let word = (hash >> 47) as u32; // The upper 17 bits.
    [ban_filter_coarse(word), (word, 1 << (hash >> 41 & 63))]
}

/// Where the coarse filter says whether a word of the fine one has a bit set.
#[inline(always)]
pub const fn ban_filter_coarse(word: u32) -> (u32, u64) {
    let coarse = (word & (BAN_FILTER_FINE - 1)) >> 1;
    (BAN_FILTER_FINE + (coarse >> 6), 1 << (coarse & 63))
}

/// A ban.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// `CLOCK_MONOTONIC` nanoseconds from which the source is let through again; `u64::MAX` never.
    pub expires_ns: u64,
    cause: u8,
    reserved: u8,
    /// Which of the source's bans it is, as far as they are remembered; from 1.
    pub count: u16,
    reserved_too: u32,
}

const _: () = assert!(size_of::<Ban>() == 16 && align_of::<Ban>() == 8);

impl Ban {
    /// A ban.
    pub const fn new(expires_ns: u64, cause: BanCause, count: u16) -> Ban {
        Ban {
            expires_ns,
            cause: cause as u8,
            reserved: 0,
            count,
            reserved_too: 0,
        }
    }

    /// A ban as its bytes stand in the map: since the first layout they begin with the time, and
    /// cause and count follow where there are any.
    pub fn from_ne_bytes(bytes: &[u8]) -> Option<Ban> {
        let (expires, rest) = bytes.split_first_chunk()?;
        let count = rest.get(2..4).and_then(|count| count.first_chunk());
        Some(Ban {
            expires_ns: u64::from_ne_bytes(*expires),
            cause: rest.first().copied().unwrap_or(BanCause::Import as u8),
            reserved: 0,
            count: count.map_or(1, |count| u16::from_ne_bytes(*count)),
            reserved_too: 0,
        })
    }

    /// Why; a cause that this version does not know is an operator's.
    pub const fn cause(&self) -> BanCause {
        match BanCause::from_number(self.cause) {
            Some(cause) => cause,
            None => BanCause::Admin,
        }
    }

    /// Whether the ban is still in force.
    #[inline(always)]
    pub const fn holds(&self, now_ns: u64) -> bool {
        now_ns < self.expires_ns
    }
}

/// Places of a CPU's memory of whom it has just found banned.
pub const BAN_MEMORY: u32 = 256;

/// What a CPU has found in the table: whoever is banned and does not care sends many packets, and so
/// does whoever is not and has the bit of one who is.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BanSeen {
    /// Whose.
    pub source: SourceKey,
    /// As in the table; 0 where there is no ban.
    pub expires_ns: u64,
    /// How often bans had changed by then. Once more, and it may be this one.
    pub changes: u64,
}

const _: () = assert!(size_of::<BanSeen>() == 32 && align_of::<BanSeen>() == 8);

/// The place of a source in that memory.
#[inline(always)]
pub const fn ban_place(source: &SourceKey) -> u32 {
    (source.mix() >> 47) as u32 & (BAN_MEMORY - 1)
}

#[cfg(feature = "user")]
mod pod {
    #![allow(unsafe_code, reason = "aya::Pod is an unsafe trait")]

    // SAFETY: repr(C), no padding, every bit pattern valid.
    unsafe impl aya::Pod for super::Ban {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sources_spread_over_the_filter() {
        // Neighbours, as a network that attacks has them, and IPv6 prefixes.
        let mask = crate::Ipv6Mask::default();
        let v4 = |i: u32| SourceKey::from_v4((0xc633_0000 + i).to_be_bytes());
        let v6 =
            |i: u32| SourceKey::from_v6([(0x2001_0db8_u64 << 32 | u64::from(i)).to_be(), 0], &mask);
        for source in [&v4 as &dyn Fn(u32) -> SourceKey, &v6] {
            let mut words = [0u8; BAN_FILTER_FINE as usize];
            let mut coarse_words = [0u8; (BAN_FILTER_WORDS - BAN_FILTER_FINE) as usize];
            for i in 0..BAN_FILTER_FINE {
                let [(coarse, _), (word, bit)] = ban_filter(&source(i));
                assert_eq!(bit.count_ones(), 1);
                assert!(coarse >= BAN_FILTER_FINE);
                coarse_words[(coarse - BAN_FILTER_FINE) as usize] += 1;
                words[word as usize] += 1;
            }
            let most = words.into_iter().max();
            assert!(most < Some(16), "{most:?} sources in one word");
            // 128 on average.
            let most = coarse_words.into_iter().max();
            assert!(most < Some(192), "{most:?} sources in one coarse word");
        }
    }

    #[test]
    fn a_ban_holds_until_its_expiry_and_not_at_it() {
        let ban = Ban::new(10, BanCause::Auth, 3);
        assert!(ban.holds(9) && !ban.holds(10) && !ban.holds(11));
        assert!(Ban::new(u64::MAX, BanCause::Auth, 3).holds(u64::MAX - 1));
    }

    #[test]
    fn a_ban_is_read_from_its_bytes_whatever_the_layout() {
        let mut bytes = [0; 16];
        bytes[..8].copy_from_slice(&7u64.to_ne_bytes());
        bytes[8] = BanCause::Auth as u8;
        bytes[10..12].copy_from_slice(&3u16.to_ne_bytes());
        assert_eq!(
            Ban::from_ne_bytes(&bytes),
            Some(Ban::new(7, BanCause::Auth, 3))
        );
        let short = Ban::from_ne_bytes(&bytes[..8]);
        assert_eq!(short, Some(Ban::new(7, BanCause::Import, 1)));
        assert_eq!(Ban::from_ne_bytes(&bytes[..7]), None);
    }
}
