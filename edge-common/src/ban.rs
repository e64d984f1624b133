//! The ban table's value. Its key is a [`SourceKey`](crate::SourceKey).

use crate::SourceKey;

/// Bans that can stand at once. The table is a plain hash that never evicts, so that a flood of
/// new bans cannot push out old ones. Its index takes 16 MiB, entries are allocated as it fills.
pub const BANS_MAX: u32 = 1 << 20;

/// Words of the filter in front of the bans: 2²³ bits, 1 MiB. With 100,000 bans one source in a
/// hundred is looked up for nothing.
pub const BAN_FILTER_WORDS: u32 = 1 << 17;

/// Where a source is in the filter: a word, and a bit of it.
///
/// A set bit says that a source like this may be banned, a clear one that none is. The hash has no
/// secret: who finds an address with the bit of a banned one gains that its packets take longer.
#[inline(always)]
pub const fn ban_filter(source: &SourceKey) -> (u32, u64) {
    let hash = source.mix();
    let word = (hash >> 47) as u32; // The upper 17 bits.
    (word, 1 << (hash >> 41 & 63))
}

/// A ban.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ban {
    /// `CLOCK_MONOTONIC` nanoseconds from which the source is let through again; `u64::MAX` never.
    pub expires_ns: u64,
}

const _: () = assert!(size_of::<Ban>() == 8 && align_of::<Ban>() == 8);

impl Ban {
    /// Whether the ban is still in force.
    #[inline(always)]
    pub const fn holds(&self, now_ns: u64) -> bool {
        now_ns < self.expires_ns
    }
}

#[cfg(feature = "user")]
mod pod {
    #![allow(unsafe_code, reason = "aya::Pod is an unsafe trait")]

    // SAFETY: repr(C), one u64, no padding, every bit pattern valid.
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
            let mut words = [0u8; BAN_FILTER_WORDS as usize];
            for i in 0..BAN_FILTER_WORDS {
                let (word, bit) = ban_filter(&source(i));
                assert_eq!(bit.count_ones(), 1);
                words[word as usize] += 1;
            }
            let most = words.into_iter().max();
            assert!(most < Some(16), "{most:?} sources in one word");
        }
    }

    #[test]
    fn a_ban_holds_until_its_expiry_and_not_at_it() {
        let ban = Ban { expires_ns: 10 };
        assert!(ban.holds(9) && !ban.holds(10) && !ban.holds(11));
        assert!(
            Ban {
                expires_ns: u64::MAX
            }
            .holds(u64::MAX - 1)
        );
    }
}
