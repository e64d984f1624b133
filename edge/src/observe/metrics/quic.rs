//! What one worker counts of QUIC and HTTP/3.

use super::describe;
use super::labels::{Label as _, QuicFailure};
use super::local::{LocalCounter, LocalGauge};
use super::registry::Shared;
use crate::net::UdpCounts;

/// The counters of one worker's QUIC endpoints.
pub struct QuicMetrics {
    failures: Vec<LocalCounter>,
    retries: LocalCounter,
    migrations: LocalCounter,
    lost: LocalCounter,
    streams: LocalGauge,
    datagrams: [LocalCounter; 2],
    calls: [LocalCounter; 2],
}

impl QuicMetrics {
    pub(super) fn new(shared: &Shared) -> QuicMetrics {
        let counter = |name, labels: &[_]| LocalCounter::new(shared.counter(name, labels));
        let both = |name| ["in", "out"].map(|direction| counter(name, &[("direction", direction)]));
        QuicMetrics {
            failures: QuicFailure::ALL
                .iter()
                .map(|reason| counter(describe::QUIC_FAILURES, &[("reason", reason.as_str())]))
                .collect(),
            retries: counter(describe::QUIC_RETRIES, &[]),
            migrations: counter(describe::QUIC_MIGRATIONS, &[]),
            lost: counter(describe::QUIC_LOST, &[]),
            streams: LocalGauge::new(shared.gauge(describe::HTTP3_STREAMS, &[])),
            datagrams: both(describe::QUIC_DATAGRAMS),
            calls: both(describe::QUIC_CALLS),
        }
    }

    /// Counts an attempt that did not become a connection.
    pub fn failed(&self, reason: QuicFailure) {
        self.failures[reason.index()].add(1);
    }

    /// Counts a client that was asked to prove its address.
    pub fn retried(&self) {
        self.retries.add(1);
    }

    /// Counts a client that came back from another address or port.
    pub fn migrated(&self) {
        self.migrations.add(1);
    }

    /// Counts packets that did not arrive at the client.
    pub fn lost(&self, packets: u64) {
        self.lost.add(packets);
    }

    /// Counts a request stream as open.
    pub fn stream_opened(&self) {
        self.streams.up();
    }

    /// The end of a request stream.
    pub fn stream_closed(&self) {
        self.streams.down();
    }

    /// Counts what a socket has moved since it was last counted.
    pub fn moved(&self, now: UdpCounts, before: UdpCounts) {
        let [datagrams_in, datagrams_out] = &self.datagrams;
        let [calls_in, calls_out] = &self.calls;
        datagrams_in.add(now.received.wrapping_sub(before.received));
        datagrams_out.add(now.sent.wrapping_sub(before.sent));
        calls_in.add(now.receive_calls.wrapping_sub(before.receive_calls));
        calls_out.add(now.send_calls.wrapping_sub(before.send_calls));
    }

    pub(super) fn flush(&self) {
        self.streams.flush();
        let plain = [&self.retries, &self.migrations, &self.lost];
        let counters = plain.into_iter().chain(&self.failures);
        for counter in counters.chain(&self.datagrams).chain(&self.calls) {
            counter.flush();
        }
    }
}
