//! Histograms that take whole buckets.
//!
//! The exporter's own histograms take one sample at a time, keep each with a timestamp until they
//! are read, and read the clock for every one. Here a worker sorts its samples into local buckets
//! and adds those to shared ones on its tick: two additions a sample, and nothing to keep.

use std::cell::Cell;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

/// Upper bounds of the buckets in microseconds; above the last is `+Inf`.
pub(super) const BOUNDS_US: [u64; 18] = [
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    2_500_000,
    5_000_000,
    10_000_000,
    30_000_000,
    60_000_000,
    300_000_000,
];

const BUCKETS: usize = BOUNDS_US.len() + 1;

/// What all workers have measured together.
#[derive(Debug, Default)]
pub(super) struct Histogram {
    buckets: [AtomicU64; BUCKETS],
    sum_us: AtomicU64,
}

/// A histogram at one moment.
pub(super) struct Snapshot {
    /// Samples up to and including each bound, then all of them.
    pub(super) cumulative: [u64; BUCKETS],
    pub(super) sum_us: u64,
}

impl Snapshot {
    /// All samples.
    pub(super) fn count(&self) -> u64 {
        self.cumulative[BUCKETS - 1]
    }
}

impl Histogram {
    pub(super) fn snapshot(&self) -> Snapshot {
        let mut total = 0;
        Snapshot {
            cumulative: std::array::from_fn(|bucket| {
                total += self.buckets[bucket].load(Ordering::Relaxed);
                total
            }),
            sum_us: self.sum_us.load(Ordering::Relaxed),
        }
    }
}

/// What one worker has measured since its last tick.
pub(super) struct LocalHistogram {
    buckets: [Cell<u64>; BUCKETS],
    sum_us: Cell<u64>,
    shared: Arc<Histogram>,
}

impl LocalHistogram {
    pub(super) fn new(shared: Arc<Histogram>) -> LocalHistogram {
        LocalHistogram {
            buckets: Default::default(),
            sum_us: Cell::new(0),
            shared,
        }
    }

    pub(super) fn record(&self, sample_us: u64) {
        let bucket = &self.buckets[BOUNDS_US.partition_point(|&bound| bound < sample_us)];
        bucket.set(bucket.get() + 1);
        self.sum_us.set(self.sum_us.get().wrapping_add(sample_us));
    }

    pub(super) fn flush(&self) {
        for (local, shared) in self.buckets.iter().zip(&self.shared.buckets) {
            let count = local.take();
            if count > 0 {
                shared.fetch_add(count, Ordering::Relaxed);
            }
        }
        let sum_us = self.sum_us.take();
        if sum_us > 0 {
            self.shared.sum_us.fetch_add(sum_us, Ordering::Relaxed);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_bucket_and_counts_accumulate() {
        let shared = Arc::<Histogram>::default();
        let workers = [(); 2].map(|()| LocalHistogram::new(Arc::clone(&shared)));
        for sample_us in [0, 250, 251, 300_000_000, 300_000_001] {
            workers[0].record(sample_us);
        }
        workers[1].record(500);
        assert_eq!(shared.snapshot().cumulative[BUCKETS - 1], 0);
        for worker in workers.iter().chain(&workers) {
            worker.flush();
        }
        let snapshot = shared.snapshot();
        assert_eq!(snapshot.cumulative[..3], [2, 4, 4]);
        assert_eq!(snapshot.cumulative[BUCKETS - 2..], [5, 6]);
        assert_eq!(snapshot.sum_us, 600_001_002 - 500 + 500);
    }
}
