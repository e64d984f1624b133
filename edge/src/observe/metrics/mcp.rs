//! What one worker counts on routes with `mcp`.
//!
//! Methods come from a fixed list and tools are bounded in number, with `other` for the rest: a
//! client must not be able to fill memory, or Prometheus, with labels.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use metrics::Counter;

use super::describe;
use super::histogram::{Histogram, LocalHistogram};
use super::local::LocalCounter;
use super::registry::{Histograms, Shared};
use crate::mcp::{Class, Refusal};
use crate::observe::McpFacts;

/// Tools with a label of their own, over the life of the process.
const TOOLS_MAX: usize = 200;
const OTHER: &str = "other";
const NONE: &str = "none";

/// The methods of the specification, both generations; what most requests are about comes first.
const METHODS: [&str; 28] = [
    "tools/call",
    "tools/list",
    "completion/complete",
    "elicitation/create",
    "initialize",
    "logging/setLevel",
    "notifications/cancelled",
    "notifications/initialized",
    "notifications/progress",
    "notifications/roots/list_changed",
    "ping",
    "prompts/get",
    "prompts/list",
    "resources/list",
    "resources/read",
    "resources/subscribe",
    "resources/templates/list",
    "resources/unsubscribe",
    "roots/list",
    "sampling/createMessage",
    "server/discover",
    "subscriptions/listen",
    "tasks/cancel",
    "tasks/get",
    "tasks/list",
    "tasks/result",
    "tasks/update",
    NONE,
];

/// A finished exchange on a route with `mcp`.
#[derive(Clone, Copy, Debug)]
pub struct McpSample<'a> {
    /// What it was about.
    pub facts: &'a McpFacts,
    /// The upstream of the route.
    pub upstream: &'a str,
    /// Status answered.
    pub status: u16,
    /// From the first byte of the request to the end of the exchange.
    pub duration_us: u64,
}

/// What is known of tools by all workers.
#[derive(Default)]
pub(super) struct SharedMcp {
    tools: Mutex<Vec<Arc<str>>>,
    pub(super) tool_durations: Histograms<Arc<str>>,
    pub(super) stream_ages: Arc<Histogram>,
}

impl SharedMcp {
    /// The label of a tool; `None` when there is no room for another.
    fn tool(&self, name: &str) -> Option<Arc<str>> {
        let mut tools = self.tools.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = tools.iter().find(|known| &***known == name) {
            return Some(Arc::clone(known));
        }
        if tools.len() == TOOLS_MAX {
            return None;
        }
        let label: Arc<str> = name.into();
        tools.push(Arc::clone(&label));
        Some(label)
    }
}

/// The counters of one worker.
pub(super) struct McpMetrics {
    /// By upstream; there are few.
    requests: RefCell<Vec<(String, Kinds)>>,
    tools: RefCell<HashMap<Box<[u8]>, ToolCalls>>,
    tools_full: Cell<bool>,
    refused: Vec<LazyCounter>,
    events: LazyCounter,
    stream_ages: LocalHistogram,
}

/// Calls of one tool.
struct ToolCalls {
    by_status: [Pending; CLASSES.len()],
    durations: LocalHistogram,
}

/// Modern or not, class, method, status class.
type Kind = (bool, u8, u8, u8);

/// Counts by kind. A few kinds are nearly all there is, so each moves forward when it comes, and the
/// first look finds it.
#[derive(Default)]
struct Kinds(Vec<(Kind, Pending)>);

impl Kinds {
    fn count(&mut self, kind: Kind) {
        let at = self.0.iter().position(|(known, _)| *known == kind);
        let at = at.unwrap_or_else(|| {
            self.0.push((kind, Pending::default()));
            self.0.len() - 1
        });
        self.0[at].1.count += 1;
        if at > 0 {
            self.0.swap(at - 1, at);
        }
    }
}

const CLASSES: [&str; 5] = ["1xx", "2xx", "3xx", "4xx", "5xx"];

#[derive(Default)]
struct Pending {
    count: u64,
    counter: Option<Counter>,
}

impl Pending {
    fn flush(&mut self, register: impl FnOnce() -> Counter) {
        let count = std::mem::take(&mut self.count);
        if count > 0 {
            self.counter.get_or_insert_with(register).increment(count);
        }
    }
}

