//! The values all workers share, and the page made of them.

use std::collections::HashMap;
use std::fmt;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use metrics::{Counter, Gauge, Key, Label as KeyLabel, Level, Metadata, Recorder};
use metrics_exporter_prometheus::{PrometheusBuilder, PrometheusRecorder};

use super::describe;
use super::histogram::Histogram;
use super::labels::{BanOrigin, Label};
use super::mcp::SharedMcp;
use super::ocsp;
use super::requests::RouteLabels;
use super::scrape::{self, Scrape};
use super::servers::Servers;
use super::text;
use super::worker::WorkerMetrics;
use crate::config::Config;

const METADATA: Metadata<'static> = Metadata::new("edge", Level::INFO, None);

/// The metrics of the whole process; clones share everything.
#[derive(Clone)]
pub struct Metrics {
    shared: Arc<Shared>,
}

/// What became of spans.
pub struct SpanCounters {
    /// A collector has taken them.
    pub exported: Counter,
    /// They are lost.
    pub dropped: Counter,
}

/// What the workers' tick adds to.
pub(super) struct Shared {
    recorder: PrometheusRecorder,
    /// Request durations by route.
    pub(super) durations: Histograms<RouteLabels>,
    /// Times to the response head by upstream.
    pub(super) heads: Histograms<String>,
    pub(super) mcp: SharedMcp,
    /// Host and end of each certificate served.
    certificates: Mutex<Vec<(String, SystemTime)>>,
    pub(super) ocsp: ocsp::Answers,
    bans: Vec<Counter>,
    ban_requests_dropped: Counter,
    worker_restarts: Counter,
    access_log_dropped: Counter,
    pub(super) servers: Servers,
}

impl Metrics {
    /// Registers every series that the configuration allows for.
    pub fn new(config: &Config) -> Metrics {
        let recorder = PrometheusBuilder::new().build_recorder();
        describe::describe(&recorder);
        let shared = Shared {
            durations: Histograms::default(),
            heads: Histograms::default(),
            mcp: SharedMcp::default(),
            certificates: Mutex::default(),
            ocsp: ocsp::Answers::default(),
            bans: BanOrigin::ALL
                .iter()
                .map(|origin| counter(&recorder, describe::BANS, &[("origin", origin.as_str())]))
                .collect(),
            ban_requests_dropped: counter(&recorder, describe::BAN_REQUESTS_DROPPED, &[]),
            worker_restarts: counter(&recorder, describe::WORKER_RESTARTS, &[]),
            access_log_dropped: counter(&recorder, describe::ACCESS_LOG_DROPPED, &[]),
            recorder,
            servers: Servers::default(),
        };
        let version = [("version", env!("CARGO_PKG_VERSION"))];
        shared.gauge(describe::BUILD_INFO, &version).set(1.0);
        let metrics = Metrics {
            shared: Arc::new(shared),
        };
        // Its series exist from now on, so that the first page is complete.
        metrics.worker().series(config);
        metrics
    }

    /// The metrics of one more worker.
    pub fn worker(&self) -> WorkerMetrics {
        WorkerMetrics::new(Arc::clone(&self.shared))
    }

    pub(super) fn shared(&self) -> &Shared {
        &self.shared
    }

    /// Counts an address banned in the kernel.
    pub fn banned(&self, origin: BanOrigin) {
        self.shared.bans[origin.index()].increment(1);
    }

    /// Counts a worker that has failed and is started again.
    pub fn worker_restarted(&self) {
        self.shared.worker_restarts.increment(1);
    }

    /// The counters of the thread that exports spans; on the page from now on.
    pub fn spans(&self) -> SpanCounters {
        SpanCounters {
            exported: self.shared.counter(describe::TRACE_SPANS, &[]),
            dropped: self.shared.counter(describe::TRACE_SPANS_DROPPED, &[]),
        }
    }

