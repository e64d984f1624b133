//! Which server issued which session, for all workers and beyond every reload.
//!
//! A fixed table, four-way: a session is one 128-bit word (64 bits of a keyed hash of its id, 32 of
//! its server, the second it was last used) that is replaced as a whole by compare-and-swap, so that
//! a lookup takes no lock. Beside it stands whom it is counted for. When a set is full, sessions that
//! have been idle too long make room first, then the one that was idle longest: memory is bounded,
//! and a session that is gone costs its client a new handshake, no more.

use std::hash::{BuildHasher, Hash, RandomState};
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};

use portable_atomic::AtomicU128;

use crate::limit::Counts;

/// Sessions to make room for, 24 bytes each.
const SESSIONS: usize = 1 << 16;
const WAYS: usize = 8;
/// A use is written down once in so many seconds, so that a busy session stays in every cache.
const TOUCH_S: u32 = 8;
/// Sets looked at per sweep; a whole round takes two minutes at one sweep a second.
const SWEEP_SETS: usize = SESSIONS / WAYS / 128;

/// The server a session belongs to: a hash of its address, which is the same in every configuration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ServerTag(u32);

impl ServerTag {
    /// The tag of a server's address (FNV-1a: it must not change between processes).
    pub fn of(address: &str) -> Self {
        let step = |hash: u32, byte: u8| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193);
        Self(address.bytes().fold(0x811c_9dc5, step))
    }

    /// As it is written into sealed ids.
    pub fn to_bytes(self) -> [u8; 4] {
        self.0.to_be_bytes()
    }

    /// Reads what [`ServerTag::to_bytes`] wrote.
    pub fn from_bytes(bytes: [u8; 4]) -> Self {
        Self(u32::from_be_bytes(bytes))
    }
}

/// A session as the table knows it: a keyed hash of its upstream and id.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SessionKey(u64);

impl SessionKey {
    /// For logs: the same for every request of a session, and no way back to its id.
    pub fn hash(self) -> u64 {
        self.0
    }
}

/// All sessions.
pub struct Sessions {
    slots: Box<[Slot]>,
    seed: RandomState,
    /// Sessions by whom they are counted for.
    pub owners: Counts,
    len: AtomicUsize,
    swept: AtomicUsize,
    forgotten: AtomicU64,
}

#[derive(Default)]
struct Slot {
    word: AtomicU128,
    owner: AtomicU64,
}

/// One place; all zero when free.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Entry {
    id: u64,
    server: u32,
    used_s: u32,
}

const FREE: Entry = Entry {
    id: 0,
    server: 0,
    used_s: 0,
};
/// Somebody is about to write here.
const TAKEN: Entry = Entry {
    id: 0,
    server: 0,
    used_s: 1,
};

impl Sessions {
    /// An empty table.
    pub fn new() -> Self {
        Self {
            slots: (0..SESSIONS).map(|_| Slot::default()).collect(),
            seed: RandomState::new(),
            owners: Counts::new(),
            len: AtomicUsize::new(0),
            swept: AtomicUsize::new(0),
            forgotten: AtomicU64::new(0),
        }
    }

    /// The key of a session: an id means something only to the servers of its upstream.
    pub fn key(&self, upstream: &str, id: impl Hash) -> SessionKey {
        SessionKey(self.seed.hash_one((upstream, id)).max(1))
    }

    /// The server that issued the session; it counts as used.
    pub fn find(&self, key: SessionKey, now_s: u32) -> Option<ServerTag> {
        for slot in self.set(key) {
            let entry = Entry::load(slot);
            if entry.id == key.0 {
                if now_s.saturating_sub(entry.used_s) >= TOUCH_S {
                    // If another was faster, all the better.
                    let _ = entry.replace(
                        slot,
                        Entry {
                            used_s: now_s,
                            ..entry
                        },
                    );
                }
                return Some(ServerTag(entry.server));
            }
        }
        None
    }

    /// Remembers who issued a session, and counts it for `owner`.
    pub fn insert(&self, key: SessionKey, server: ServerTag, owner: u64, now_s: u32, idle_s: u32) {
        let new = Entry {
            id: key.0,
            server: server.0,
            used_s: now_s,
        };
        for _ in 0..WAYS {
            let mut oldest: Option<(&Slot, Entry)> = None;
            for slot in self.set(key) {
                let entry = Entry::load(slot);
                if entry.id == key.0 {
                    // Servers repeat the id with every response.
                    if entry.server != server.0 || now_s.saturating_sub(entry.used_s) >= TOUCH_S {
                        let _ = entry.replace(slot, new);
                    }
                    return;
                }
                let age = |entry: Entry| match entry {
                    FREE => u32::MAX,
                    entry => now_s.saturating_sub(entry.used_s).min(u32::MAX - 1),
                };
                if entry != TAKEN && oldest.is_none_or(|(_, other)| age(other) < age(entry)) {
                    oldest = Some((slot, entry));
                }
            }
            let Some((slot, entry)) = oldest else { return };
            if entry.replace(slot, TAKEN).is_err() {
                continue;
            }
            let before = slot.owner.swap(owner, Relaxed);
            if entry == FREE {
                self.len.fetch_add(1, Relaxed);
            } else {
                self.owners.leave(before);
                if now_s.saturating_sub(entry.used_s) < idle_s {
                    self.forgotten.fetch_add(1, Relaxed);
                }
            }
            // Uncounted beyond the most that can be counted; the limit is checked before.
            let _ = self.owners.enter(owner, u32::MAX);
            slot.word.store(new.pack(), Relaxed);
            return;
        }
    }

