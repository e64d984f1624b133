//! What one worker counts for the routes and upstreams of one configuration.

use std::rc::Rc;

use super::describe;
use super::histogram::LocalHistogram;
use super::labels::{Label, UpstreamFault};
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

/// The counters of the routes and upstreams of one configuration, on one worker.
pub struct Series {
    /// Per route, then those without one.
    routes: Vec<Rc<RouteRequests>>,
    upstreams: Vec<Rc<UpstreamMetrics>>,
}

impl Series {
    pub(super) fn new(
        routes: Vec<Rc<RouteRequests>>,
        upstreams: Vec<Rc<UpstreamMetrics>>,
    ) -> Series {
        Series { routes, upstreams }
    }

    pub(super) fn record(&self, sample: &RequestSample) {
        let without_route = self.routes.len() - 1;
        let route = sample
            .route
            .map_or(without_route, |route| route.min(without_route));
        self.routes[route].record(sample);
        if let (Some(upstream), Some(head_us)) = (sample.upstream, sample.head_us) {
            self.upstreams[upstream.0].heads.record(head_us);
        }
    }

    /// How many connections to an upstream's servers this worker has open now, idle ones included.
    pub fn upstream_connections(&self, upstream: UpstreamId, open: usize) {
        self.upstreams[upstream.0].connections.set(open);
    }

    /// Counts a request that an upstream failed.
    pub fn upstream_error(&self, upstream: UpstreamId, fault: UpstreamFault) {
        self.upstreams[upstream.0].faults[fault.index()].add(1);
    }
}

/// The counters of one upstream.
pub(super) struct UpstreamMetrics {
    name: String,
    heads: LocalHistogram,
    connections: LocalGauge,
    faults: Vec<LocalCounter>,
}

impl UpstreamMetrics {
    pub(super) fn new(shared: &Shared, name: &str) -> UpstreamMetrics {
        let faults = UpstreamFault::ALL.iter().map(|fault| {
            let labels = [("upstream", name), ("reason", fault.as_str())];
            LocalCounter::new(shared.counter(describe::UPSTREAM_ERRORS, &labels))
        });
        UpstreamMetrics {
            name: name.to_owned(),
            heads: LocalHistogram::new(shared.heads.of(&name.to_owned())),
            connections: LocalGauge::new(
                shared.gauge(describe::UPSTREAM_CONNECTIONS, &[("upstream", name)]),
            ),
            faults: faults.collect(),
        }
    }

    pub(super) fn name(&self) -> &str {
        &self.name
    }

    /// No configuration in use names it any more: its connections are closed.
    pub(super) fn retire(&self) {
        self.connections.set(0);
    }

    pub(super) fn flush(&self) {
        self.heads.flush();
        self.connections.flush();
        for fault in &self.faults {
            fault.flush();
        }
    }
}
