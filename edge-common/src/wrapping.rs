//! [`Gcra`] with a state of 32 bits, for a table of many sources.
//!
//! Time is counted in units of a power of two nanoseconds, as coarse as the limit allows, and wraps.
//! A state is never more than a burst ahead of the clock, so one that is further ahead has passed
//! long ago. Only where a source comes back after whole turns of the clock, to within a burst, it
//! finds a part of that burst spent: with 20 a second and a burst of 40 a turn is 39 hours, and who
//! comes back later has that happen once in 70,000 times. Nobody is admitted more for it.

#[cfg(not(target_arch = "bpf"))]
use crate::Gcra;

/// An interval has at least so many units where it can, so that rounding up makes no rate slower by
/// more than a thousandth.
#[cfg(not(target_arch = "bpf"))]
const UNITS_MIN: u64 = 1024;

/// How far ahead of the clock a state may be: half a turn.
#[cfg(not(target_arch = "bpf"))]
const REACH_MAX: u64 = 1 << 31;

/// A rate, as [`Gcra`] has it.
///
/// The default (all zero) has no state that has not passed, and admits everything.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WrappingGcra {
    /// Units between admissions.
    interval: u32,
    /// Units in which a burst is there again.
    burst: u32,
    /// Units ahead of the clock, beyond which a state has passed.
    reach: u32,
    /// The power of two nanoseconds that a unit is.
    shift: u32,
}

const _: () = assert!(size_of::<WrappingGcra>() == 16 && align_of::<WrappingGcra>() == 4);

impl WrappingGcra {
    /// The same rate and burst. A state so far ahead of what the burst allows is no error yet: what
    /// clocks of CPUs may differ by.
    ///
    /// `None` if the burst is above 2³⁰. One above 2²⁰ makes units coarser, and the rate slower by up
    /// to its share in 2³¹.
    #[cfg(not(target_arch = "bpf"))]
    pub fn new(gcra: &Gcra, slack_ns: u64) -> Option<WrappingGcra> {
        let interval_ns = gcra.interval_ns();
        if interval_ns == 0 {
            return Some(WrappingGcra {
                interval: 0,
                burst: 0,
                reach: 0,
                shift: 0,
            });
        }
        let count = gcra.burst_ns() / interval_ns;
        let mut shift = (interval_ns / UNITS_MIN).checked_ilog2().unwrap_or(0);
        loop {
            let interval = interval_ns.div_ceil(1 << shift);
            let burst = interval.saturating_mul(count);
            let reach = burst.saturating_add(slack_ns.div_ceil(1 << shift));
            if reach <= REACH_MAX && interval <= REACH_MAX {
                return Some(WrappingGcra {
                    interval: interval as u32,
                    burst: burst as u32,
                    reach: reach as u32,
                    shift,
                });
            }
            shift += 1;
            if shift == u64::BITS || (interval == 1 && burst > REACH_MAX) {
                return None;
            }
        }
    }

    /// A time as states have it; also the state of a source whose burst is whole.
    #[inline(always)]
    pub const fn at(&self, now_ns: u64) -> u32 {
        (now_ns >> (self.shift & 63)) as u32
    }

    /// Decides on one arrival from a source whose state is `tat`; the state to store if it is
    /// admitted.
    ///
    /// `now_ns` must have been read after the state was: a clock that has stepped back behind the one
    /// that the state was reckoned with makes it look long past.
    #[inline(always)]
    pub const fn admit(&self, tat: u32, now_ns: u64) -> Option<u32> {
        let now = self.at(now_ns);
        let filled = self.ahead(tat, now) as u64 + self.interval as u64;
        match filled <= self.burst as u64 {
            true => Some(now.wrapping_add(filled as u32)),
            false => None,
        }
    }

    /// Nanoseconds until the state says nothing any more.
    #[inline(always)]
    pub const fn left_ns(&self, tat: u32, now_ns: u64) -> u64 {
        (self.ahead(tat, self.at(now_ns)) as u64) << (self.shift & 63)
    }

