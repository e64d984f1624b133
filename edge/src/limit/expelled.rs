//! Who has just been banned, by whomever, for all workers to see: they close the connections they have
//! of them.
//!
//! Each ban is kept, however many come at once: with an import they are thousands a second, and a
//! connection that was overlooked would stand until it idles out. There are no more of them than bans.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};
use std::time::Duration;

use super::key::ClientKey;

/// Workers look ten times a second; one that is held up for longer leaves a connection to its idle
/// timeout.
const LASTS: Duration = Duration::from_secs(2);

/// Until when each stands.
type Until = HashMap<ClientKey, u64>;

/// The clients; clones share them. Workers look when somebody was added, and wait for one entry at
/// most, or for a sweep.
#[derive(Clone, Default)]
pub struct Expelled(Arc<Shared>);

#[derive(Default)]
struct Shared {
    until: RwLock<Until>,
    count: AtomicU64,
}

impl Expelled {
    /// A client is banned from now on.
    pub fn add(&self, client: &ClientKey, now_ns: u64) {
        let until_ns = now_ns + LASTS.as_nanos() as u64;
        self.write().insert(*client, until_ns);
        self.0.count.fetch_add(1, Ordering::Release);
    }

    /// Its ban is lifted.
    pub fn remove(&self, client: &ClientKey) {
        self.write().remove(client);
    }

    /// Forgets those that workers have seen by now.
    pub fn sweep(&self, now_ns: u64) {
        if self.read().is_empty() {
            return;
        }
        let mut until = self.write();
        until.retain(|_, until_ns| *until_ns > now_ns);
        if until.is_empty() {
            // With the room that a great many have taken.
            *until = Until::new();
        }
    }

    /// How often somebody was added: where that has not changed there is nobody to look for.
    pub fn count(&self) -> u64 {
        self.0.count.load(Ordering::Acquire)
    }

    /// Whether a client was added a moment ago.
    pub fn has(&self, client: &ClientKey, now_ns: u64) -> bool {
        self.read()
            .get(client)
            .is_some_and(|until_ns| *until_ns > now_ns)
    }

    fn read(&self) -> RwLockReadGuard<'_, Until> {
        self.0.until.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn write(&self) -> RwLockWriteGuard<'_, Until> {
        self.0.until.write().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    fn client(number: u32) -> ClientKey {
        ClientKey::from_ip(Ipv4Addr::from_bits(0xc000_0200 + number).into(), 64)
    }

    #[test]
    fn what_one_adds_all_see_until_it_is_removed_or_old() {
        let expelled = Expelled::default();
        let worker = expelled.clone();
        assert_eq!(worker.count(), 0);
        expelled.add(&client(1), 7);
        expelled.add(&client(2), 7);
        assert_eq!(worker.count(), 2);
        assert!(worker.has(&client(1), 8) && worker.has(&client(2), 8));
        assert!(!worker.has(&client(3), 8) && !worker.has(&client(2), 3_000_000_000));
        expelled.remove(&client(1));
        assert!(!worker.has(&client(1), 8) && worker.has(&client(2), 8));
    }

    #[test]
    fn a_great_many_at_once_are_all_seen_and_then_forgotten() {
        const MANY: u32 = 100_000;
        let expelled = Expelled::default();
        (0..MANY).for_each(|number| expelled.add(&client(number), 7));
        assert!((0..MANY).all(|number| expelled.has(&client(number), 8)));
        expelled.sweep(8);
        assert_eq!(expelled.read().len(), MANY as usize, "a moment later");
        expelled.add(&client(MANY), 1_000_000_000);
        expelled.sweep(2_500_000_000);
        assert_eq!(expelled.read().len(), 1);
        expelled.sweep(3_000_000_001);
        assert_eq!(expelled.read().capacity(), 0);
    }
}
