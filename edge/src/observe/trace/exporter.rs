//! The thread that posts spans to a collector as OTLP over HTTP
//! (<https://opentelemetry.io/docs/specs/otlp/#otlphttp>).

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError, SyncSender};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};
use std::thread;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode, header};
use opentelemetry_proto::tonic::collector::trace::v1::ExportTraceServiceResponse;
use prost::Message as _;

use super::log::SpanLog;
use super::otlp;
use super::span::Span;
use crate::clock::monotonic_ns;
use crate::config::Tracing;
use crate::observe::metrics::{Metrics, SpanCounters};
use crate::outbound::{Outbound, OutboundError};

/// Batches waiting for the thread: 4096 spans of at most a few kilobytes each.
pub(super) const QUEUE_BATCHES: usize = 64;
/// Spans in a message.
const MESSAGE_SPANS: usize = 512;
/// For more spans to come, before a message goes.
const GATHER: Duration = Duration::from_secs(1);
const TIMEOUT: Duration = Duration::from_secs(10);
/// A collector that asks for patience is asked once more, after each of these.
const RETRIES: [Duration; 2] = [Duration::from_secs(1), Duration::from_secs(4)];
const ANSWER_BYTES_MAX: usize = 64 * 1024;

/// The exporter of the process. Its thread starts with the first configuration that wants one.
#[derive(Debug)]
pub struct SpanExporter {
    output: SpanOutput,
    /// Disconnected when the thread has ended, or none was started.
    ended: Receiver<()>,
}

/// Changes where the spans go; clones change the same exporter.
#[derive(Clone, Debug)]
pub struct SpanOutput {
    queue: SyncSender<Vec<Span>>,
    shared: Arc<Shared>,
    start: Arc<Mutex<Option<Parts>>>,
}

/// What the thread and the workers' logs share.
pub(super) struct Shared {
    target: Mutex<Option<Arc<Tracing>>>,
    stopping: AtomicBool,
    metrics: Metrics,
    counters: OnceLock<SpanCounters>,
}

/// What the thread takes along when it starts.
#[derive(Debug)]
struct Parts {
    batches: Receiver<Vec<Span>>,
    /// Dropped when the thread ends.
    _alive: SyncSender<()>,
}

impl SpanExporter {
    /// An exporter that counts into `metrics`.
    pub fn new(metrics: Metrics) -> SpanExporter {
        let (queue, batches) = mpsc::sync_channel(QUEUE_BATCHES);
        let (alive, ended) = mpsc::sync_channel(0);
        let parts = Parts {
            batches,
            _alive: alive,
        };
        let shared = Shared {
            target: Mutex::default(),
            stopping: AtomicBool::new(false),
            metrics,
            counters: OnceLock::new(),
        };
        let output = SpanOutput {
            queue,
            shared: Arc::new(shared),
            start: Arc::new(Mutex::new(Some(parts))),
        };
        SpanExporter { output, ended }
    }

    /// The way to change where the spans go.
    pub fn output(&self) -> SpanOutput {
        self.output.clone()
    }

    /// Sends what is queued, if a collector takes it within `wait`.
    ///
    /// Call it when the workers have dropped their logs.
    pub fn stop(self, wait: Duration) -> bool {
        self.output.shared.stopping.store(true, Ordering::Release);
        drop(lock(&self.output.start).take());
        // Wakes it.
        let _ = self.output.queue.try_send(Vec::new());
        let ended = self.ended.recv_timeout(wait);
        matches!(ended, Err(RecvTimeoutError::Disconnected))
    }
}

impl SpanOutput {
    /// The spans of one more worker.
    pub fn worker(&self) -> SpanLog {
        SpanLog::new(self.queue.clone(), Arc::clone(&self.shared))
    }

    /// Spans queued from now on go there. Call it first when the privileges are gone, for a thread
    /// keeps its own.
    pub fn set(&self, target: Option<&Tracing>) {
        *lock(&self.shared.target) = target.cloned().map(Arc::new);
        if target.is_none() {
            return;
        }
        let Some(parts) = lock(&self.start).take() else {
            return;
        };
        let shared = Arc::clone(&self.shared);
        let thread = thread::Builder::new().name("spans".into());
        if let Err(error) = thread.spawn(move || run(&parts, &shared)) {
            tracing::error!(%error, "cannot start the thread that exports spans");
        }
    }
}

