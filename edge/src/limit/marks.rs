//! Clients that were to be banned a moment ago, for all workers to see: with their next offence or
//! request their connections are closed.
//!
//! It is said at once, before the ban is entered; and where there is no kernel program it is all
//! there is. Whoever is forgotten early because many come at once is marked again by its next offence.

use std::hash::{BuildHasher, RandomState};
use std::time::Duration;

use portable_atomic::{AtomicU128, Ordering::Relaxed};

use super::key::ClientKey;

/// Clients remembered: a power of two. Who shares a place with a later one is forgotten early.
const PLACES: usize = 1024;

/// Half a word is a keyed hash of the client, half the time until which it stands.
pub(super) struct Marks {
    places: Box<[AtomicU128]>,
    seed: RandomState,
    lasts_ns: u64,
}

impl Marks {
    /// None yet; each will stand for so long.
    pub(super) fn new(lasts: Duration) -> Marks {
        Marks {
            places: (0..PLACES).map(|_| AtomicU128::new(0)).collect(),
            seed: RandomState::new(),
            lasts_ns: lasts.as_nanos() as u64,
        }
    }

    pub(super) fn set(&self, client: &ClientKey, now_ns: u64) {
        let id = self.seed.hash_one(client);
        let until = now_ns + self.lasts_ns;
        self.place(id)
            .store(u128::from(id) << 64 | u128::from(until), Relaxed);
    }

    pub(super) fn is_set(&self, client: &ClientKey, now_ns: u64) -> bool {
        let id = self.seed.hash_one(client);
        let word = self.place(id).load(Relaxed);
        (word >> 64) as u64 == id && (word as u64) > now_ns
    }

    fn place(&self, id: u64) -> &AtomicU128 {
        &self.places[id as usize % PLACES]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_for_one_client_and_for_a_while() {
        let client = |last| ClientKey::from_ip([192, 0, 2, last].into(), 64);
        let marks = Marks::new(Duration::from_secs(5));
        assert!(!marks.is_set(&client(1), 7));
        marks.set(&client(1), 7);
        assert!(marks.is_set(&client(1), 7) && !marks.is_set(&client(2), 7));
        assert!(marks.is_set(&client(1), 5_000_000_006));
        assert!(!marks.is_set(&client(1), 5_000_000_007));
    }
}
