//! The worker's side: sampled exchanges into a local batch, full batches to the exporter.

use std::sync::Arc;
use std::sync::mpsc::{SyncSender, TrySendError};

use super::exporter::Shared;
use super::span::Span;

/// Spans handed over at once; fewer wait for the worker's tick.
pub(super) const BATCH_SPANS: usize = 64;

/// One worker's spans. Dropping it hands over what it holds.
#[derive(Debug)]
pub struct SpanLog {
    queue: SyncSender<Vec<Span>>,
    shared: Arc<Shared>,
    batch: Vec<Span>,
}

impl SpanLog {
    pub(super) fn new(queue: SyncSender<Vec<Span>>, shared: Arc<Shared>) -> SpanLog {
        SpanLog {
            queue,
            shared,
            batch: Vec::new(),
        }
    }

    /// Adds a span. Takes no lock and makes no system call.
    pub fn record(&mut self, span: Span) {
        if self.batch.capacity() == 0 {
            self.batch.reserve_exact(BATCH_SPANS);
        }
        self.batch.push(span);
        if self.batch.len() == BATCH_SPANS {
            self.hand_over(|log, lost| log.shared.count_dropped(lost.len()));
        }
    }

    /// Hands over what there is; called on the worker's tick. While the queue is full it stays here,
    /// until the batch is full as well.
    pub fn flush(&mut self) {
        if !self.batch.is_empty() {
            self.hand_over(|log, batch| log.batch = batch);
        }
    }

    fn hand_over(&mut self, when_full: impl FnOnce(&mut SpanLog, Vec<Span>)) {
        match self.queue.try_send(std::mem::take(&mut self.batch)) {
            Ok(()) => {}
            Err(TrySendError::Full(batch)) => when_full(self, batch),
            Err(TrySendError::Disconnected(lost)) => self.shared.count_dropped(lost.len()),
        }
    }
}

impl Drop for SpanLog {
    fn drop(&mut self) {
        self.flush();
        if !self.batch.is_empty() {
            self.shared.count_dropped(self.batch.len());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::metrics::{Metrics, Scrape};
    use crate::observe::trace::exporter::QUEUE_BATCHES;
    use crate::observe::trace::{SpanExporter, SpanIds};
    use crate::observe::{Protocol, testing};

    fn span() -> Span {
        Span {
            ids: SpanIds {
                trace: [1; 16],
                span: [2; 8],
                parent: None,
            },
            asks: false,
            trace_state: None,
            end_ns: 1,
            duration_us: 0,
            head_us: None,
            method: "GET".into(),
            host: None,
            path: "/".into(),
            route: None,
            upstream: None,
            server: None,
            user_agent: None,
            request_id: None,
            protocol: Protocol::H2,
            is_tls: true,
            client: None,
            status: 200,
            bytes_in: 0,
            bytes_out: 0,
            mcp: None,
            error: None,
        }
    }

    #[test]
    fn what_does_not_fit_is_lost_and_counted() {
        let metrics = Metrics::new(&testing::config());
        let exporter = SpanExporter::new(metrics.clone());
        let lost = |spans: usize| {
            let line = format!("edge_trace_spans_dropped_total {spans}");
            let page = metrics.render(&Scrape::default());
            page.lines().any(|found| found == line)
        };
        let mut log = exporter.output().worker();
        for _ in 0..QUEUE_BATCHES * BATCH_SPANS {
            log.record(span());
        }
        assert!(!metrics.render(&Scrape::default()).contains("edge_trace"));
        // Nobody takes anything: one batch more is the worker's own, and waits while it is not full.
        for _ in 0..BATCH_SPANS - 1 {
            log.record(span());
            log.flush();
        }
        log.record(span());
        assert!(lost(BATCH_SPANS));
        log.record(span());
        drop(log);
        assert!(lost(BATCH_SPANS + 1));
    }
}
