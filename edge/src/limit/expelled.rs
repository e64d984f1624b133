//! Who has just been banned, by whomever, for all workers to see: they close the connections they have
//! of them.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use super::key::ClientKey;
use super::marks::Marks;

/// Workers look ten times a second; one that is held up for longer leaves a connection to its idle
/// timeout.
const LASTS: Duration = Duration::from_secs(2);

/// The clients; clones share them. Nobody waits for anybody.
#[derive(Clone)]
pub struct Expelled(Arc<Shared>);

struct Shared {
    marks: Marks,
    count: AtomicU64,
}

impl Default for Expelled {
    fn default() -> Expelled {
        Expelled(Arc::new(Shared {
            marks: Marks::new(LASTS),
            count: AtomicU64::new(0),
        }))
    }
}

impl Expelled {
    /// A client is banned from now on.
    pub fn add(&self, client: &ClientKey, now_ns: u64) {
        self.0.marks.set(client, now_ns);
        self.0.count.fetch_add(1, Ordering::Release);
    }

    /// Its ban is lifted.
    pub fn remove(&self, client: &ClientKey) {
        self.0.marks.clear(client);
    }

    /// How often somebody was added: where that has not changed there is nobody to look for.
    pub fn count(&self) -> u64 {
        self.0.count.load(Ordering::Acquire)
    }

    /// Whether a client was added a moment ago.
    pub fn has(&self, client: &ClientKey, now_ns: u64) -> bool {
        self.0.marks.is_set(client, now_ns)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_adds_all_see_until_it_is_removed_or_old() {
        let client = |last| ClientKey::from_ip([192, 0, 2, last].into(), 64);
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
}