    /// Takes note of the certificates served from now on: the host's first name and their last
    /// moment.
    pub fn certificates(&self, certificates: Vec<(String, SystemTime)>) {
        let mut known = self.shared.certificates.lock();
        *known
            .as_deref_mut()
            .expect("nothing panics while holding it") = certificates;
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
        shared.servers.render(&mut page);
        self.render_certificates(&mut page);
        ocsp::render(&mut page, shared);
        scrape::render_shield(&mut page, scrape);
        super::process::render(&mut page);
        page
    }

    fn render_certificates(&self, page: &mut String) {
        let certificates = self.shared.certificates.lock();
        let certificates = certificates.expect("nothing panics while holding it");
        if certificates.is_empty() {
            return;
        }
        let name = describe::CERTIFICATE_NOT_AFTER;
        text::head(page, name, "gauge", describe::CERTIFICATE_NOT_AFTER_HELP);
        for (host, not_after) in &*certificates {
            let since_epoch = not_after.duration_since(UNIX_EPOCH).unwrap_or_default();
            text::sample(page, name, &[("host", host)], since_epoch.as_secs());
        }
    }

    fn render_histograms(&self, page: &mut String) {
        let shared = &self.shared;
        let (name, help) = (describe::REQUEST_DURATION, describe::REQUEST_DURATION_HELP);
        text::head(page, name, "histogram", help);
        for (route, duration) in shared.durations.all() {
            let labels = [("host", &*route.host), ("route", &*route.path)];
            text::histogram(page, name, &labels, &duration.snapshot());
        }
        let tools = shared.mcp.tool_durations.all();
        if !tools.is_empty() {
            let (name, help) = (
                describe::MCP_TOOL_DURATION,
                describe::MCP_TOOL_DURATION_HELP,
            );
            text::head(page, name, "histogram", help);
            for (tool, duration) in tools {
                text::histogram(page, name, &[("tool", &tool)], &duration.snapshot());
            }
        }
        let ages = shared.mcp.stream_ages.snapshot();
        if ages.count() > 0 {
            let (name, help) = (describe::MCP_STREAM_AGE, describe::MCP_STREAM_AGE_HELP);
            text::head(page, name, "histogram", help);
            text::histogram(page, name, &[], &ages);
        }
        let heads = shared.heads.all();
        if heads.is_empty() {
            return;
        }
        let (name, help) = (describe::UPSTREAM_HEAD, describe::UPSTREAM_HEAD_HELP);
        text::head(page, name, "histogram", help);
        for (upstream, head) in heads {
            text::histogram(page, name, &[("upstream", &upstream)], &head.snapshot());
        }
    }
}

impl fmt::Debug for Metrics {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Metrics").finish_non_exhaustive()
    }
}

/// Histograms by label, in the order in which the labels first appeared. What a new configuration no
/// longer names stays: counters that vanish look like a restart.
pub(super) struct Histograms<L>(Mutex<Labelled<L>>);

struct Labelled<L> {
    list: Vec<(L, Arc<Histogram>)>,
    /// Where each label is in the list.
    places: HashMap<L, usize>,
}

impl<L> Default for Histograms<L> {
    fn default() -> Self {
        Histograms(Mutex::new(Labelled {
            list: Vec::new(),
            places: HashMap::new(),
        }))
    }
}

impl<L: Clone + Eq + Hash> Histograms<L> {
    /// The histogram of a label; a lookup, so never once per request.
    pub(super) fn of(&self, label: &L) -> Arc<Histogram> {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(&place) = all.places.get(label) {
            return Arc::clone(&all.list[place].1);
        }
        let histogram = Arc::<Histogram>::default();
        let place = all.list.len();
        all.places.insert(label.clone(), place);
        all.list.push((label.clone(), Arc::clone(&histogram)));
        histogram
    }

    fn all(&self) -> Vec<(L, Arc<Histogram>)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.list.clone()
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