/// Registered when first needed: a page without MCP shows none of this.
#[derive(Default)]
struct LazyCounter(RefCell<Option<LocalCounter>>, Cell<u64>);

impl LazyCounter {
    fn add(&self, count: u64) {
        self.1.set(self.1.get().wrapping_add(count));
    }

    fn flush(&self, register: impl FnOnce() -> Counter) {
        let count = self.1.take();
        if count > 0 {
            let mut counter = self.0.borrow_mut();
            let counter = counter.get_or_insert_with(|| LocalCounter::new(register()));
            counter.add(count);
            counter.flush();
        }
    }
}

impl McpMetrics {
    pub(super) fn new(shared: &Shared) -> McpMetrics {
        McpMetrics {
            requests: RefCell::default(),
            tools: RefCell::default(),
            tools_full: Cell::new(false),
            refused: Refusal::ALL
                .iter()
                .map(|_| LazyCounter::default())
                .collect(),
            events: LazyCounter::default(),
            stream_ages: LocalHistogram::new(Arc::clone(&shared.mcp.stream_ages)),
        }
    }

    pub(super) fn record(&self, sample: &McpSample<'_>, shared: &SharedMcp) {
        let facts = sample.facts;
        let status = (usize::from(sample.status / 100)).clamp(1, CLASSES.len()) - 1;
        let kind = (
            facts.era == crate::mcp::Era::Modern,
            facts.class as u8,
            method_index(facts.subject.method.get()),
            status as u8,
        );
        let mut requests = self.requests.borrow_mut();
        let at = requests
            .iter()
            .position(|(name, _)| name == sample.upstream);
        let at = at.unwrap_or_else(|| {
            requests.push((sample.upstream.to_owned(), Kinds::default()));
            requests.len() - 1
        });
        requests[at].1.count(kind);
        if facts.subject.method.get() == Some(b"tools/call") && facts.refusal.is_none() {
            self.record_tool(facts.subject.tool(), status, sample.duration_us, shared);
        }
        if let Some(refusal) = facts.refusal {
            self.refused[refusal as usize].add(1);
        }
        self.events.add(facts.events);
        if facts.is_stream {
            self.stream_ages.record(sample.duration_us);
        }
    }

    fn record_tool(&self, tool: &[u8], status: usize, duration_us: u64, shared: &SharedMcp) {
        let mut tools = self.tools.borrow_mut();
        if let Some(known) = tools.get_mut(tool) {
            known.by_status[status].count += 1;
            known.durations.record(duration_us);
            return;
        }
        let name = std::str::from_utf8(tool)
            .ok()
            .filter(|name| !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_graphic()))
            .filter(|_| !self.tools_full.get());
        let label = name.and_then(|name| {
            let label = shared.tool(name);
            self.tools_full.set(label.is_none());
            label
        });
        let label = label.unwrap_or_else(|| OTHER.into());
        let calls = tools
            .entry(label.as_bytes().into())
            .or_insert_with(|| ToolCalls {
                by_status: Default::default(),
                durations: LocalHistogram::new(shared.tool_durations.of(&label)),
            });
        calls.by_status[status].count += 1;
        calls.durations.record(duration_us);
    }

    pub(super) fn flush(&self, shared: &Shared) {
        for (upstream, requests) in self.requests.borrow_mut().iter_mut() {
            for ((modern, class, method, status), pending) in &mut requests.0 {
                pending.flush(|| {
                    let labels = [
                        ("upstream", upstream.as_str()),
                        ("era", if *modern { "modern" } else { "legacy" }),
                        ("class", Class::ALL[usize::from(*class)].as_str()),
                        (
                            "method",
                            METHODS.get(usize::from(*method)).unwrap_or(&OTHER),
                        ),
                        ("status_class", CLASSES[usize::from(*status)]),
                    ];
                    shared.counter(describe::MCP_REQUESTS, &labels)
                });
            }
        }
        for (tool, calls) in self.tools.borrow_mut().iter_mut() {
            calls.durations.flush();
            for (status, pending) in calls.by_status.iter_mut().enumerate() {
                pending.flush(|| {
                    let tool = std::str::from_utf8(tool).unwrap_or(OTHER);
                    let labels = [("tool", tool), ("status_class", CLASSES[status])];
                    shared.counter(describe::MCP_TOOL_CALLS, &labels)
                });
            }
        }
        for (refusal, counter) in Refusal::ALL.iter().zip(&self.refused) {
            let labels = [("reason", refusal.reason())];
            counter.flush(|| shared.counter(describe::MCP_REFUSED, &labels));
        }
        self.events
            .flush(|| shared.counter(describe::MCP_EVENTS, &[]));
        self.stream_ages.flush();
    }
}

