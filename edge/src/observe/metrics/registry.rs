//! The values all workers share, and the page made of them.

use std::fmt;
use std::sync::Arc;

use metrics::{Counter, Gauge, Key, Label as KeyLabel, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

use super::describe;
use super::histogram::Histogram;
use super::labels::{BanOrigin, Label};
use super::requests::{self, RouteLabels};
use super::scrape::{self, Scrape};
use super::text;
use super::worker::WorkerMetrics;
use crate::config::Config;

const METADATA: Metadata<'static> = Metadata::new("edge", Level::INFO, None);

/// The metrics of the whole process; clones share everything.
#[derive(Clone)]
pub struct Metrics {
    shared: Arc<Shared>,
}

/// What the workers' tick adds to.
pub(super) struct Shared {
    recorder: PrometheusRecorder,
    /// One per configured route in the order of the file, then one for requests without a route.
    pub(super) routes: Vec<RouteLabels>,
    /// Names of the upstreams in the order of the configuration.
    pub(super) upstreams: Vec<String>,
    /// Request durations, one per entry of `routes`.
    pub(super) durations: Vec<Arc<Histogram>>,
    /// Times to the response head, one per upstream.
    pub(super) heads: Vec<Arc<Histogram>>,
    bans: Vec<Counter>,
    ban_requests_dropped: Counter,
    access_log_dropped: Counter,
}

impl Metrics {
    /// Registers every series that the configuration allows for.
    pub fn new(config: &Config) -> Metrics {
        let recorder = PrometheusBuilder::new().build_recorder();
        describe::describe(&recorder);
        let routes = requests::route_labels(config);
        let upstreams: Vec<_> = config.upstreams.iter().map(|u| u.name.clone()).collect();
        let shared = Shared {
            durations: routes.iter().map(|_| Arc::default()).collect(),
            heads: upstreams.iter().map(|_| Arc::default()).collect(),
            bans: BanOrigin::ALL
                .iter()
                .map(|origin| counter(&recorder, describe::BANS, &[("origin", origin.as_str())]))
                .collect(),
            ban_requests_dropped: counter(&recorder, describe::BAN_REQUESTS_DROPPED, &[]),
            access_log_dropped: counter(&recorder, describe::ACCESS_LOG_DROPPED, &[]),
            recorder,
            routes,
            upstreams,
        };
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        shared.gauge(describe::BUILD_INFO, &version).set(1.0);
        let metrics = Metrics {
            shared: Arc::new(shared),
        };
        // Its series exist from now on, so that the first page is complete.
        drop(metrics.worker());
        metrics
    }

    /// The metrics of one more worker.
    pub fn worker(&self) -> WorkerMetrics {
        WorkerMetrics::new(Arc::clone(&self.shared))
    }

    /// Counts an address banned in the kernel.
    pub fn banned(&self, origin: BanOrigin) {
        self.shared.bans[origin.index()].increment(1);
    }

    /// The page in the Prometheus text format, in a stable order.
    pub fn render(&self, scrape: &Scrape) -> String {
        let shared = &self.shared;
        shared
            .access_log_dropped
            .absolute(scrape.access_log_dropped);
        shared
            .ban_requests_dropped
            .absolute(scrape.ban_requests_dropped);
        let mut page = text::sorted(&shared.recorder.handle().render());
        self.render_histograms(&mut page);
        scrape::render_shield(&mut page, scrape);
        super::process::render(&mut page);
        page
    }

    fn render_histograms(&self, page: &mut String) {
        let shared = &self.shared;
        let (name, help) = (describe::REQUEST_DURATION, describe::REQUEST_DURATION_HELP);
        text::head(page, name, "histogram", help);
        for (route, duration) in shared.routes.iter().zip(&shared.durations) {
            let labels = [("host", &*route.host), ("route", &*route.path)];
            text::histogram(page, name, &labels, &duration.snapshot());
        }
        if shared.upstreams.is_empty() {
            return;
        }
        let (name, help) = (describe::UPSTREAM_HEAD, describe::UPSTREAM_HEAD_HELP);
        text::head(page, name, "histogram", help);
        for (upstream, head) in shared.upstreams.iter().zip(&shared.heads) {
            text::histogram(page, name, &[("upstream", upstream)], &head.snapshot());
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

impl Shared {
    /// Registers a counter, or finds it: a lookup, so never once per request.
    pub(super) fn counter(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Counter {
        counter(&self.recorder, name, labels)
    }

    /// Registers a gauge, or finds it.
    pub(super) fn gauge(&self, name: &'static str, labels: &[(&'static str, &str)]) -> Gauge {
        self.recorder.register_gauge(&key(name, labels), &METADATA)
    }
}

fn counter(
    recorder: &PrometheusRecorder,
    name: &'static str,
    labels: &[(&'static str, &str)],
) -> Counter {
    recorder.register_counter(&key(name, labels), &METADATA)
}

fn key(name: &'static str, labels: &[(&'static str, &str)]) -> Key {
    let labels: Vec<_> = labels
        .iter()
        .map(|&(name, value)| KeyLabel::new(name, value.to_owned()))
        .collect();
    Key::from_parts(name, labels)
}
