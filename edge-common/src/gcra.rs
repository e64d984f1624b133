//! The generic cell rate algorithm: a token bucket in one `u64`.
//!
//! The state of a source is its *theoretical arrival time* (TAT): when its bucket will be full
//! again. One number that only grows can be updated with a single compare-and-swap, so the same
//! arithmetic serves the XDP program, where there is no lock, and the request limiter (the
//! algorithm: ITU-T I.371, annex A). A source never seen before starts at TAT 0: a full bucket.

/// A rate: one admission per `interval_ns` on average, `burst_ns / interval_ns` of them at once.
///
/// The default (all zero) admits everything.
#[repr(C)]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Gcra {
    interval_ns: u64,
    burst_ns: u64,
}

const _: () = assert!(size_of::<Gcra>() == 16 && align_of::<Gcra>() == 8);

impl Gcra {
    /// Admits `burst` at once and one more every `interval_ns`.
    ///
    /// `None` if either is zero, or if refilling the burst would take longer than a `u64` of
    /// nanoseconds (584 years).
    pub const fn from_interval(interval_ns: u64, burst: u32) -> Option<Gcra> {
        if interval_ns == 0 || burst == 0 {
            return None;
        }
        match interval_ns.checked_mul(burst as u64) {
            Some(burst_ns) => Some(Gcra {
                interval_ns,
                burst_ns,
            }),
            None => None,
        }
    }

    /// Admits `burst` at once and `per_sec` a second on average.
    ///
    /// The interval is rounded up to whole nanoseconds, so that the rate is never exceeded; rates
    /// above 10⁹ a second count as 10⁹. `None` if the rate is not a positive finite number, or as in
    /// [`Gcra::from_interval`].
    #[cfg(not(target_arch = "bpf"))] // There is no floating point in the kernel.
    pub fn new(per_sec: f64, burst: u32) -> Option<Gcra> {
        if !per_sec.is_finite() || per_sec <= 0.0 {
            return None;
        }
        let exact = 1e9 / per_sec;
        if exact >= u64::MAX as f64 {
            return None;
        }
        let floor = exact as u64;
        let ceil = floor + u64::from((floor as f64) < exact);
        Gcra::from_interval(ceil.max(1), burst)
    }

    /// Decides on one arrival at `now` from a source whose state is `tat`.
    ///
    /// `Ok` holds the new state to store, `Err` the nanoseconds after which another attempt can
    /// succeed (the state stays as it is: refused arrivals cost nothing). A clock that steps back
    /// makes this stricter, never laxer. At the end of a `u64` of time it refuses.
    #[inline(always)]
    pub const fn admit(&self, tat: u64, now: u64) -> Result<u64, u64> {
        let start = if tat > now { tat } else { now };
        let Some(next) = start.checked_add(self.interval_ns) else {
            return Err(u64::MAX);
        };
        let filled = next - now;
        if filled <= self.burst_ns {
            Ok(next)
        } else {
            Err(filled - self.burst_ns)
        }
    }

    /// The same rate with twice the burst: who is measured by this one is served ahead of those
    /// measured by the other, and slows them down, so that the rate stays what it is.
    #[inline(always)]
    pub const fn preferred(&self) -> Gcra {
        Gcra {
            interval_ns: self.interval_ns,
            burst_ns: self.burst_ns.saturating_mul(2),
        }
    }

    /// The same budget for arrivals that each cost as much as `weight` ordinary ones.
    #[cfg(not(target_arch = "bpf"))]
    pub const fn weighted(self, weight: u32) -> Gcra {
        Gcra {
            interval_ns: self.interval_ns.saturating_mul(weight as u64),
            burst_ns: self.burst_ns,
        }
    }

    /// Nanoseconds between admissions at the average rate.
    pub const fn interval_ns(&self) -> u64 {
        self.interval_ns
    }

    /// Nanoseconds after which an emptied bucket is full again, and its state can be forgotten.
    pub const fn burst_ns(&self) -> u64 {
        self.burst_ns
    }
}

#[cfg(test)]
mod tests {
    extern crate std;
    use super::*;
    use proptest::prelude::*;
    use std::vec::Vec;

    /// Feeds arrivals to one source; returns the times of those admitted.
    fn run(gcra: Gcra, arrivals: &[u64]) -> Vec<u64> {
        let mut tat = 0;
        let mut admitted = Vec::new();
        for &now in arrivals {
            if let Ok(next) = gcra.admit(tat, now) {
                assert!(next >= tat, "the state went back from {tat} to {next}");
                tat = next;
                admitted.push(now);
            }
        }
        admitted
    }

    #[test]
    fn a_fresh_source_has_its_whole_burst_and_then_the_rate() {
        let gcra = Gcra::from_interval(10, 3).unwrap();
        let admitted = run(gcra, &[1000, 1000, 1000, 1000, 1009, 1010, 1010, 1100]);
        assert_eq!(admitted, [1000, 1000, 1000, 1010, 1100]);
    }

    #[test]
    fn heavy_arrivals_share_the_budget_with_light_ones() {
        let gcra = Gcra::from_interval(10, 5).unwrap();
        let heavy = gcra.weighted(4);
        let tat = heavy.admit(0, 1000).unwrap();
        let tat = gcra.admit(tat, 1000).unwrap();
        assert_eq!(gcra.admit(tat, 1000), Err(10));
        assert_eq!(heavy.admit(tat, 1000), Err(40));
        assert_eq!(
            gcra.weighted(6).admit(0, 1000),
            Err(10),
            "more than the burst"
        );
        assert!(gcra.weighted(u32::MAX).admit(0, 1000).is_err());
    }

