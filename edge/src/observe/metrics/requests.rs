//! The request counters of one worker: every combination of labels is a cell.

use std::cell::{Cell, OnceCell};

use metrics::Counter;

use super::describe;
use super::histogram::LocalHistogram;
use super::registry::Shared;
use super::series::RequestSample;
use crate::config::{Config, HostName};
use crate::observe::Protocol;

/// The label of what is not there.
const NONE: &str = "none";
const STATUS_CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];
/// Asked the upstream or not, by protocol, by status class.
const SERIES: usize = 2 * Protocol::ALL.len() * STATUS_CLASSES.len();

/// The labels that a route decides.
#[derive(Clone, PartialEq, Eq, Hash)]
pub(super) struct RouteLabels {
    pub(super) host: String,
    pub(super) path: String,
    upstream: String,
}

/// One entry per configured route in the order of the file, then one for requests without a route.
pub(super) fn route_labels(config: &Config) -> Vec<RouteLabels> {
    let configured = config.hosts.iter().flat_map(|host| {
        let name = host.names.first().map_or(NONE.to_owned(), host_label);
        host.routes.iter().map(move |route| RouteLabels {
            host: name.clone(),
            path: route.path.clone(),
            upstream: match route.action.upstream() {
                Some(upstream) => config.upstreams[upstream.0].name.clone(),
                None => NONE.to_owned(),
            },
        })
    });
    let none = RouteLabels {
        host: NONE.to_owned(),
        path: NONE.to_owned(),
        upstream: NONE.to_owned(),
    };
    configured.chain([none]).collect()
}

fn host_label(name: &HostName) -> String {
    match name {
        HostName::Exact(name) => name.clone(),
        HostName::Wildcard(parent) => format!("*.{parent}"),
        HostName::Any => "*".to_owned(),
    }
}

/// The requests of one route.
pub(super) struct RouteRequests {
    pub(super) labels: RouteLabels,
    /// Something was counted since the last tick.
    dirty: Cell<bool>,
    pending: [Cell<u64>; SERIES],
    /// Registered when first needed: most combinations never happen.
    counters: [OnceCell<Counter>; SERIES],
    durations: LocalHistogram,
}

impl RouteRequests {
    pub(super) fn new(shared: &Shared, labels: &RouteLabels) -> RouteRequests {
        let requests = RouteRequests {
            labels: labels.clone(),
            dirty: Cell::new(false),
            pending: [const { Cell::new(0) }; SERIES],
            counters: [const { OnceCell::new() }; SERIES],
            durations: LocalHistogram::new(shared.durations.of(labels)),
        };
        requests.register_usual(shared);
        requests
    }

    /// Rates and ratios need these series from the start, at zero.
    fn register_usual(&self, shared: &Shared) {
        let has_upstream = self.labels.upstream != NONE;
        let statuses: &[u16] = if has_upstream { &[200, 500] } else { &[400] };
        for protocol in [Protocol::Http11, Protocol::H2] {
            for &status in statuses {
                self.counter(shared, index(has_upstream, protocol, status));
            }
        }
    }

    pub(super) fn record(&self, sample: &RequestSample) {
        let series = index(sample.upstream.is_some(), sample.protocol, sample.status);
        let pending = &self.pending[series];
        pending.set(pending.get() + 1);
        self.durations.record(sample.duration_us);
        self.dirty.set(true);
    }

    pub(super) fn flush(&self, shared: &Shared) {
        if !self.dirty.take() {
            return;
        }
        for (series, pending) in self.pending.iter().enumerate() {
            let pending = pending.take();
            if pending > 0 {
                self.counter(shared, series).increment(pending);
            }
        }
        self.durations.flush();
    }

    fn counter(&self, shared: &Shared, series: usize) -> &Counter {
        self.counters[series].get_or_init(|| {
            let route = &self.labels;
            let class = series % STATUS_CLASSES.len();
            let protocol = series / STATUS_CLASSES.len() % Protocol::ALL.len();
            let asked_upstream = series >= SERIES / 2;
            let labels = [
                ("host", &*route.host),
                ("route", &*route.path),
                (
                    "upstream",
                    if asked_upstream {
                        &route.upstream
                    } else {
                        NONE
                    },
                ),
                ("status_class", STATUS_CLASSES[class]),
                ("protocol", Protocol::ALL[protocol].as_str()),
            ];
            shared.counter(describe::REQUESTS, &labels)
        })
    }
}

fn index(asked_upstream: bool, protocol: Protocol, status: u16) -> usize {
    let class = usize::from(status / 100).clamp(1, STATUS_CLASSES.len()) - 1;
    let of_protocol = usize::from(asked_upstream) * Protocol::ALL.len() + protocol.index();
    of_protocol * STATUS_CLASSES.len() + class
}
