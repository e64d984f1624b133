//! What the demo has seen, as `/stats` tells it: tests use it to prove what reached the upstream.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use serde::Serialize;

/// Aborted exchanges remembered with their details; older ones are only counted.
const ABORTS_KEPT: usize = 4096;
/// Different paths counted by name; further ones are counted under `other`.
const PATHS_KEPT: usize = 256;

/// Microseconds since the Unix epoch, the unit of every time the demo reports.
pub(super) fn now_us() -> u64 {
    SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .map_or(0, |since| since.as_micros() as u64)
}

/// Shared counters.
#[derive(Default)]
pub(super) struct Stats(Mutex<Counts>);

/// The body of `/stats`. Requests for `/stats` itself are left out of every count, but not its
/// connection.
#[derive(Clone, Debug, Default, Serialize)]
pub(super) struct Counts {
    /// Requests whose head arrived.
    requests: u64,
    /// The same by path.
    requests_by_path: BTreeMap<String, u64>,
    /// Connections accepted.
    connections: u64,
    /// Connections open now.
    connections_open: u64,
    /// Exchanges begun and neither finished nor aborted.
    streams_open: u64,
    /// Exchanges whose whole answer was handed to the connection.
    finished: u64,
    /// Exchanges the peer gave up before the answer was complete.
    aborted: u64,
    /// The last of them.
    aborts: VecDeque<Abort>,
}

/// One exchange that the peer gave up.
#[derive(Clone, Debug, Serialize)]
struct Abort {
    path: String,
    /// When it was noticed.
    at_us: u64,
    /// Body bytes handed to the connection until then.
    sent_bytes: u64,
}

impl Stats {
    /// A copy to show.
    pub(super) fn counts(&self) -> Counts {
        self.lock().clone()
    }

    /// Counts a connection as open until the guard is dropped.
    pub(super) fn connection(self: &Arc<Self>) -> OpenConnection {
        let mut counts = self.lock();
        counts.connections += 1;
        counts.connections_open += 1;
        OpenConnection(Arc::clone(self))
    }

    /// A request head arrived.
    pub(super) fn begun(&self, path: &str) {
        let mut counts = self.lock();
        counts.requests += 1;
        counts.streams_open += 1;
        let known = counts.requests_by_path.len() < PATHS_KEPT
            || counts.requests_by_path.contains_key(path);
        let name = if known { path } else { "other" };
        *counts.requests_by_path.entry(name.to_owned()).or_default() += 1;
    }

    /// The whole answer was handed over.
    pub(super) fn finished(&self) {
        let mut counts = self.lock();
        counts.streams_open -= 1;
        counts.finished += 1;
    }

    /// The peer went away first.
    pub(super) fn aborted(&self, path: &str, sent_bytes: u64) {
        let mut counts = self.lock();
        counts.streams_open -= 1;
        counts.aborted += 1;
        if counts.aborts.len() == ABORTS_KEPT {
            counts.aborts.pop_front();
        }
        counts.aborts.push_back(Abort {
            path: path.to_owned(),
            at_us: now_us(),
            sent_bytes,
        });
    }

    fn lock(&self) -> MutexGuard<'_, Counts> {
        // Counters stay usable whatever happened to the thread that held them.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Keeps a connection counted as open.
pub(super) struct OpenConnection(Arc<Stats>);

impl Drop for OpenConnection {
    fn drop(&mut self) {
        self.0.lock().connections_open -= 1;
    }
}