    #[test]
    fn refusal_says_when_to_come_back() {
        let gcra = Gcra::from_interval(10, 1).unwrap();
        assert_eq!(gcra.admit(0, 100), Ok(110));
        assert_eq!(gcra.admit(110, 103), Err(7));
        assert_eq!(gcra.admit(110, 110), Ok(120));
    }

    #[test]
    fn the_default_admits_everything() {
        assert_eq!(Gcra::default().admit(0, 5), Ok(5));
        assert_eq!(Gcra::default().admit(5, 5), Ok(5));
    }

    #[test]
    fn rates_become_intervals_that_never_exceed_them() {
        let interval = |per_sec| Gcra::new(per_sec, 1).unwrap().interval_ns();
        assert_eq!(interval(1.0), 1_000_000_000);
        assert_eq!(interval(50_000.0), 20_000);
        assert_eq!(interval(3.0), 333_333_334);
        assert_eq!(interval(0.5), 2_000_000_000);
        assert_eq!(interval(1e12), 1);
        for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-300] {
            assert_eq!(Gcra::new(bad, 1), None, "{bad}");
        }
        assert_eq!(Gcra::new(1.0, 0), None);
        assert_eq!(Gcra::from_interval(u64::MAX, 2), None);
    }

    prop_compose! {
        /// A limit and arrivals around its own time scale, on a monotone clock from anywhere.
        fn limit_and_arrivals()(
            interval in 1u64..1_000_000,
            burst in 1u32..50,
            start in prop_oneof![Just(0u64), any::<u32>().prop_map(u64::from), Just(u64::MAX - 1_000_000_000)],
            gaps in prop::collection::vec((0u64..4, 0u64..1000), 1..200),
        ) -> (Gcra, u64, Vec<u64>) {
            let gcra = Gcra::from_interval(interval, burst).unwrap();
            let mut now = start;
            let arrivals = gaps.iter().map(|&(scale, part)| {
                // Nothing, a thousandth, a tenth or the whole of an interval at a time.
                let step = [0, interval / 1000, interval / 10, interval][scale as usize];
                now = now.saturating_add(step.saturating_mul(part) / 500);
                now
            }).collect();
            (gcra, u64::from(burst), arrivals)
        }
    }

    proptest! {
        #[test]
        fn no_window_admits_more_than_rate_times_time_and_burst((gcra, burst, arrivals) in limit_and_arrivals()) {
            let admitted = run(gcra, &arrivals);
            for (i, from) in admitted.iter().enumerate() {
                for (j, to) in admitted.iter().enumerate().skip(i) {
                    let count = (j - i + 1) as u64;
                    prop_assert!(count <= (to - from) / gcra.interval_ns() + burst);
                }
            }
        }

        #[test]
        fn a_clock_that_steps_back_never_admits_more((gcra, burst, arrivals) in limit_and_arrivals(), back in prop::collection::vec(0u64..1_000_000, 200)) {
            let shaken: Vec<u64> = arrivals.iter().zip(&back).map(|(now, by)| now.saturating_sub(*by)).collect();
            let count = run(gcra, &shaken).len() as u64;
            let span = shaken.iter().max().unwrap() - shaken.iter().min().unwrap();
            prop_assert!(count <= span / gcra.interval_ns() + burst);
        }

        #[test]
        fn waiting_as_told_is_enough_and_no_less_is(interval in 1u64..1 << 40, burst in 1u32..1000, tat in 0u64..1 << 50, now in 0u64..1 << 50) {
            let gcra = Gcra::from_interval(interval, burst).unwrap();
            if let Err(wait) = gcra.admit(tat, now) {
                prop_assert!(gcra.admit(tat, now + wait).is_ok());
                prop_assert!(gcra.admit(tat, now + wait - 1).is_err());
            }
        }

        #[test]
        fn a_steady_source_within_the_rate_is_never_refused(interval in 1u64..1 << 30, burst in 1u32..1000, start in 0u64..1 << 50, count in 1u64..500) {
            let gcra = Gcra::from_interval(interval, burst).unwrap();
            let arrivals: Vec<u64> = (0..count).map(|i| start + i * interval).collect();
            prop_assert_eq!(run(gcra, &arrivals).len() as u64, count);
        }

        #[test]
        fn nothing_overflows(interval: u64, burst: u32, tat: u64, now: u64, edge in 0u8..8) {
            let extreme = |value: u64, bit: u8| if edge & bit == 0 { value } else { u64::MAX - value % 3 };
            if let Some(gcra) = Gcra::from_interval(extreme(interval, 1), burst) {
                let (tat, now) = (extreme(tat, 2), extreme(now, 4));
                match gcra.admit(tat, now) {
                    Ok(next) => prop_assert!(next > tat && next > now && next - now <= gcra.burst_ns()),
                    Err(wait) => prop_assert!(wait > 0),
                }
            }
        }

        #[test]
        fn the_constructed_rate_is_the_asked_rate_or_a_nanosecond_slower(per_sec in 1e-6f64..1e9, burst in 1u32..1000) {
            let gcra = Gcra::new(per_sec, burst).unwrap();
            let exact = 1e9 / per_sec;
            prop_assert!(gcra.interval_ns() as f64 >= exact && (gcra.interval_ns() as f64) < exact + 1.0 + exact * 1e-12);
            prop_assert_eq!(gcra.burst_ns(), gcra.interval_ns() * u64::from(burst));
        }
    }
}
