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

    pub(super) fn answered(&mut self, latency_ns: u64) {
        self.requests += 1;
        self.latency_us.saturating_record(latency_ns / 1000);
    }

    pub(crate) fn failed(&mut self, error: &anyhow::Error) {
        self.errors += 1;
        self.first_error.get_or_insert_with(|| format!("{error:#}"));
    }
}
