//! Where the limiter's state of each source is kept: a table of fixed size without pointers.
//!
//! A source belongs to one bucket of four cells. When it is not in any of them it takes over the
//! cell that says the least: the state of a limiter is a point in time (see
//! [`WrappingGcra`](crate::WrappingGcra)), and one that has passed says nothing any more, its source
//! is as good as new. So forgetting is
//! free while a bucket has such a cell, and otherwise hits the source closest to a full bucket of
//! tokens. A flood of forged sources with a packet each leaves states that pass within moments and
//! cannot push out a source that is over its limit, as it would from a least-recently-used table.

/// Buckets; a power of two. With [`CELLS`] it makes 262 144 sources in 4 MiB.
pub const BUCKETS: u32 = 65_536;

/// Cells of a bucket.
pub const CELLS: usize = 4;

/// Sources that compete for room, and what is remembered of each: a line of a CPU's cache, so that a
/// packet waits for memory once.
#[repr(C, align(64))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// Whose each cell is: [`tag`] of its hash; 0 nobody's.
    pub tags: [u32; CELLS],
    /// The states of the limit on packets.
    pub packets: [u32; CELLS],
    /// The states of the limit on connection attempts over TCP.
    pub connections: [u32; CELLS],
    /// The states of the limit on those over QUIC.
    pub initials: [u32; CELLS],
}

const _: () = assert!(size_of::<Bucket>() == 64 && BUCKETS.is_power_of_two());

/// The bucket of a source with this hash.
#[inline(always)]
pub const fn bucket(hash: u64) -> u32 {
    (hash >> 32) as u32 & (BUCKETS - 1)
}

/// What tells the source from others in its bucket. Never 0.
#[inline(always)]
pub const fn tag(hash: u64) -> u32 {
    hash as u32 | 1
}

#[cfg(feature = "user")]
mod pod {
    #![allow(unsafe_code, reason = "aya::Pod is an unsafe trait")]

    // SAFETY: repr(C), sixteen u32, no padding, every bit pattern valid.
    unsafe impl aya::Pod for super::Bucket {}
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{Ipv6Mask, SourceKey};

    #[test]
    fn sources_spread_over_all_buckets() {
        let mut counts = [0u16; BUCKETS as usize];
        let mask = Ipv6Mask::default();
        for i in 0..BUCKETS * 4 {
            let v4 = SourceKey::from_v4(i.to_be_bytes());
            let v6 = SourceKey::from_v6([u64::from(i).to_be(), 0], &mask);
            counts[bucket(v4.hash(7)) as usize] += 1;
            counts[bucket(v6.hash(7)) as usize] += 1;
        }
        // Eight on average; with a random spread a bucket of more than 32 has odds of 10⁻⁹.
        let most = counts.into_iter().max();
        assert!(most <= Some(32), "{most:?} sources in one bucket");
        let empty = counts.into_iter().filter(|count| *count == 0).count();
        assert!(empty < 40, "{empty} buckets without a source"); // 11 expected.
    }

    #[test]
    fn the_seed_decides_who_shares_a_bucket() {
        let buckets =
            |seed| [1, 2, 3, 4].map(|d| bucket(SourceKey::from_v4([192, 0, 2, d]).hash(seed)));
        assert_ne!(buckets(1), buckets(2));
    }
}