impl Shared {
    pub(super) fn count_dropped(&self, spans: usize) {
        self.counters().dropped.increment(spans as u64);
    }

    /// Registered when first needed: a page without spans shows none of this.
    fn counters(&self) -> &SpanCounters {
        self.counters.get_or_init(|| self.metrics.spans())
    }
}

impl std::fmt::Debug for Shared {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Shared").finish_non_exhaustive()
    }
}

fn lock<T>(mutex: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn run(parts: &Parts, shared: &Shared) {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build();
    let runtime = match runtime {
        Ok(runtime) => runtime,
        Err(error) => return tracing::error!(%error, "cannot export spans"),
    };
    let outbound = Outbound::default();
    let mut failing = false;
    while let Some(spans) = gather(&parts.batches, shared) {
        let target = lock(&shared.target).clone();
        let count = spans.len();
        // What is still queued when it is switched off has nowhere to go.
        let Some(target) = target.filter(|_| count > 0) else {
            continue;
        };
        let body = otlp::request(spans, &target.service).encode_to_vec();
        let post = post(&outbound, &target.endpoint, body.into(), shared);
        match runtime.block_on(post) {
            Ok(rejected) => {
                let rejected = rejected.min(count);
                shared.count_dropped(rejected);
                let exported = &shared.counters().exported;
                exported.increment((count - rejected) as u64);
                failing = false;
            }
            Err(error) => {
                shared.count_dropped(count);
                if !failing {
                    let endpoint = &target.endpoint;
                    tracing::warn!(endpoint, %error, "spans are being lost");
                }
                failing = true;
            }
        }
    }
}

/// The spans of the next message; `None` when there will be no more.
fn gather(batches: &Receiver<Vec<Span>>, shared: &Shared) -> Option<Vec<Span>> {
    let is_stopping = || shared.stopping.load(Ordering::Acquire);
    let mut spans = match is_stopping() {
        true => batches.try_recv().ok()?,
        false => batches.recv().ok()?,
    };
    let until_ns = monotonic_ns() + GATHER.as_nanos() as u64;
    while spans.len() < MESSAGE_SPANS {
        let left = match is_stopping() {
            true => Duration::ZERO,
            false => Duration::from_nanos(until_ns.saturating_sub(monotonic_ns())),
        };
        match batches.recv_timeout(left) {
            Ok(more) => spans.extend(more),
            Err(_) => break,
        }
    }
    Some(spans)
}

#[derive(Debug, thiserror::Error)]
enum PostError {
    #[error("{0}")]
    Outbound(#[from] OutboundError),
    #[error("the collector answers {0}")]
    Status(StatusCode),
    #[error("no URL to send requests to")]
    Url,
}

impl PostError {
    /// Whether the same message may be sent again
    /// (<https://opentelemetry.io/docs/specs/otlp/#retryable-response-codes>).
    fn is_passing(&self) -> bool {
        match self {
            PostError::Status(status) => matches!(status.as_u16(), 429 | 502 | 503 | 504),
            PostError::Outbound(_) | PostError::Url => false,
        }
    }
}

/// Posts a message; how many of its spans the collector did not want.
async fn post(
    outbound: &Outbound,
    endpoint: &str,
    body: Bytes,
    shared: &Shared,
) -> Result<usize, PostError> {
    let mut waits = RETRIES.into_iter();
    loop {
        let error = match post_once(outbound, endpoint, body.clone()).await {
            Ok(rejected) => return Ok(rejected),
            Err(error) => error,
        };
        match waits.next().filter(|_| error.is_passing()) {
            Some(wait) if !shared.stopping.load(Ordering::Acquire) => {
                tokio::time::sleep(wait).await;
            }
            _ => return Err(error),
        }
    }
}

async fn post_once(outbound: &Outbound, endpoint: &str, body: Bytes) -> Result<usize, PostError> {
    let request = Request::post(endpoint)
        .header(header::CONTENT_TYPE, "application/x-protobuf")
        .body(body)
        .map_err(|_| PostError::Url)?;
    let (status, answer) = outbound
        .exchange(request, TIMEOUT, ANSWER_BYTES_MAX)
        .await?;
    if !status.is_success() {
        return Err(PostError::Status(status));
    }
    let partial = ExportTraceServiceResponse::decode(answer).ok();
    let partial = partial.and_then(|answer| answer.partial_success);
    let rejected = partial.map_or(0, |partial| partial.rejected_spans);
    Ok(usize::try_from(rejected).unwrap_or(0))
}
