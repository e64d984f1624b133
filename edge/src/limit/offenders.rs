//! Who was banned before: each further ban lasts twice as long.

use std::collections::{BTreeSet, HashMap};
use std::time::Duration;

use edge_common::{OFFENDERS_MAX, Offender};

use super::key::ClientKey;
use crate::config::Penalty;

/// Clients forgotten by one sweep.
const SWEEP_MAX: usize = 4096;

/// Past bans, those that still stand included. When there are more clients than are remembered, those
/// that would be forgotten first are.
#[derive(Debug, Default)]
pub struct Offenders {
    past: HashMap<ClientKey, Offender>,
    by_forget: BTreeSet<(u64, ClientKey)>,
}

/// A ban to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sentence {
    /// How long.
    pub duration: Duration,
    /// Which of the client's bans it is, from 1.
    pub count: u16,
}

impl Offenders {
    /// How long a client is to be banned; `None` while it is already.
    pub fn sentence(&self, client: &ClientKey, penalty: &Penalty, now_ns: u64) -> Option<Sentence> {
        let past = self.past.get(client);
        if past.is_some_and(|past| past.until_ns > now_ns) {
            return None;
        }
        let before = past.map_or(0, |past| match past.forget_ns > now_ns {
            true => past.bans,
            false => 0,
        });
        let doubled = 2u32.checked_pow(u32::from(before)).unwrap_or(u32::MAX);
        Some(Sentence {
            duration: penalty.ban.saturating_mul(doubled).min(penalty.ban_max),
            count: before.saturating_add(1),
        })
    }

    /// A client was banned for the `count`th time, until then, which counts so much longer. Whoever
    /// had to make room for it is forgotten.
    pub fn record(
        &mut self,
        client: ClientKey,
        count: u16,
        until_ns: u64,
        forget: Duration,
    ) -> Option<ClientKey> {
        let forget_ns = u64::try_from(forget.as_nanos()).unwrap_or(u64::MAX);
        let forget_ns = until_ns.saturating_add(forget_ns);
        self.insert(client, Offender::new(count, until_ns, forget_ns))
    }

    /// Takes in what is known of a client, as [`Offenders::past`] had it.
    pub fn insert(&mut self, client: ClientKey, past: Offender) -> Option<ClientKey> {
        self.forgive(&client);
        self.by_forget.insert((past.forget_ns, client));
        self.past.insert(client, past);
        match self.past.len() > OFFENDERS_MAX as usize {
            true => self.forget_first(),
            false => None,
        }
    }

    /// What is known of a client.
    pub fn past(&self, client: &ClientKey) -> Option<Offender> {
        self.past.get(client).copied()
    }

    /// An operator has lifted the ban: the client starts anew.
    pub fn forgive(&mut self, client: &ClientKey) {
        if let Some(past) = self.past.remove(client) {
            self.by_forget.remove(&(past.forget_ns, *client));
        }
    }

    /// Forgets those whose time has come, a bounded number; who they are.
    pub fn sweep(&mut self, now_ns: u64) -> Vec<ClientKey> {
        let mut forgotten = Vec::new();
        while forgotten.len() < SWEEP_MAX {
            match self.by_forget.first() {
                Some((forget_ns, _)) if *forget_ns <= now_ns => {
                    forgotten.extend(self.forget_first());
                }
                _ => break,
            }
        }
        forgotten
    }

    fn forget_first(&mut self) -> Option<ClientKey> {
        let (_, client) = self.by_forget.pop_first()?;
        self.past.remove(&client);
        Some(client)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Weights;

    const SECOND: u64 = 1_000_000_000;

    fn client(n: u32) -> ClientKey {
        ClientKey::from_ip(std::net::Ipv4Addr::from_bits(n).into(), 64)
    }

    fn penalty() -> Penalty {
        Penalty {
            refused: 1,
            within: Duration::from_secs(1),
            ban: Duration::from_secs(10),
            ban_max: Duration::from_secs(50),
            forget: Duration::from_secs(100),
            weights: Weights {
                handshake: 0,
                malformed: 0,
                smuggling: 0,
                oversize: 0,
                resets: 0,
                auth: 0,
            },
        }
    }

    #[test]
    fn bans_double_up_to_the_longest_and_are_forgotten() {
        let mut offenders = Offenders::default();
        let mut now = SECOND;
        let mut lengths = Vec::new();
        for _ in 0..5 {
            let sentence = offenders.sentence(&client(1), &penalty(), now).unwrap();
            lengths.push(sentence.duration.as_secs());
            let until = now + sentence.duration.as_nanos() as u64;
            offenders.record(client(1), sentence.count, until, penalty().forget);
            assert_eq!(offenders.sentence(&client(1), &penalty(), until - 1), None);
            now = until + 99 * SECOND;
        }
        assert_eq!(lengths, [10, 20, 40, 50, 50]);
        let first = |offenders: &Offenders, now| {
            let sentence = offenders.sentence(&client(1), &penalty(), now).unwrap();
            sentence.duration.as_secs() == 10 && sentence.count == 1
        };
        assert!(!first(&offenders, now) && first(&offenders, now + SECOND));
        assert_eq!(offenders.sweep(now), []);
        assert_eq!(offenders.sweep(now + SECOND), [client(1)]);
        assert!(offenders.past.is_empty() && offenders.by_forget.is_empty());
    }

    #[test]
    fn who_was_forgiven_starts_anew() {
        let mut offenders = Offenders::default();
        offenders.record(client(1), 7, 10 * SECOND, penalty().forget);
        assert_eq!(offenders.sentence(&client(1), &penalty(), SECOND), None);
        offenders.forgive(&client(1));
        let sentence = offenders.sentence(&client(1), &penalty(), SECOND).unwrap();
        assert_eq!(sentence.count, 1);
    }

    #[test]
    fn the_memory_is_bounded_and_forgets_the_oldest() {
        let mut offenders = Offenders::default();
        for n in 0..OFFENDERS_MAX + 3 {
            let forgotten = offenders.record(client(n), 1, u64::from(n), penalty().forget);
            assert_eq!(forgotten, n.checked_sub(OFFENDERS_MAX).map(client));
        }
        assert_eq!(offenders.past.len(), OFFENDERS_MAX as usize);
        assert_eq!(offenders.by_forget.len(), OFFENDERS_MAX as usize);
        assert!(!offenders.past.contains_key(&client(2)));
        assert!(offenders.past.contains_key(&client(3)));
    }

    #[test]
    fn no_number_of_bans_is_too_many() {
        let mut offenders = Offenders::default();
        offenders.record(client(1), u16::MAX, 0, penalty().forget);
        let sentence = offenders.sentence(&client(1), &penalty(), SECOND).unwrap();
        assert_eq!(sentence.duration, penalty().ban_max);
        assert_eq!(sentence.count, u16::MAX);
    }
}
