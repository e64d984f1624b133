//! What one worker counts.

use std::cell::RefCell;
use std::collections::HashMap;
use std::fmt;
use std::rc::Rc;
use std::sync::Arc;

use super::cache::CacheMetrics;
use super::describe;
use super::labels::{Handshake, Label};
use super::local::{LocalCounter, LocalGauge};
use super::mcp::{McpMetrics, McpSample};
use super::quic::QuicMetrics;
use super::registry::Shared;
use super::requests::{RouteRequests, route_labels};
use super::series::{RequestSample, Series, UpstreamMetrics};
use super::servers::ServerSource;
use crate::config::Config;
use crate::observe::{CacheResult, Protocol};

/// The counters of one worker; dropping them flushes.
///
/// Counting touches cells of this worker only. [`WorkerMetrics::flush`] adds what has come together
/// since the last call to the shared values, so the page lags by one tick at most.
pub struct WorkerMetrics {
    shared: Arc<Shared>,
    /// Every route and upstream that a configuration still in use names, once each.
    routes: RefCell<Vec<Rc<RouteRequests>>>,
    upstreams: RefCell<Vec<Rc<UpstreamMetrics>>>,
    connections: [ConnectionMetrics; 3],
    refused: LocalCounter,
    handshakes: Vec<LocalCounter>,
    streams: LocalGauge,
    keep_alives: LocalCounter,
    bytes_in: LocalCounter,
    bytes_out: LocalCounter,
    limited: LocalCounter,
    mcp: McpMetrics,
    cache: CacheMetrics,
    /// QUIC and HTTP/3.
    pub quic: QuicMetrics,
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
            routes: RefCell::default(),
            upstreams: RefCell::default(),
            connections: [Protocol::Http11, Protocol::H2, Protocol::H3]
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
            refused: counter(describe::CONNECTIONS_REFUSED, &[]),
            limited: counter(describe::LIMITED, &[]),
            mcp: McpMetrics::new(&shared),
            cache: CacheMetrics::new(&shared),
            quic: QuicMetrics::new(&shared),
            shared,
        }
    }

    /// The counters of a configuration's routes and upstreams. Those that an earlier one named as
    /// well go on counting.
    pub fn series(&self, config: &Config) -> Series {
        let mut known = self.routes.borrow_mut();
        let mut by_labels: HashMap<_, _> = known
            .iter()
            .map(|route| (route.labels.clone(), Rc::clone(route)))
            .collect();
        let routes = route_labels(config).into_iter().map(|labels| {
            let route = by_labels.entry(labels).or_insert_with_key(|labels| {
                let new = Rc::new(RouteRequests::new(&self.shared, labels));
                known.push(Rc::clone(&new));
                new
            });
            Rc::clone(route)
        });
        let routes = routes.collect();
        let mut known = self.upstreams.borrow_mut();
        let upstreams = config.upstreams.iter().map(|upstream| {
            let same = known.iter().find(|known| known.name() == upstream.name);
            same.cloned().unwrap_or_else(|| {
                let new = Rc::new(UpstreamMetrics::new(&self.shared, &upstream.name));
                known.push(Rc::clone(&new));
                new
            })
        });
        Series::new(routes, upstreams.collect())
    }

    /// From now on the page shows the servers that `source` knows.
    pub fn show_servers(&self, source: ServerSource) {
        self.shared.servers.set(source);
    }

    /// Counts a finished request.
    pub fn request(&self, series: &Series, sample: &RequestSample) {
        series.record(sample);
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

    /// Counts a connection that was closed because its client had as many as it may.
    pub fn connection_refused(&self) {
        self.refused.add(1);
    }

    /// Counts a request answered 429.
    pub fn limited(&self) {
        self.limited.add(1);
    }

    /// Counts a finished request on a route with a cache.
    pub fn cache(&self, result: CacheResult) {
        self.cache.count(result);
    }

    /// Bytes and entries that this worker has stored.
    pub fn cache_holds(&self, bytes: usize, entries: usize) {
        self.cache.holds(bytes, entries);
    }

    /// Counts a finished exchange on a route with `mcp`.
    pub fn mcp(&self, sample: &McpSample<'_>) {
        self.mcp.record(sample, &self.shared.mcp);
    }

    /// How many MCP sessions are known now, and how many in use had to make room for others. All
    /// workers know the same.
    pub fn mcp_sessions(&self, known: usize, forgotten: u64) {
        let gauge = self.shared.gauge(describe::MCP_SESSIONS, &[]);
        gauge.set(known as f64);
        let counter = self.shared.counter(describe::MCP_SESSIONS_FORGOTTEN, &[]);
        counter.absolute(forgotten);
    }

    /// Adds everything to the shared values; called on the worker's tick, about every 100 ms.
    pub fn flush(&self) {
        self.routes.borrow_mut().retain(|route| {
            route.flush(&self.shared);
            Rc::strong_count(route) > 1
        });
        self.upstreams.borrow_mut().retain(|upstream| {
            let in_use = Rc::strong_count(upstream) > 1;
            if !in_use {
                upstream.retire();
            }
            upstream.flush();
            in_use
        });
        for connections in &self.connections {
            connections.open.flush();
            connections.total.flush();
        }
        self.streams.flush();
        self.mcp.flush(&self.shared);
        self.cache.flush();
        self.quic.flush();
        let plain = [
            &self.keep_alives,
            &self.bytes_in,
            &self.bytes_out,
            &self.limited,
            &self.refused,
        ];
        for counter in plain.into_iter().chain(&self.handshakes) {
            counter.flush();
        }
    }

    /// HTTP/1.0 and 1.1 connections are one kind: the version belongs to the request.
    fn connections(&self, protocol: Protocol) -> &ConnectionMetrics {
        &self.connections[match protocol {
            Protocol::Http10 | Protocol::Http11 => 0,
            Protocol::H2 => 1,
            Protocol::H3 => 2,
        }]
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