/// The place of a method in [`METHODS`], or one past its end.
fn method_index(method: Option<&[u8]>) -> u8 {
    let name = match method {
        Some(b"") => NONE.as_bytes(),
        Some(method) => method,
        None => OTHER.as_bytes(),
    };
    // Few have the same length, which is looked at first.
    let known = METHODS.iter().position(|known| known.as_bytes() == name);
    known.unwrap_or(METHODS.len()) as u8
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mcp::{Era, Subject};
    use crate::observe::metrics::{Metrics, Scrape};
    use crate::observe::testing;

    fn facts(method: &str, tool: &str) -> McpFacts {
        McpFacts {
            era: Era::Modern,
            class: Class::Call,
            subject: Box::new(Subject {
                method: method.as_bytes().into(),
                name: tool.as_bytes().into(),
            }),
            session: None,
            events: 0,
            is_stream: false,
            refusal: None,
        }
    }

    fn page(samples: &[McpFacts]) -> String {
        let metrics = Metrics::new(&testing::config());
        let worker = metrics.worker();
        for facts in samples {
            worker.mcp(&McpSample {
                facts,
                upstream: "tools",
                status: 200,
                duration_us: 1500,
            });
        }
        worker.flush();
        metrics.render(&Scrape::default())
    }

    #[test]
    fn methods_are_found_where_they_stand() {
        for (at, method) in METHODS[..METHODS.len() - 1].iter().enumerate() {
            assert_eq!(
                usize::from(method_index(Some(method.as_bytes()))),
                at,
                "{method}"
            );
        }
        let last = METHODS.len() as u8 - 1;
        assert_eq!(
            [method_index(Some(b"")), method_index(None)],
            [last, last + 1]
        );
        assert_eq!(method_index(Some(b"tools/cal")), last + 1);
    }

    #[test]
    fn methods_tools_refusals_events_and_ages_are_counted() {
        let mut refused = facts("tools/call", "add");
        refused.refusal = Some(Refusal::Limited);
        let mut stream = facts("subscriptions/listen", "");
        (stream.class, stream.is_stream, stream.events) = (Class::Stream, true, 3);
        let page = page(&[
            facts("tools/call", "add"),
            facts("x/y", ""),
            facts("", ""),
            refused,
            stream,
        ]);
        for line in [
            r#"edge_mcp_requests_total{upstream="tools",era="modern",class="call",method="tools/call",status_class="2xx"} 2"#,
            r#"edge_mcp_requests_total{upstream="tools",era="modern",class="call",method="other",status_class="2xx"} 1"#,
            r#"edge_mcp_requests_total{upstream="tools",era="modern",class="call",method="none",status_class="2xx"} 1"#,
            r#"edge_mcp_tool_calls_total{tool="add",status_class="2xx"} 1"#,
            r#"edge_mcp_tool_seconds_bucket{tool="add",le="0.001"} 0"#,
            r#"edge_mcp_tool_seconds_bucket{tool="add",le="0.0025"} 1"#,
            r#"edge_mcp_refused_total{reason="limited"} 1"#,
            "edge_mcp_events_total 3",
            "edge_mcp_stream_seconds_count 1",
        ] {
            assert!(
                page.lines().any(|found| found == line),
                "{line} is not in\n{page}"
            );
        }
    }

    #[test]
    fn tools_are_bounded_in_number() {
        let mut samples: Vec<McpFacts> = (0..TOOLS_MAX + 50)
            .map(|n| facts("tools/call", &format!("tool{n}")))
            .collect();
        samples.push(facts("tools/call", "white space"));
        let page = page(&samples);
        let tools = page
            .lines()
            .filter(|line| line.starts_with("edge_mcp_tool_calls_total{"));
        assert_eq!(tools.count(), TOOLS_MAX + 1);
        assert!(page.contains(r#"edge_mcp_tool_calls_total{tool="other",status_class="2xx"} 51"#));
        assert!(page.contains(r#"edge_mcp_tool_seconds_count{tool="other"} 51"#));
    }
}
