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
            self.flush();
        }
    }

    /// Hands over what there is; what does not fit the queue is lost, and counted.
    pub fn flush(&mut self) {
        if self.batch.is_empty() {
            return;
        }
        match self.queue.try_send(std::mem::take(&mut self.batch)) {
            Ok(()) => {}
            Err(TrySendError::Full(lost) | TrySendError::Disconnected(lost)) => {
                self.shared.count_dropped(lost.len());
            }
        }
    }
}

impl Drop for SpanLog {
    fn drop(&mut self) {
        self.flush();
    }
}
