//! What one worker counts of its stored answers.

use super::describe;
use super::local::{LocalCounter, LocalGauge};
use super::registry::Shared;
use crate::observe::CacheResult;

/// Counters of a worker's cache.
pub(super) struct CacheMetrics {
    results: [LocalCounter; 5],
    bytes: LocalGauge,
    entries: LocalGauge,
}

impl CacheMetrics {
    pub(super) fn new(shared: &Shared) -> CacheMetrics {
        let gauge = |name| LocalGauge::new(shared.gauge(name, &[]));
        CacheMetrics {
            results: CacheResult::ALL.map(|result| {
                let labels = [("result", result.name())];
                LocalCounter::new(shared.counter(describe::CACHE_REQUESTS, &labels))
            }),
            bytes: gauge(describe::CACHE_BYTES),
            entries: gauge(describe::CACHE_ENTRIES),
        }
    }

    pub(super) fn count(&self, result: CacheResult) {
        self.results[result as usize].add(1);
    }

    pub(super) fn holds(&self, bytes: usize, entries: usize) {
        self.bytes.set(bytes);
        self.entries.set(entries);
    }

    pub(super) fn flush(&self) {
        self.results.iter().for_each(LocalCounter::flush);
        self.bytes.flush();
        self.entries.flush();
    }
}
