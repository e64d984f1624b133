//! What all workers know together about MCP clients, whatever the configuration.

use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use crate::clock::monotonic_ns;
use crate::config::{Config, Mcp};
use crate::limit::{Buckets, Counts};
use crate::mcp::{Sealer, Sessions};
use crate::proxy::configured::Proxy;

/// Upstreams share these by a hash of their names: a change too many costs a question, no more.
const CHANGES: usize = 64;

/// Sessions, streams and rates; carried from one configuration to the next.
pub(crate) struct Tables {
    pub(super) sessions: Sessions,
    pub(super) streams: Arc<Counts>,
    pub(super) buckets: Buckets,
    changes: [AtomicU64; CHANGES],
}

impl Tables {
    /// The tables of a configuration, if a route of it needs them.
    pub(crate) fn wanted(config: &Config, previous: Option<&Arc<Tables>>) -> Option<Arc<Tables>> {
        let mut routes = config.hosts.iter().flat_map(|host| &host.routes);
        if !routes.any(|route| route.action.mcp().is_some()) {
            return None;
        }
        Some(previous.map_or_else(|| Arc::new(Tables::new()), Arc::clone))
    }

    fn new() -> Tables {
        Tables {
            sessions: Sessions::new(),
            streams: Arc::new(Counts::new()),
            buckets: Buckets::new(),
            changes: [const { AtomicU64::new(0) }; CHANGES],
        }
    }

    /// Sessions known now, and those in use that had to make room.
    pub(crate) fn sessions(&self) -> (usize, u64) {
        (self.sessions.len(), self.sessions.forgotten())
    }

    /// How many changes of its lists an upstream has told of. Who has seen a notice of one, which
    /// comes after the count, sees the count as well.
    pub(super) fn changes(&self, upstream: &str) -> &AtomicU64 {
        let mut hasher = DefaultHasher::new();
        upstream.hash(&mut hasher);
        &self.changes[hasher.finish() as usize % CHANGES]
    }

    /// An upstream tells of a change.
    pub(super) fn changed(&self, upstream: &str) {
        self.changes(upstream).fetch_add(1, Relaxed);
    }

    /// Forgets sessions idle for longer, a part of them at a time.
    pub(crate) fn sweep(&self, idle_s: u32) {
        self.sessions.sweep(now_s(), idle_s);
    }
}

/// The keys of the routes that seal their sessions, by the number of the route.
pub(crate) struct Sealers(Vec<Option<Sealer>>);

impl Sealers {
    /// Derives the keys of a configuration.
    pub(crate) fn new(config: &Config) -> Sealers {
        let routes = config.hosts.iter().flat_map(|host| &host.routes);
        let sealer = |mcp: &Mcp| Sealer::new(&mcp.session_secrets.0);
        Sealers(
            routes
                .map(|route| route.action.mcp().and_then(sealer))
                .collect(),
        )
    }
}

impl Proxy {
    pub(super) fn sealer(&self, route: usize) -> Option<&Sealer> {
        self.sealers.0.get(route)?.as_ref()
    }
}

/// Seconds of the monotonic clock.
pub(super) fn now_s() -> u32 {
    (monotonic_ns() / 1_000_000_000) as u32
}
