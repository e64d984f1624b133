//! What one worker counts.

use std::fmt;
use std::sync::Arc;

use super::describe;
use super::histogram::LocalHistogram;
use super::labels::{Handshake, Label, UpstreamFault};
use super::local::{LocalCounter, LocalGauge};
use super::registry::Shared;
use super::requests::RouteRequests;
use crate::config::UpstreamId;
use crate::observe::Protocol;

/// A finished request.
#[derive(Clone, Copy, Debug)]
pub struct RequestSample {
    /// Running number of the route over all hosts in the order of the configuration; `None` when no
    /// route matched.
    pub route: Option<usize>,
    /// The upstream that was asked; `None` when the edge answered by itself.
    pub upstream: Option<UpstreamId>,
    /// Status answered; 499 when the client left before there was one.
    pub status: u16,
    /// What the request came in.
    pub protocol: Protocol,
    /// From the first byte of the request head to the end of the exchange.
    pub duration_us: u64,
    /// From the request sent upstream to the response head received.
    pub head_us: Option<u64>,
    /// Body bytes received from the client.
    pub bytes_in: u64,
    /// Body bytes sent to the client.
    pub bytes_out: u64,
}

/// The counters of one worker; dropping them flushes.
///
/// Counting touches cells of this worker only. [`WorkerMetrics::flush`] adds what has come together
/// since the last call to the shared values, so the page lags by one tick at most.
pub struct WorkerMetrics {
    shared: Arc<Shared>,
    /// Per route, then those without one.
    requests: Vec<RouteRequests>,
    upstreams: Vec<UpstreamMetrics>,
    connections: [ConnectionMetrics; 2],
    handshakes: Vec<LocalCounter>,
    streams: LocalGauge,
    keep_alives: LocalCounter,
    bytes_in: LocalCounter,
    bytes_out: LocalCounter,
    limited: LocalCounter,
}

struct UpstreamMetrics {
    heads: LocalHistogram,
    connections: LocalGauge,
    faults: Vec<LocalCounter>,
}

struct ConnectionMetrics {
    open: LocalGauge,
    total: LocalCounter,
}

impl WorkerMetrics {
    pub(super) fn new(shared: Arc<Shared>) -> WorkerMetrics {
        let counter = |name, labels: &[_]| LocalCounter::new(shared.counter(name, labels));
        let bytes = |direction| counter(describe::BYTES, &[("direction", direction)]);
        WorkerMetrics {
            requests: (0..shared.routes.len())
                .map(|route| RouteRequests::new(&shared, route))
                .collect(),
            upstreams: (0..shared.upstreams.len())
                .map(|upstream| UpstreamMetrics::new(&shared, upstream))
                .collect(),
            connections: [Protocol::Http11, Protocol::H2]
                .map(|protocol| ConnectionMetrics::new(&shared, protocol)),
            handshakes: Handshake::ALL
                .iter()
                .map(|result| {
                    let labels = [("result", result.as_str()), ("version", result.version())];
                    counter(describe::TLS_HANDSHAKES, &labels)
                })
                .collect(),
            streams: LocalGauge::new(shared.gauge(describe::STREAMS, &[])),
            keep_alives: counter(describe::EVENT_KEEP_ALIVES, &[]),
            bytes_in: bytes("in"),
            bytes_out: bytes("out"),
            limited: counter(describe::LIMITED, &[]),
            shared,
        }
    }

    /// Counts a finished request.
    pub fn request(&self, sample: &RequestSample) {
        let without_route = self.requests.len() - 1;
        let route = sample
            .route
            .map_or(without_route, |route| route.min(without_route));
        self.requests[route].record(sample);
        if let (Some(upstream), Some(head_us)) = (sample.upstream, sample.head_us) {
            self.upstreams[upstream.0].heads.record(head_us);
        }
        self.bytes_in.add(sample.bytes_in);
        self.bytes_out.add(sample.bytes_out);
    }

    /// Counts a client connection that is ready for requests: its protocol is known.
    pub fn connection_opened(&self, protocol: Protocol) {
        let connections = self.connections(protocol);
        connections.open.up();
        connections.total.add(1);
    }

    /// The end of a connection that [`WorkerMetrics::connection_opened`] counted.
    pub fn connection_closed(&self, protocol: Protocol) {
        self.connections(protocol).open.down();
    }

    /// Counts a TLS handshake that has ended, well or not.
    pub fn handshake(&self, result: Handshake) {
        self.handshakes[result.index()].add(1);
    }

    /// Counts an event stream as open.
    pub fn stream_opened(&self) {
        self.streams.up();
    }

    /// The end of an event stream.
    pub fn stream_closed(&self) {
        self.streams.down();
    }

    /// Counts a comment sent on a silent event stream.
    pub fn keep_alive_sent(&self) {
        self.keep_alives.add(1);
    }

    /// Counts a request answered 429.
    pub fn limited(&self) {
        self.limited.add(1);
    }

    /// How many connections to an upstream's servers this worker has open now, idle ones included.
    pub fn upstream_connections(&self, upstream: UpstreamId, open: usize) {
        self.upstreams[upstream.0].connections.set(open);
    }

    /// Counts a request that an upstream failed.
    pub fn upstream_error(&self, upstream: UpstreamId, fault: UpstreamFault) {
        self.upstreams[upstream.0].faults[fault.index()].add(1);
    }

    /// Adds everything to the shared values; called on the worker's tick, about every 100 ms.
    pub fn flush(&self) {
        for route in &self.requests {
            route.flush(&self.shared);
        }
        for upstream in &self.upstreams {
            upstream.flush();
        }
        for connections in &self.connections {
            connections.open.flush();
            connections.total.flush();
        }
        self.streams.flush();
        let plain = [
            &self.keep_alives,
            &self.bytes_in,
            &self.bytes_out,
            &self.limited,
        ];
        for counter in plain.into_iter().chain(&self.handshakes) {
            counter.flush();
        }
    }

    /// HTTP/1.0 and 1.1 connections are one kind: the version belongs to the request.
    fn connections(&self, protocol: Protocol) -> &ConnectionMetrics {
        &self.connections[usize::from(protocol == Protocol::H2)]
    }
}

impl Drop for WorkerMetrics {
    fn drop(&mut self) {
        self.flush();
    }
}

impl fmt::Debug for WorkerMetrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("WorkerMetrics").finish_non_exhaustive()
    }
}

impl ConnectionMetrics {
    fn new(shared: &Shared, protocol: Protocol) -> ConnectionMetrics {
        let labels = [("protocol", protocol.as_str())];
        ConnectionMetrics {
            open: LocalGauge::new(shared.gauge(describe::CONNECTIONS, &labels)),
            total: LocalCounter::new(shared.counter(describe::CONNECTIONS_TOTAL, &labels)),
        }
    }
}

impl UpstreamMetrics {
    fn new(shared: &Shared, upstream: usize) -> UpstreamMetrics {
        let name = &*shared.upstreams[upstream];
        let faults = UpstreamFault::ALL.iter().map(|fault| {
            let labels = [("upstream", name), ("reason", fault.as_str())];
            LocalCounter::new(shared.counter(describe::UPSTREAM_ERRORS, &labels))
        });
        UpstreamMetrics {
            heads: LocalHistogram::new(Arc::clone(&shared.heads[upstream])),
            connections: LocalGauge::new(
                shared.gauge(describe::UPSTREAM_CONNECTIONS, &[("upstream", name)]),
            ),
            faults: faults.collect(),
        }
    }

    fn flush(&self) {
        self.heads.flush();
        self.connections.flush();
        for fault in &self.faults {
            fault.flush();
        }
    }
}
