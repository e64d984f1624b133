//! From refused requests to a ban.
//!
//! A client that is told to wait and does not is counted; one that does so too often is named for a
//! ban in the kernel, where its next packet costs next to nothing. The count leaks: `refused`
//! refusals at once reach the threshold, and so does a client that keeps on faster than `refused`
//! every `within`; one that is slower never does.

use std::sync::Arc;
use std::time::Duration;

use edge_common::Gcra;

use super::key::ClientKey;
use super::table::{CLIENTS, Table};
use crate::config::Penalty;

/// Refused requests by client; one for all workers.
pub struct Penalties {
    /// How many refusals go unpunished; `None`: not one.
    tolerated: Option<Gcra>,
    ban: Duration,
    table: Arc<Table>,
}

impl Penalties {
    /// Counts to the threshold of `penalty`.
    pub fn new(penalty: Penalty) -> Self {
        Self::counting(penalty, Arc::new(Table::new(CLIENTS)))
    }

    /// Another threshold for the same clients: their refusals stay counted.
    pub fn with(&self, penalty: Penalty) -> Self {
        Self::counting(penalty, Arc::clone(&self.table))
    }

    fn counting(penalty: Penalty, table: Arc<Table>) -> Self {
        let within_ns = u64::try_from(penalty.within.as_nanos()).unwrap_or(u64::MAX);
        let interval = (within_ns / u64::from(penalty.refused.max(1))).max(1);
        Self {
            tolerated: Gcra::from_interval(interval, penalty.refused.saturating_sub(1)),
            ban: penalty.ban,
            table,
        }
    }

    /// Counts one refused request at `now_ns`; `Some` if the client is to be banned, and for how
    /// long.
    ///
    /// Every further refusal says so again, so that a ban that did not take effect is asked for
    /// anew; asking twice does no harm.
    pub fn record(&self, client: &ClientKey, now_ns: u64) -> Option<Duration> {
        let Some(tolerated) = &self.tolerated else {
            return Some(self.ban);
        };
        match self.table.admit(tolerated, client, now_ns) {
            Ok(()) => None,
            Err(_) => Some(self.ban),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    fn client(last: u8) -> ClientKey {
        ClientKey::from_ip([192, 0, 2, last].into(), 64)
    }

    fn penalties(refused: u32, within: u64) -> Penalties {
        Penalties::new(Penalty {
            refused,
            within: Duration::from_secs(within),
            ban: Duration::from_secs(600),
        })
    }

    /// The numbers of the refusals that ask for a ban.
    fn bans(penalties: &Penalties, times: impl IntoIterator<Item = u64>) -> Vec<usize> {
        times
            .into_iter()
            .enumerate()
            .filter_map(|(n, now)| penalties.record(&client(1), now).map(|_| n + 1))
            .collect()
    }

    #[test]
    fn the_threshold_bans_and_so_does_every_refusal_after_it() {
        assert_eq!(bans(&penalties(5, 60), [SECOND; 7]), [5, 6, 7]);
        assert_eq!(bans(&penalties(1, 60), [SECOND; 2]), [1, 2]);
        assert_eq!(bans(&penalties(0, 60), [SECOND; 1]), [1]);
        assert_eq!(
            penalties(1, 60).record(&client(1), 0),
            Some(Duration::from_secs(600))
        );
    }

    #[test]
    fn clients_are_counted_apart() {
        let penalties = penalties(2, 60);
        assert_eq!(penalties.record(&client(1), SECOND), None);
        assert_eq!(penalties.record(&client(2), SECOND), None);
        assert!(penalties.record(&client(1), SECOND).is_some());
    }

    #[test]
    fn slow_refusals_are_forgiven_and_fast_ones_are_not() {
        // 10 within 60 s: one every 6 s is forgiven for ever.
        let slow = (0..1000).map(|n| SECOND + n * 6 * SECOND);
        assert!(bans(&penalties(10, 60), slow).is_empty());
        let fast = (0..30).map(|n| SECOND + n * 3 * SECOND);
        let banned = bans(&penalties(10, 60), fast);
        assert!((10..20).contains(&banned[0]), "{banned:?}");
        // After `within` without refusals all is forgotten.
        let twice = [SECOND; 9].into_iter().chain([62 * SECOND; 9]);
        assert!(bans(&penalties(10, 60), twice).is_empty());
    }
}
