//! Rates that are counted by something other than an address: a token, a session, a tool.
//!
//! One table for all of them: what is counted, and by whom, is part of the key.

use std::hash::{BuildHasher, Hash, RandomState};
use std::time::Duration;

use edge_common::Gcra;

use super::RetryAfter;
use super::key::ClientKey;
use super::limiter::gcra;
use super::table::{CLIENTS, Table};
use crate::config::Rate;

/// Any number of rates; one table for all workers.
pub struct Buckets {
    table: Table,
    seed: RandomState,
}

impl Buckets {
    /// Room for [`CLIENTS`] keys.
    pub fn new() -> Self {
        Self {
            table: Table::new(CLIENTS),
            seed: RandomState::new(),
        }
    }

    /// A key nobody outside can choose.
    pub fn key(&self, parts: impl Hash) -> u64 {
        self.seed.hash_one(parts)
    }

    /// Counts an arrival; how long before its turn it came. Who would wait longer than `patience`
    /// is refused, and not counted.
    pub fn admit_within(
        &self,
        key: u64,
        rate: &Gcra,
        patience: Duration,
        now_ns: u64,
    ) -> Result<Duration, RetryAfter> {
        let patience_ns = u64::try_from(patience.as_nanos()).unwrap_or(u64::MAX);
        let most_ns = patience_ns.saturating_add(rate.interval_ns());
        let patient = match rate.burst_ns() > most_ns {
            true => Gcra::from_interval(rate.interval_ns(), (most_ns / rate.interval_ns()) as u32)
                .unwrap_or(*rate),
            false => *rate,
        };
        self.table
            .admit(&patient, &ClientKey::of_hash(key), now_ns)
            .map(|tat| Duration::from_nanos((tat - now_ns).saturating_sub(rate.interval_ns())))
            .map_err(|wait| RetryAfter(Duration::from_nanos(wait)))
    }

    /// Counts an arrival that costs as much as `weight` ordinary ones, unless the rate of the key is
    /// used up.
    pub fn admit(&self, key: u64, rate: &Gcra, weight: u32, now_ns: u64) -> Result<(), RetryAfter> {
        let gcra = match weight {
            1 => *rate,
            weight => rate.weighted(weight),
        };
        self.table
            .admit(&gcra, &ClientKey::of_hash(key), now_ns)
            .map(|_| ())
            .map_err(|wait| RetryAfter(Duration::from_nanos(wait)))
    }
}

impl Default for Buckets {
    fn default() -> Self {
        Self::new()
    }
}

/// The arithmetic of a configured rate.
pub fn rate(rate: Rate) -> Gcra {
    gcra(rate)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn those_who_wait_come_at_the_rate() {
        let buckets = Buckets::new();
        let two = rate(Rate {
            per_sec: 2.0,
            burst: 5,
        });
        let (key, now) = (buckets.key("a"), 1_000_000_000);
        let ms = |wait: Duration| wait.as_millis();
        let within = |patience| {
            let patience = Duration::from_millis(patience);
            buckets.admit_within(key, &two, patience, now).map(ms)
        };
        assert_eq!(within(1000), Ok(0));
        assert_eq!(within(1000), Ok(500));
        assert_eq!(within(1000), Ok(1000));
        let refused = within(1000).expect_err("nobody waits 1.5 s");
        assert_eq!(refused, RetryAfter(Duration::from_millis(500)));
        assert_eq!(within(60_000), Ok(1500));
        assert_eq!(within(60_000), Ok(2000));
        assert!(within(60_000).is_err(), "the burst is used up");
    }

    #[test]
    fn keys_and_weights_are_counted_apart() {
        let buckets = Buckets::new();
        let five = rate(Rate {
            per_sec: 5.0,
            burst: 5,
        });
        let key = |who: &str| buckets.key((1u32, who));
        let now = 1_000_000_000;
        for _ in 0..5 {
            assert_eq!(buckets.admit(key("a"), &five, 1, now), Ok(()));
        }
        let wait = buckets.admit(key("a"), &five, 1, now).expect_err("used up");
        assert_eq!(wait.0, Duration::from_millis(200));
        assert_eq!(buckets.admit(key("b"), &five, 4, now), Ok(()));
        assert!(buckets.admit(key("b"), &five, 4, now).is_err());
        assert_eq!(buckets.admit(key("b"), &five, 1, now), Ok(()));
    }
}
