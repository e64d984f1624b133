//! The keys of each authorization server, shared by all workers and kept fresh by one thread each.

use std::collections::HashMap;
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::fetch;
use super::keys::KeySet;
use crate::clock::monotonic_ns;

/// A key that is not known is looked for at most this often: tokens can be made up for free.
const ASK_EVERY: Duration = Duration::from_secs(10);

/// An authorization server.
pub struct Issuer {
    pub(super) url: String,
    /// Where its keys are, if that is not to be found out.
    pub(super) jwks: Option<String>,
    state: Mutex<State>,
    /// Which keys these are; they change with every fetch.
    generation: AtomicU32,
    pub(super) wake: Notify,
}

#[derive(Default)]
struct State {
    keys: Option<Arc<KeySet>>,
    /// A fetch has ended, well or not.
    tried_ns: Option<u64>,
}

/// Every authorization server of a configuration.
#[derive(Default)]
pub struct Issuers(HashMap<(String, Option<String>), Arc<Issuer>>);

impl Issuer {
    /// The keys, as far as they are known.
    pub fn keys(&self) -> Option<Arc<KeySet>> {
        self.state().keys.clone()
    }

    /// Which keys these are: what was good with others has to be looked at again.
    pub fn generation(&self) -> u32 {
        self.generation.load(Ordering::Acquire)
    }

    /// Asks for the keys to be fetched again; false when that was just done. The first time it is
    /// under way already.
    pub fn refresh(&self) -> bool {
        let now_ns = monotonic_ns();
        let Some(tried_ns) = self.state().tried_ns else {
            return true;
        };
        let just_done = now_ns.saturating_sub(tried_ns) < ASK_EVERY.as_nanos() as u64;
        if !just_done {
            self.wake.notify_one();
        }
        !just_done
    }

    /// A fetch has ended; keys that could not be fetched again stay as they were.
    pub(super) fn fetched(&self, keys: Option<KeySet>) {
        let mut state = self.state();
        state.tried_ns = Some(monotonic_ns());
        if let Some(keys) = keys {
            state.keys = Some(Arc::new(keys));
            self.generation.fetch_add(1, Ordering::Release);
        }
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Issuers {
    /// The servers of a configuration: those that `previous` knows with the keys they have, the rest
    /// with a thread each that fetches them. Call it after the privileges are gone.
    pub fn wanted<'a>(
        servers: impl Iterator<Item = (&'a str, Option<&'a str>)>,
        previous: Option<&Issuers>,
    ) -> Issuers {
        let mut issuers = HashMap::new();
        for (url, jwks) in servers {
            let key = (url.to_owned(), jwks.map(str::to_owned));
            let known = previous.and_then(|previous| previous.0.get(&key));
            issuers.entry(key.clone()).or_insert_with(|| match known {
                Some(known) => Arc::clone(known),
                None => {
                    let issuer = Arc::new(Issuer {
                        url: key.0,
                        jwks: key.1,
                        state: Mutex::default(),
                        generation: AtomicU32::new(0),
                        wake: Notify::new(),
                    });
                    fetch::keep(&issuer);
                    issuer
                }
            });
        }
        Issuers(issuers)
    }

    /// One of them.
    pub fn of(&self, url: &str, jwks: Option<&str>) -> Option<&Arc<Issuer>> {
        self.0.get(&(url.to_owned(), jwks.map(str::to_owned)))
    }
}
