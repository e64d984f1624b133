//! From offences to a ban.
//!
//! What a client does wrong is counted, each offence with its weight; one that does too much of it
//! is named for a ban in the kernel, where its next packet costs next to nothing. The count leaks:
//! `refused` requests after 429 at once reach the threshold, and so does a client that keeps on
//! faster than `refused` every `within`; one that is slower never does. An offence of weight five
//! counts as five refused requests.

use std::sync::Arc;
use std::time::Duration;

use edge_common::Gcra;

use super::key::ClientKey;
use super::marks::Marks;
use super::offence::Offence;
use super::table::{CLIENTS, Table};
use crate::config::Penalty;

/// Longer than a connection takes from one request to the next while its client misbehaves; short,
/// because lifting a ban does not reach here.
const MARKED: Duration = Duration::from_secs(5);

/// Offences by client; one for all workers.
pub struct Penalties {
    penalty: Penalty,
    /// What each offence takes, in the order of [`Offence::ALL`].
    tolerated: [Tolerance; Offence::ALL.len()],
    shared: Arc<Shared>,
}

struct Shared {
    table: Table,
    banned: Marks,
}

/// How often an offence goes unpunished.
#[derive(Clone, Copy)]
enum Tolerance {
    Always,
    Until(Gcra),
    Never,
}

impl Penalties {
    /// Counts to the threshold of `penalty`.
    pub fn new(penalty: Penalty) -> Self {
        let shared = Shared {
            table: Table::new(CLIENTS),
            banned: Marks::new(MARKED),
        };
        Self::counting(penalty, Arc::new(shared))
    }

    /// Another threshold for the same clients: their offences stay counted.
    pub fn with(&self, penalty: Penalty) -> Self {
        Self::counting(penalty, Arc::clone(&self.shared))
    }

    fn counting(penalty: Penalty, shared: Arc<Shared>) -> Self {
        let within_ns = u64::try_from(penalty.within.as_nanos()).unwrap_or(u64::MAX);
        let interval = (within_ns / u64::from(penalty.refused.max(1))).max(1);
        let one = Gcra::from_interval(interval, penalty.refused.saturating_sub(1));
        let tolerated = Offence::ALL.map(|offence| match (weight(&penalty, offence), one) {
            (0, _) => Tolerance::Always,
            (_, None) => Tolerance::Never,
            (weight, Some(one)) => Tolerance::Until(one.weighted(weight)),
        });
        Self {
            penalty,
            tolerated,
            shared,
        }
    }

    /// The settings it counts by.
    pub fn settings(&self) -> &Penalty {
        &self.penalty
    }

    /// Counts one offence at `now_ns`; true if the client is to be banned for it.
    ///
    /// Every further offence says so again, so that a ban that did not take effect is asked for
    /// anew; asking twice does no harm.
    pub fn record(&self, client: &ClientKey, offence: Offence, now_ns: u64) -> bool {
        let is_over = match &self.tolerated[offence as usize] {
            Tolerance::Always => false,
            Tolerance::Never => true,
            Tolerance::Until(gcra) => self.shared.table.admit(gcra, client, now_ns).is_err(),
        };
        if is_over {
            self.shared.banned.set(client, now_ns);
        }
        is_over
    }

    /// Whether the client was to be banned a moment ago: its connections are to be closed.
    pub fn is_banned(&self, client: &ClientKey, now_ns: u64) -> bool {
        self.shared.banned.is_set(client, now_ns)
    }
}

fn weight(penalty: &Penalty, offence: Offence) -> u32 {
    let weights = &penalty.weights;
    match offence {
        Offence::Refused => 1,
        Offence::Handshake => weights.handshake,
        Offence::Malformed => weights.malformed,
        Offence::Smuggling => weights.smuggling,
        Offence::Oversize => weights.oversize,
        Offence::Resets => weights.resets,
        Offence::Auth => weights.auth,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Weights;

    const SECOND: u64 = 1_000_000_000;

    fn client(last: u8) -> ClientKey {
        ClientKey::from_ip([192, 0, 2, last].into(), 64)
    }

    fn penalties(refused: u32, within: u64) -> Penalties {
        Penalties::new(Penalty {
            refused,
            within: Duration::from_secs(within),
            ban: Duration::from_secs(600),
            ban_max: Duration::from_secs(86_400),
            forget: Duration::from_secs(86_400),
            weights: Weights {
                handshake: 2,
                malformed: 5,
                smuggling: 1_000_000,
                oversize: 0,
                resets: 20,
                auth: 5,
            },
        })
    }

    /// The numbers of the offences that ask for a ban.
    fn bans_for(
        offence: Offence,
        penalties: &Penalties,
        times: impl IntoIterator<Item = u64>,
    ) -> Vec<usize> {
        times
            .into_iter()
            .enumerate()
            .filter_map(|(n, now)| penalties.record(&client(1), offence, now).then_some(n + 1))
            .collect()
    }

    fn bans(penalties: &Penalties, times: impl IntoIterator<Item = u64>) -> Vec<usize> {
        bans_for(Offence::Refused, penalties, times)
    }

    #[test]
    fn the_threshold_bans_and_so_does_every_refusal_after_it() {
        assert_eq!(bans(&penalties(5, 60), [SECOND; 7]), [5, 6, 7]);
        assert_eq!(bans(&penalties(1, 60), [SECOND; 2]), [1, 2]);
        assert_eq!(bans(&penalties(0, 60), [SECOND; 1]), [1]);
    }

    #[test]
    fn clients_are_counted_apart() {
        let penalties = penalties(2, 60);
        assert!(!penalties.record(&client(1), Offence::Refused, SECOND));
        assert!(!penalties.record(&client(2), Offence::Refused, SECOND));
        assert!(penalties.record(&client(1), Offence::Refused, SECOND));
        assert!(penalties.is_banned(&client(1), SECOND));
        assert!(!penalties.is_banned(&client(2), SECOND));
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

    #[test]
    fn offences_count_by_their_weight_in_one_account() {
        // 100 in 20s, 5s and 2s.
        let first = |offence| bans_for(offence, &penalties(100, 60), [SECOND; 100])[0];
        assert_eq!(first(Offence::Resets), 5);
        assert_eq!(first(Offence::Malformed), 20);
        assert_eq!(first(Offence::Handshake), 50);
        assert_eq!(first(Offence::Smuggling), 1, "more than all there is");
        assert!(bans_for(Offence::Oversize, &penalties(100, 60), [SECOND; 200]).is_empty());

        let mixed = penalties(100, 60);
        assert!(bans_for(Offence::Auth, &mixed, [SECOND; 10]).is_empty());
        assert!(bans_for(Offence::Handshake, &mixed, [SECOND; 20]).is_empty());
        assert_eq!(bans(&mixed, [SECOND; 10]), [10], "50 and 40 and 10");
    }
}
