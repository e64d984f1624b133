//! The state of all clients, shared by all workers.
//!
//! This is the one mutable structure that workers share on the way of a request. A client's
//! connections land on different workers; with a table for each, it would get the rate times the
//! number of workers. There is no lock: a client is one 128-bit word (half of it a keyed hash of
//! the address, half its GCRA state) that is replaced as a whole by compare-and-swap, in one of the
//! eight places that its hash allows, 128 bytes.
//!
//! Why a client cannot get in twice when two workers see it first at the same moment: both replace
//! the place that was idle longest, a choice that depends on nothing but the eight words, and words
//! only grow. For both to succeed in different places, each would have to see the other's place as
//! newer than its own and yet unchanged since. So the later one fails, looks again and finds the
//! client. Only where all eight clients owe more than one request does a word shrink when replaced,
//! and the set is then too small to be exact in any case.
//!
//! The hash is keyed with a random seed: clients cannot choose whom they share places with. Two
//! clients share a state if 64 bits of hash are equal, which does not happen.

use std::hash::{BuildHasher, RandomState};

use edge_common::Gcra;
use portable_atomic::{AtomicU128, Ordering::Relaxed};

use super::key::ClientKey;

/// Clients to make room for unless there is a reason for another number: a mebibyte.
pub const CLIENTS: usize = 1 << 16;

/// Places a client may be in: two cache lines.
const WAYS: usize = 8;

/// GCRA states by client.
pub(super) struct Table {
    slots: Box<[AtomicU128]>,
    seed: RandomState,
}

impl Table {
    /// Room for `clients` (rounded up to a power of two, at least eight), 16 bytes each.
    pub(super) fn new(clients: usize) -> Self {
        let sets = clients.div_ceil(WAYS).next_power_of_two();
        Self {
            slots: (0..sets * WAYS).map(|_| AtomicU128::new(0)).collect(),
            seed: RandomState::new(),
        }
    }

    /// Decides on one arrival; `Ok` holds the new state, `Err` the nanoseconds after which the next
    /// can succeed.
    pub(super) fn admit(&self, gcra: &Gcra, key: &ClientKey, now: u64) -> Result<u64, u64> {
        // Zero marks a place that was never used.
        let id = self.seed.hash_one(key).max(1);
        let set = self.set(id);
        'look: loop {
            let mut idle = (&set[0], Entry { id: 0, tat: 0 });
            let mut idle_tat = u64::MAX;
            for slot in set {
                let mut entry = Entry::unpack(slot.load(Relaxed));
                while entry.id == id {
                    let tat = gcra.admit(entry.tat, now)?;
                    match replace(slot, entry, Entry { id, tat }) {
                        Ok(()) => return Ok(tat),
                        Err(other) if other.id == id => entry = other,
                        Err(_) => continue 'look,
                    }
                }
                if entry.tat < idle_tat {
                    idle = (slot, entry);
                    idle_tat = entry.tat;
                }
            }
            let tat = gcra.admit(0, now)?;
            if replace(idle.0, idle.1, Entry { id, tat }).is_ok() {
                return Ok(tat);
            }
        }
    }

    fn set(&self, id: u64) -> &[AtomicU128] {
        let sets = self.slots.len() / WAYS;
        let first = (id as usize & (sets - 1)) * WAYS;
        &self.slots[first..first + WAYS]
    }
}

/// One place; all zero when never used.
#[derive(Clone, Copy)]
struct Entry {
    id: u64,
    tat: u64,
}

impl Entry {
    fn pack(self) -> u128 {
        u128::from(self.id) << 64 | u128::from(self.tat)
    }

    fn unpack(word: u128) -> Self {
        Self {
            id: (word >> 64) as u64,
            tat: word as u64,
        }
    }
}

/// Puts `new` where `old` is, or says what is there instead.
fn replace(slot: &AtomicU128, old: Entry, new: Entry) -> Result<(), Entry> {
    slot.compare_exchange(old.pack(), new.pack(), Relaxed, Relaxed)
        .map(|_| ())
        .map_err(Entry::unpack)
}

#[cfg(test)]
mod tests;
