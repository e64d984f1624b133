//! How many of something are held at once, by key: streams of an address, sessions of a token.
//!
//! A fixed table of words, one a key: 48 bits of its hash and how many are held. Places whose count
//! is zero are free. When all places a key may be in are taken by others it goes uncounted rather
//! than refused: memory is bounded, and nobody is shut out by his neighbours.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use super::CLIENTS;

/// Places a key may be in: one cache line.
const WAYS: usize = 8;
const COUNT: u64 = 0xffff;

/// The key holds as many as it may.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Full;

/// Counts by key; one table for all workers.
pub struct Counts {
    slots: Box<[AtomicU64]>,
    seed: RandomState,
}

/// One that is held; dropping it gives it back.
pub struct Held {
    counts: Arc<Counts>,
    key: u64,
}

impl Counts {
    /// Room for [`CLIENTS`] keys, half a mebibyte.
    pub fn new() -> Self {
        Self {
            slots: (0..CLIENTS).map(|_| AtomicU64::new(0)).collect(),
            seed: RandomState::new(),
        }
    }

    /// A key nobody outside can choose.
    pub fn key(&self, parts: impl Hash) -> u64 {
        self.seed.hash_one(parts)
    }

    /// Takes one more for the key, of at most `most`.
    pub fn hold(self: &Arc<Self>, key: u64, most: u32) -> Result<Held, Full> {
        self.enter(key, most)?;
        Ok(Held {
            counts: Arc::clone(self),
            key,
        })
    }

    /// Counts one more; [`Counts::leave`] gives it back.
    pub fn enter(&self, key: u64, most: u32) -> Result<(), Full> {
        let id = id(key);
        'look: loop {
            let mut free = None;
            for slot in self.set(key) {
                let word = slot.load(Relaxed);
                if word & COUNT == 0 {
                    free = free.or(Some((slot, word)));
                } else if word & !COUNT == id {
                    if word & COUNT >= u64::from(most).min(COUNT) {
                        return Err(Full);
                    }
                    match slot.compare_exchange(word, word + 1, Relaxed, Relaxed) {
                        Ok(_) => return Ok(()),
                        Err(_) => continue 'look,
                    }
                }
            }
            let Some((slot, word)) = free else {
                return Ok(());
            };
            if slot
                .compare_exchange(word, id | 1, Relaxed, Relaxed)
                .is_ok()
            {
                return Ok(());
            }
        }
    }

    /// Gives one back.
    pub fn leave(&self, key: u64) {
        let id = id(key);
        for slot in self.set(key) {
            // Fails only where it is not ours any more.
            let left = slot.fetch_update(Relaxed, Relaxed, |word| {
                (word & !COUNT == id && word & COUNT > 0).then(|| word - 1)
            });
            if left.is_ok() {
                return;
            }
        }
    }

    /// How many the key holds.
    pub fn held(&self, key: u64) -> u32 {
        let id = id(key);
        let words = self.set(key).iter().map(|slot| slot.load(Relaxed));
        words
            .filter(|word| word & !COUNT == id)
            .map(|word| (word & COUNT) as u32)
            .sum()
    }

    fn set(&self, key: u64) -> &[AtomicU64] {
        let sets = self.slots.len() / WAYS;
        let first = (key as usize % sets) * WAYS;
        &self.slots[first..first + WAYS]
    }
}

impl Default for Counts {
    fn default() -> Self {
        Self::new()
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        self.counts.leave(self.key);
    }
}

/// The upper bits; zero stands for nobody.
fn id(key: u64) -> u64 {
    match key & !COUNT {
        0 => 1 << 16,
        id => id,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_held_is_bounded_and_comes_back() {
        let counts = Arc::new(Counts::new());
        let key = counts.key("a");
        let held: Vec<Held> = (0..3).map(|_| counts.hold(key, 3).expect("room")).collect();
        assert!(counts.hold(key, 3).is_err());
        assert_eq!(counts.held(key), 3);
        assert!(counts.hold(counts.key("b"), 1).is_ok());
        drop(held);
        assert_eq!(counts.held(key), 0);
        assert!(counts.hold(key, 1).is_ok());
    }

    #[test]
    fn threads_together_hold_no_more_than_they_may() {
        let counts = Arc::new(Counts::new());
        let key = counts.key("shared");
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| {
                    for _ in 0..5000 {
                        let held = counts.hold(key, 3);
                        assert!(counts.held(key) <= 4, "two places for one moment at most");
                        drop(held);
                    }
                });
            }
        });
        assert_eq!(counts.held(key), 0);
    }

    #[test]
    fn a_crowded_set_refuses_nobody() {
        let counts = Arc::new(Counts::new());
        let sets = (CLIENTS / WAYS) as u64;
        let keys: Vec<u64> = (1..=WAYS as u64 + 2).map(|n| (n << 20) * sets).collect();
        let held: Vec<_> = keys.iter().map(|&key| counts.hold(key, 1)).collect();
        assert!(held.iter().all(Result::is_ok));
        drop(held);
        assert!(keys.iter().all(|&key| counts.held(key) == 0));
    }
}
