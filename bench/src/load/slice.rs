//! What a stretch of load came to.

use anyhow::Result;
use hdrhistogram::Histogram;

/// Latencies are kept to three digits up to a minute.
pub(super) const LATENCY_US_MAX: u64 = 60_000_000;

/// A stretch of load on one proxy.
pub(crate) struct Slice {
    /// Answers that came whole and right.
    pub(crate) requests: u64,
    /// From the first call to the last answer.
    pub(crate) wall_ns: u64,
    /// From call to answer, in microseconds.
    pub(crate) latency_us: Histogram<u64>,
    /// Connections whose handshake was a resumption.
    pub(crate) resumed: u64,
    /// Connections that the proxy ended between two calls.
    pub(crate) reconnected: u64,
    /// Bytes of bodies.
    pub(crate) bytes: u64,
    /// Connections lost, answers wrong or missing.
    pub(crate) errors: u64,
    /// The first of them.
    pub(crate) first_error: Option<String>,
}

impl Default for Slice {
    fn default() -> Self {
        Self {
            requests: 0,
            wall_ns: 0,
            latency_us: Histogram::new_with_max(LATENCY_US_MAX, 3)
                .expect("the bounds are valid constants"),
            resumed: 0,
            reconnected: 0,
            bytes: 0,
            errors: 0,
            first_error: None,
        }
    }
}

impl Slice {
    /// Adds another slice of the same proxy.
    pub(crate) fn add(&mut self, other: Self) -> Result<()> {
        self.requests += other.requests;
        self.wall_ns += other.wall_ns;
        self.latency_us.add(&other.latency_us)?;
        self.resumed += other.resumed;
        self.reconnected += other.reconnected;
        self.bytes += other.bytes;
        self.errors += other.errors;
        self.first_error = self.first_error.take().or(other.first_error);
        Ok(())
    }

    /// Adds a slice of the same proxy from the same time, of another thread.
    pub(crate) fn add_beside(&mut self, other: Self) -> Result<()> {
        let wall_ns = self.wall_ns.max(other.wall_ns);
        self.add(other)?;
        self.wall_ns = wall_ns;
        Ok(())
    }

    pub(super) fn answered(&mut self, latency_ns: u64) {
        self.requests += 1;
        self.latency_us.saturating_record(latency_ns / 1000);
    }

    pub(crate) fn failed(&mut self, error: &anyhow::Error) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| format!("{error:#}"));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn threads_are_added_up_and_their_time_is_not() {
        let slice = |requests: u64, wall_ns, latency_ns| {
            let mut slice = Slice::default();
            (0..requests).for_each(|_| slice.answered(latency_ns));
            slice.wall_ns = wall_ns;
            slice
        };
        let mut sum = slice(30, 1_000, 10_000);
        sum.add_beside(slice(10, 1_100, 90_000))
            .expect("same bounds");
        assert_eq!((sum.requests, sum.wall_ns), (40, 1_100));
        let at = |quantile| sum.latency_us.value_at_quantile(quantile);
        assert_eq!((at(0.5), at(0.75), at(0.76)), (10, 10, 90));
        sum.add(slice(1, 900, 1)).expect("same bounds");
        assert_eq!(sum.wall_ns, 2_000);
    }
}
