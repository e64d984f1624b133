//! Requests per client.

use std::sync::Arc;
use std::time::Duration;

use edge_common::Gcra;

use super::key::ClientKey;
use super::table::Table;
use crate::config::Rate;

/// A rate that each client has for itself; one for all workers.
pub struct Limiter {
    gcra: Gcra,
    table: Arc<Table>,
}

/// The client has used up its rate.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RetryAfter(
    /// When the next request will be admitted.
    pub Duration,
);

impl RetryAfter {
    /// For the `Retry-After` field: whole seconds, rounded up, at least one (RFC 9110 §10.2.3).
    pub fn seconds(&self) -> u64 {
        let started = u64::from(self.0.subsec_nanos() > 0);
        self.0.as_secs().saturating_add(started).max(1)
    }
}

impl Limiter {
    /// A limit with room for `clients` of them; see [`CLIENTS`](super::CLIENTS).
    pub fn new(rate: Rate, clients: usize) -> Self {
        Self {
            gcra: gcra(rate),
            table: Arc::new(Table::new(clients)),
        }
    }

    /// Another rate for the same clients: what they owe stays.
    pub fn with_rate(&self, rate: Rate) -> Self {
        Self {
            gcra: gcra(rate),
            table: Arc::clone(&self.table),
        }
    }

    /// Counts one request of a client at `now_ns`, unless it has used up its rate.
    pub fn admit(&self, client: &ClientKey, now_ns: u64) -> Result<(), RetryAfter> {
        self.table
            .admit(&self.gcra, client, now_ns)
            .map(|_| ())
            .map_err(|wait| RetryAfter(Duration::from_nanos(wait)))
    }
}

/// A burst that would take centuries to refill becomes the largest that can be counted, and a rate
/// that is none admits the burst alone.
pub(super) fn gcra(rate: Rate) -> Gcra {
    let interval = Gcra::new(rate.per_sec, 1).map_or(u64::MAX, |one| one.interval_ns());
    let burst_max = u32::try_from(u64::MAX / interval).unwrap_or(u32::MAX);
    Gcra::from_interval(interval, rate.burst.clamp(1, burst_max))
        .expect("the interval is positive and the burst was cut to fit")
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;
    use std::net::{IpAddr, Ipv4Addr};

    use proptest::prelude::*;

    use super::*;

    fn client(n: u32) -> ClientKey {
        ClientKey::from_ip(IpAddr::V4(Ipv4Addr::from_bits(n)), 64)
    }

    #[test]
    fn a_client_has_its_burst_and_then_its_rate() {
        let rate = Rate {
            per_sec: 10.0,
            burst: 2,
        };
        let limiter = Limiter::new(rate, 8);
        let second = 1_000_000_000;
        assert_eq!(limiter.admit(&client(1), second), Ok(()));
        assert_eq!(limiter.admit(&client(1), second), Ok(()));
        let wait = RetryAfter(Duration::from_millis(100));
        assert_eq!(limiter.admit(&client(1), second), Err(wait));
        assert_eq!(limiter.admit(&client(2), second), Ok(()), "another client");
        assert_eq!(limiter.admit(&client(1), second + 100_000_000), Ok(()));
    }

    #[test]
    fn the_header_rounds_up() {
        let seconds = |ms| RetryAfter(Duration::from_millis(ms)).seconds();
        assert_eq!([0, 1, 1000, 1001, 59_999].map(seconds), [1, 1, 1, 2, 60]);
        assert_eq!(RetryAfter(Duration::MAX).seconds(), u64::MAX);
    }

    #[test]
    fn extreme_rates_are_limits_too() {
        for per_sec in [1e-300, 1e-12, 1e12, 0.0, -1.0, f64::NAN] {
            for burst in [0, 1, u32::MAX] {
                let limiter = Limiter::new(Rate { per_sec, burst }, 8);
                assert_eq!(limiter.admit(&client(1), 0), Ok(()), "{per_sec} {burst}");
            }
        }
        let rate = Rate {
            per_sec: 1.0,
            burst: 1,
        };
        assert!(Limiter::new(rate, 8).admit(&client(1), u64::MAX).is_err());
    }

    /// The definition: a bucket per client that leaks one request an interval.
    #[derive(Default)]
    struct Bucket {
        filled_ns: u128,
        since: u64,
    }

    impl Bucket {
        fn admit(&mut self, interval: u128, burst: u128, now: u64) -> bool {
            self.filled_ns = self.filled_ns.saturating_sub(u128::from(now - self.since));
            self.since = now;
            let fits = self.filled_ns + interval <= interval * burst;
            if fits {
                self.filled_ns += interval;
            }
            fits
        }
    }

    proptest! {
        #[test]
        fn decisions_are_those_of_a_leaky_bucket_for_each_client(
            per_sec in 1e-3f64..1e6,
            burst in 1u32..20,
            arrivals in prop::collection::vec((0u32..6, 0u64..30), 1..300),
        ) {
            let limiter = Limiter::new(Rate { per_sec, burst }, 1 << 10);
            let interval = gcra(Rate { per_sec, burst }).interval_ns();
            let mut model: HashMap<u32, Bucket> = HashMap::new();
            let mut now = 1_000_000_000_000;
            for (who, tenths) in arrivals {
                now += interval * tenths / 10;
                let expected = model.entry(who).or_default().admit(
                    u128::from(interval),
                    u128::from(burst),
                    now,
                );
                let decision = limiter.admit(&client(who), now);
                prop_assert_eq!(decision.is_ok(), expected);
                if let Err(RetryAfter(wait)) = decision {
                    prop_assert!(wait.as_nanos() as u64 <= interval);
                }
            }
        }
    }
}
