//! What a worker has stored: least recently used goes first when there are too many bytes of it.

use std::collections::{BTreeMap, HashMap};
use std::rc::Rc;

use super::capture::Landing;
use super::stored::Stored;
use crate::message::Fields;

/// Everything that tells one question from another.
pub(super) type Key = Rc<[u8]>;

/// Answers to one question that differ by fields of the request (RFC 9111 §4.1).
const VARIANTS_MAX: usize = 8;
/// What an entry takes beside its key and its answers.
const ENTRY_BYTES: usize = 256;

/// The answers of one worker, and what is being fetched.
#[derive(Default)]
pub(in crate::proxy) struct Store {
    bytes_max: usize,
    bytes: usize,
    entries: HashMap<Key, Entry>,
    /// Keys by their last use.
    used: BTreeMap<u64, Key>,
    turn: u64,
    pub(super) flights: HashMap<Key, Rc<Landing>>,
}

#[derive(Default)]
struct Entry {
    variants: Vec<Rc<Stored>>,
    /// Until then, that the answers cannot be stored need not be found out again.
    passes_until_ns: u64,
    used: u64,
    bytes: usize,
}

/// What is known of a question.
pub(super) struct Known {
    pub(super) stored: Option<Rc<Stored>>,
    /// The last answer could not be stored.
    pub(super) passes: bool,
}

impl Store {
    /// A store for at most `bytes_max` bytes.
    pub(in crate::proxy) fn new(bytes_max: usize) -> Store {
        Store {
            bytes_max,
            ..Store::default()
        }
    }

    /// Bytes and entries.
    pub(in crate::proxy) fn size(&self) -> (usize, usize) {
        (self.bytes, self.entries.len())
    }

    /// Forgets everything and takes nothing any more.
    pub(in crate::proxy) fn close(&mut self) {
        self.bytes_max = 0;
        self.shrink();
    }

    pub(super) fn find(&mut self, key: &Key, fields: &Fields, now_ns: u64) -> Known {
        let Some(entry) = self.entries.get_mut(key) else {
            return Known {
                stored: None,
                passes: false,
            };
        };
        self.turn += 1;
        self.used.remove(&entry.used);
        entry.used = self.turn;
        self.used.insert(self.turn, Rc::clone(key));
        let fits = |stored: &&Rc<Stored>| stored.fits(fields);
        Known {
            stored: entry.variants.iter().find(fits).cloned(),
            passes: entry.passes_until_ns > now_ns,
        }
    }

    /// Takes an answer in place of the one for the same fields.
    pub(super) fn put(&mut self, key: &Key, stored: impl Into<Rc<Stored>>) {
        let stored = stored.into();
        self.change(key, |entry| {
            entry.passes_until_ns = 0;
            entry
                .variants
                .retain(|known| !known.is_replaced_by(&stored));
            if entry.variants.len() >= VARIANTS_MAX {
                entry.variants.remove(0);
            }
            entry.variants.push(stored);
        });
    }

    /// The answer could not be stored; what was stored before is no longer the answer.
    pub(super) fn pass(&mut self, key: &Key, until_ns: u64) {
        self.change(key, |entry| {
            entry.variants.clear();
            entry.passes_until_ns = until_ns;
        });
    }

    /// Forgets the answers to a question.
    pub(super) fn remove(&mut self, key: &Key) {
        if let Some(entry) = self.entries.remove(key) {
            self.used.remove(&entry.used);
            self.bytes -= entry.bytes;
        }
    }

    fn change(&mut self, key: &Key, change: impl FnOnce(&mut Entry)) {
        let mut entry = self.entries.remove(key).unwrap_or_default();
        self.used.remove(&entry.used);
        self.bytes -= entry.bytes;
        change(&mut entry);
        let answers: usize = entry.variants.iter().map(|stored| stored.bytes()).sum();
        entry.bytes = ENTRY_BYTES + 2 * key.len() + answers;
        self.bytes += entry.bytes;
        self.turn += 1;
        entry.used = self.turn;
        self.used.insert(self.turn, Rc::clone(key));
        self.entries.insert(Rc::clone(key), entry);
        self.shrink();
    }

    fn shrink(&mut self) {
        while self.bytes > self.bytes_max {
            let Some((_, key)) = self.used.pop_first() else {
                return;
            };
            let entry = self.entries.remove(&key);
            self.bytes -= entry.map_or(0, |entry| entry.bytes);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(name: &str) -> Key {
        name.as_bytes().into()
    }

    fn put(store: &mut Store, name: &str, bytes: usize) {
        store.put(&key(name), Stored::for_tests(bytes, &[]));
    }

    fn has(store: &mut Store, name: &str) -> bool {
        store
            .find(&key(name), &Fields::default(), 0)
            .stored
            .is_some()
    }

    #[test]
    fn the_least_recently_used_makes_room() {
        let mut store = Store::new(40_000);
        for name in ["a", "b", "c"] {
            put(&mut store, name, 10_000);
        }
        assert!(has(&mut store, "a"));
        put(&mut store, "d", 10_000);
        let kept = ["a", "b", "c", "d"].map(|name| has(&mut store, name));
        assert_eq!(kept, [true, false, true, true]);
        put(&mut store, "e", 50_000);
        assert_eq!(store.size(), (0, 0), "larger than everything together");
        for round in 0..1000 {
            put(&mut store, &format!("{round}"), round * 37 % 9_000);
            store.pass(&key(&format!("{}", round / 2)), 1);
            assert!(store.size().0 <= 40_000);
        }
        store.close();
        assert_eq!(store.size(), (0, 0));
        put(&mut store, "a", 1);
        assert!(!has(&mut store, "a"));
    }

    #[test]
    fn answers_that_differ_by_a_field() {
        let mut store = Store::new(1 << 20);
        let german = |value: &str| {
            let mut fields = Fields::default();
            fields.push(b"accept-language", value.as_bytes());
            fields
        };
        for n in 0..20 {
            let vary = [("accept-language", Some(n.to_string().into_bytes()))];
            store.put(&key("a"), Stored::for_tests(n, &vary));
            store.put(&key("a"), Stored::for_tests(n + 100, &vary));
        }
        let len = |store: &mut Store, value: &str| {
            let known = store.find(&key("a"), &german(value), 0);
            known.stored.map(|stored| stored.body.len())
        };
        assert_eq!(len(&mut store, "19"), Some(119), "the later one");
        assert_eq!(len(&mut store, "12"), Some(112));
        assert_eq!(len(&mut store, "11"), None, "eight are kept");
        store.pass(&key("a"), 5);
        assert_eq!(len(&mut store, "19"), None);
        assert!(store.find(&key("a"), &german("19"), 4).passes);
        assert!(!store.find(&key("a"), &german("19"), 5).passes);
    }
}