    /// Forgets a session; says whether it was known.
    pub fn remove(&self, key: SessionKey) -> bool {
        // Two workers may have entered it at the same moment.
        self.set(key).iter().fold(false, |known, slot| {
            let entry = Entry::load(slot);
            (entry.id == key.0 && self.free(slot, entry)) || known
        })
    }

    /// Forgets what has been idle too long, a part of the table at a time; call it about once a
    /// second.
    pub fn sweep(&self, now_s: u32, idle_s: u32) {
        let sets = SESSIONS / WAYS;
        let first = self.swept.fetch_add(SWEEP_SETS, Relaxed) % sets * WAYS;
        for slot in &self.slots[first..first + SWEEP_SETS * WAYS] {
            let entry = Entry::load(slot);
            if entry.id != 0 && now_s.saturating_sub(entry.used_s) >= idle_s {
                self.free(slot, entry);
            }
        }
    }

    /// Sessions known.
    pub fn len(&self) -> usize {
        self.len.load(Relaxed)
    }

    /// Whether none is known.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Sessions in use that had to make room for others, so far.
    pub fn forgotten(&self) -> u64 {
        self.forgotten.load(Relaxed)
    }

    fn free(&self, slot: &Slot, entry: Entry) -> bool {
        if entry.replace(slot, TAKEN).is_err() {
            return false;
        }
        self.owners.leave(slot.owner.swap(0, Relaxed));
        self.len.fetch_sub(1, Relaxed);
        slot.word.store(FREE.pack(), Relaxed);
        true
    }

    fn set(&self, key: SessionKey) -> &[Slot] {
        let first = key.0 as usize % (SESSIONS / WAYS) * WAYS;
        &self.slots[first..first + WAYS]
    }
}

impl Default for Sessions {
    fn default() -> Self {
        Self::new()
    }
}

impl Entry {
    fn load(slot: &Slot) -> Entry {
        let word = slot.word.load(Relaxed);
        Entry {
            id: (word >> 64) as u64,
            server: (word >> 32) as u32,
            used_s: word as u32,
        }
    }

    fn pack(self) -> u128 {
        u128::from(self.id) << 64 | u128::from(self.server) << 32 | u128::from(self.used_s)
    }

    fn replace(self, slot: &Slot, new: Entry) -> Result<(), ()> {
        slot.word
            .compare_exchange(self.pack(), new.pack(), Relaxed, Relaxed)
            .map_or(Err(()), |_| Ok(()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const IDLE_S: u32 = 600;

    fn server(n: u32) -> ServerTag {
        ServerTag(n)
    }

    #[test]
    fn a_session_is_found_until_it_ends() {
        let sessions = Sessions::new();
        let key = sessions.key("tools", "abc");
        assert_eq!(sessions.find(key, 10), None);
        sessions.insert(key, server(7), 1, 10, IDLE_S);
        assert_eq!(sessions.find(key, 11), Some(server(7)));
        assert_eq!(sessions.find(sessions.key("other", "abc"), 11), None);
        sessions.insert(key, server(7), 1, 12, IDLE_S);
        assert_eq!((sessions.len(), sessions.owners.held(1)), (1, 1));
        assert!(sessions.remove(key) && !sessions.remove(key));
        assert_eq!((sessions.find(key, 13), sessions.len()), (None, 0));
        assert_eq!(sessions.owners.held(1), 0);
    }

    #[test]
    fn idle_sessions_go_and_used_ones_stay() {
        let sessions = Sessions::new();
        let (used, idle) = (sessions.key("tools", 1), sessions.key("tools", 2));
        for key in [used, idle] {
            sessions.insert(key, server(1), 5, 0, IDLE_S);
        }
        assert!(sessions.find(used, IDLE_S - 1).is_some());
        for _ in 0..128 {
            sessions.sweep(IDLE_S, IDLE_S);
        }
        assert_eq!(sessions.find(idle, IDLE_S), None);
        assert_eq!(sessions.find(used, IDLE_S), Some(server(1)));
        assert_eq!((sessions.len(), sessions.owners.held(5)), (1, 1));
        assert_eq!(sessions.forgotten(), 0);
    }

    #[test]
    fn a_full_set_forgets_the_one_idle_longest() {
        let sessions = Sessions::new();
        let sets = (SESSIONS / WAYS) as u64;
        let key = |n: u64| SessionKey(n * sets);
        for n in 1..=WAYS as u64 + 1 {
            sessions.insert(key(n), server(n as u32), n << 20, n as u32, IDLE_S);
        }
        assert_eq!(sessions.find(key(1), 20), None);
        for n in 2..=WAYS as u64 + 1 {
            assert_eq!(sessions.find(key(n), 20), Some(server(n as u32)), "{n}");
        }
        assert_eq!((sessions.len(), sessions.forgotten()), (WAYS, 1));
        assert_eq!(sessions.owners.held(1 << 20), 0);
    }

    #[test]
    fn workers_agree() {
        let sessions = Sessions::new();
        std::thread::scope(|scope| {
            for worker in 0..4u32 {
                let sessions = &sessions;
                scope.spawn(move || {
                    for n in 0..2000u32 {
                        let key = sessions.key("tools", (worker, n));
                        sessions.insert(key, server(n), u64::from(worker + 1) << 20, n, IDLE_S);
                        assert_eq!(sessions.find(key, n), Some(server(n)));
                        if n % 2 == 0 {
                            assert!(sessions.remove(key));
                        }
                    }
                });
            }
        });
        assert_eq!(sessions.len(), 4000);
        for worker in 0..4u64 {
            assert_eq!(sessions.owners.held((worker + 1) << 20), 1000);
            for n in (1..2000u32).step_by(2) {
                let key = sessions.key("tools", (worker as u32, n));
                assert_eq!(sessions.find(key, 2000), Some(server(n)));
            }
        }
    }
}