    #[inline(always)]
    const fn ahead(&self, tat: u32, now: u32) -> u32 {
        let ahead = tat.wrapping_sub(now);
        if ahead > self.reach { 0 } else { ahead }
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;

    fn limit(interval_ns: u64, burst: u32) -> WrappingGcra {
        let gcra = Gcra::from_interval(interval_ns, burst).unwrap();
        WrappingGcra::new(&gcra, 20_000_000).unwrap()
    }

    /// Its rate in full nanoseconds.
    fn exact(limit: &WrappingGcra) -> Gcra {
        let interval_ns = u64::from(limit.interval) << limit.shift;
        Gcra::from_interval(interval_ns, limit.burst / limit.interval).unwrap()
    }

    /// How many of so many packets at once are admitted; the state after them.
    fn at_once(limit: &WrappingGcra, mut tat: u32, now_ns: u64, packets: u32) -> (u32, u32) {
        let mut admitted = 0;
        for _ in 0..packets {
            let Some(next) = limit.admit(tat, now_ns) else {
                break;
            };
            tat = next;
            admitted += 1;
        }
        (admitted, tat)
    }

    #[test]
    fn a_fresh_source_has_its_whole_burst_at_any_time() {
        for now_ns in [0, 1, u64::from(u32::MAX), 1 << 60, u64::MAX] {
            for (interval_ns, burst) in [(100, 1_000_000), (50_000_000, 40), (3_600_000_000_000, 1)]
            {
                let limit = limit(interval_ns, burst);
                let (admitted, _) = at_once(&limit, limit.at(now_ns), now_ns, burst + 1);
                assert_eq!(admitted, burst, "{interval_ns} ns at {now_ns}");
            }
        }
    }

    #[test]
    fn rates_and_bursts_of_every_size_fit() {
        for (interval_ns, burst) in [
            (1, 1),
            (1, 1 << 20),
            (100, 1 << 30),
            (1 << 44, 1 << 10),
            (u64::MAX, 1),
        ] {
            let limit = limit(interval_ns, burst);
            assert_eq!(
                limit.burst / limit.interval,
                burst,
                "{interval_ns} ns, {burst}"
            );
            assert!(u64::from(limit.reach) + u64::from(limit.interval) < 1 << 32);
        }
        let huge = Gcra::from_interval(100, u32::MAX).unwrap();
        assert_eq!(WrappingGcra::new(&huge, 0), None);
        let none = WrappingGcra::new(&Gcra::default(), 5).unwrap();
        assert_eq!(none, WrappingGcra::default());
        assert_eq!(none.left_ns(7, 3), 0);
    }

    #[test]
    fn what_is_left_of_a_state_passes_with_time() {
        let limit = limit(1 << 30, 4);
        let (_, tat) = at_once(&limit, limit.at(0), 0, 4);
        assert_eq!(limit.left_ns(tat, 0), 4 << 30);
        assert_eq!(limit.left_ns(tat, 3 << 30), 1 << 30);
        assert_eq!(limit.left_ns(tat, 4 << 30), 0);
        assert_eq!(limit.left_ns(tat, 9 << 30), 0);
    }

    proptest! {
        #[test]
        fn it_decides_as_the_one_without_turns(
            interval_ns in prop_oneof![1u64..10_000, 1u64..1 << 42],
            burst in 1u32..2_000,
            start_ns in any::<u32>().prop_map(|seconds| u64::from(seconds) * 1_000_000_007),
            gaps in prop::collection::vec((0u32..3, 0u32..=1_000), 1..300),
        ) {
            let limit = limit(interval_ns, burst);
            let exact = exact(&limit);
            let unit_ns = 1u64 << limit.shift;
            let mut now_ns = start_ns;
            let (mut tat, mut exact_tat) = (limit.at(now_ns), 0);
            for (scale, part) in gaps {
                let step = [0, interval_ns / 1_000, interval_ns / 100][scale as usize];
                now_ns += step * u64::from(part);
                let admitted = limit.admit(tat, now_ns);
                let expected = exact.admit(exact_tat, now_ns / unit_ns * unit_ns);
                prop_assert_eq!(admitted.is_some(), expected.is_ok());
                if let (Some(next), Ok(expected)) = (admitted, expected) {
                    prop_assert_eq!(next, limit.at(expected));
                    (tat, exact_tat) = (next, expected);
                }
            }
        }

        #[test]
        fn a_source_that_comes_back_after_any_time_has_no_more_than_its_burst_and_soon_all_of_it(
            interval_ns in 1u64..1 << 40, burst in 1u32..500, start_ns in 0u64..1 << 60, away_ns in 0u64..1 << 62
        ) {
            let limit = limit(interval_ns, burst);
            let (_, tat) = at_once(&limit, limit.at(start_ns), start_ns, burst);
            let back_ns = start_ns + away_ns;
            let (admitted, tat) = at_once(&limit, tat, back_ns, burst + 1);
            prop_assert!(admitted <= burst);
            let soon_ns = back_ns + ((u64::from(limit.reach) + 1) << limit.shift);
            prop_assert_eq!(at_once(&limit, tat, soon_ns, burst + 1).0, burst);
        }

        #[test]
        fn the_rate_is_never_exceeded_and_hardly_missed(interval_ns in 1u64..1 << 43, burst in 1u32..1 << 20) {
            let limit = limit(interval_ns, burst);
            let units = u64::from(limit.interval) << limit.shift;
            prop_assert!(units >= interval_ns);
            prop_assert!((units - interval_ns) * 1_000 <= interval_ns);
        }
    }
}
