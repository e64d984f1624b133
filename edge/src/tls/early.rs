//! Sessions that early data may be accepted on: each of them once, at whichever worker the client
//! comes to, so that a replayed first flight finds nothing (RFC 8446 §8.1).
//!
//! A client sends early data by what it was promised when the session began: how many streams, how
//! large a head. A server that takes it must not allow less by then (RFC 9000 §7.4.1, RFC 9114
//! §7.2.4.2), so a session counts only under the promises that it began with. Otherwise the client
//! gets a handshake in full.

use std::sync::Arc;

use rustls::server::{ServerSessionMemoryCache, StoresServerSessions};

/// Sessions kept. One takes some hundred bytes; the oldest make room.
const SESSIONS_MAX: usize = 16_384;

/// What is promised to a client, as bytes to compare.
pub type Promises = [u8; 12];

/// The sessions of all workers, which outlast a reload.
#[derive(Clone, Debug)]
pub struct EarlySessions(Arc<dyn StoresServerSessions>);

impl EarlySessions {
    /// None yet.
    pub fn new() -> EarlySessions {
        EarlySessions(ServerSessionMemoryCache::new(SESSIONS_MAX))
    }

    /// Those that begin and count under these promises.
    pub(super) fn under(&self, promises: Promises) -> Arc<dyn StoresServerSessions> {
        Arc::new(Promised {
            sessions: Arc::clone(&self.0),
            promises,
        })
    }
}

impl Default for EarlySessions {
    fn default() -> EarlySessions {
        EarlySessions::new()
    }
}

/// What was promised stands behind what is remembered of a session.
#[derive(Debug)]
struct Promised {
    sessions: Arc<dyn StoresServerSessions>,
    promises: Promises,
}

impl Promised {
    fn kept(&self, mut session: Vec<u8>) -> Option<Vec<u8>> {
        let len = session.strip_suffix(&self.promises)?.len();
        session.truncate(len);
        Some(session)
    }
}

impl StoresServerSessions for Promised {
    fn put(&self, key: Vec<u8>, mut session: Vec<u8>) -> bool {
        session.extend_from_slice(&self.promises);
        self.sessions.put(key, session)
    }

    fn get(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.kept(self.sessions.get(key)?)
    }

    fn take(&self, key: &[u8]) -> Option<Vec<u8>> {
        self.kept(self.sessions.take(key)?)
    }

    fn can_cache(&self) -> bool {
        self.sessions.can_cache()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_session_counts_once_and_under_the_promises_it_began_with() {
        let all = EarlySessions::new();
        let (before, after) = (all.under([1; 12]), all.under([2; 12]));
        let session = b"session".to_vec();
        for key in [b"a", b"b", b"c"] {
            assert!(before.put(key.to_vec(), session.clone()));
        }
        assert_eq!(before.take(b"a"), Some(session.clone()));
        assert_eq!(before.take(b"a"), None, "once");
        assert_eq!(after.get(b"b"), None);
        assert_eq!(after.take(b"b"), None);
        assert_eq!(all.under([1; 12]).take(b"c"), Some(session), "a reload");
    }
}
