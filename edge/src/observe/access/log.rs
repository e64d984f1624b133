//! The worker's side of the access log: format into a local buffer, hand over full batches.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{SyncSender, TrySendError};
use std::time::{SystemTime, UNIX_EPOCH};

use super::timestamp::Timestamp;
use super::{Access, combined};
use crate::config::{Log, LogFields, LogFormat};

/// A batch of this size is handed over at once; smaller ones wait for the tick.
const BATCH_BYTES: usize = 64 * 1024;
/// No line is longer: 1,100 bytes chosen by the client at up to six bytes each, plus names.
const LINE_BYTES: usize = 8 * 1024;

/// Finished lines on their way to the writer.
#[derive(Debug, Default)]
pub(super) struct Batch {
    pub(super) text: Vec<u8>,
    pub(super) lines: u64,
}

/// What the writer and the workers' logs share.
#[derive(Debug, Default)]
pub(super) struct Shared {
    /// There is a target to write to.
    pub(super) on: AtomicBool,
    /// Lines lost so far.
    pub(super) dropped: Arc<AtomicU64>,
}

/// One worker's access log. Dropping it hands over what it holds.
///
/// Recording takes no lock and no system call (the wall clock is read through the vDSO). At most
/// one batch is held; when the writer's queue is full it is dropped and its lines are counted.
#[derive(Debug)]
pub struct AccessLog {
    queue: SyncSender<Batch>,
    shared: Arc<Shared>,
    batch: Batch,
    timestamp: Timestamp,
    format: LogFormat,
    /// Of exchanges that went well, one in so many gets a line.
    sample: u32,
    /// Those that went well since the last of them that got one.
    passed_over: u32,
}

impl AccessLog {
    pub(super) fn new(queue: SyncSender<Batch>, shared: Arc<Shared>) -> AccessLog {
        AccessLog {
            queue,
            shared,
            batch: Batch::default(),
            timestamp: Timestamp::new(),
            format: LogFormat::Json(LogFields::ALL),
            sample: 1,
            passed_over: 0,
        }
    }

    /// What lines look like from now on, and which exchanges get one.
    pub fn configure(&mut self, settings: &Log) {
        self.format = settings.format;
        self.sample = settings.sample;
    }

    /// Whether an exchange that went well is passed over; one that did not always gets its line.
    fn is_sampled_out(&mut self, access: &Access<'_>) -> bool {
        if self.sample <= 1 || access.status >= 400 || access.error.is_some() {
            return false;
        }
        self.passed_over += 1;
        let chosen = self.passed_over >= self.sample;
        if chosen {
            self.passed_over = 0;
        }
        !chosen
    }

    /// Adds the line of an exchange that has just finished.
    pub fn record(&mut self, access: &Access<'_>) {
        if !self.shared.on.load(Ordering::Relaxed) || self.is_sampled_out(access) {
            return;
        }
        let since_epoch = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        self.record_at(access, since_epoch.as_millis() as u64);
    }

    fn record_at(&mut self, access: &Access<'_>, unix_ms: u64) {
        if self.batch.text.capacity() == 0 {
            self.batch.text.reserve_exact(BATCH_BYTES + LINE_BYTES);
        }
        let time = self.timestamp.at(unix_ms);
        match self.format {
            LogFormat::Json(fields) => access.write(&mut self.batch.text, time, fields),
            LogFormat::Combined => combined::write(access, &mut self.batch.text, time),
        }
        self.batch.lines += 1;
        if self.batch.text.len() >= BATCH_BYTES {
            self.hand_over(|log, batch| log.count_dropped(batch.lines));
        }
    }

    /// Hands over what has been recorded; called on the worker's tick, about every 100 ms.
    ///
    /// When the writer's queue is full the lines stay here until the batch is full as well.
    pub fn flush(&mut self) {
        if self.batch.lines > 0 {
            self.hand_over(|log, batch| log.batch = batch);
        }
    }

    fn hand_over(&mut self, when_full: impl FnOnce(&mut AccessLog, Batch)) {
        match self.queue.try_send(std::mem::take(&mut self.batch)) {
            Ok(()) => {}
            Err(TrySendError::Full(batch)) => when_full(self, batch),
            Err(TrySendError::Disconnected(batch)) => self.count_dropped(batch.lines),
        }
    }

    fn count_dropped(&self, lines: u64) {
        self.shared.dropped.fetch_add(lines, Ordering::Relaxed);
    }
}

impl Drop for AccessLog {
    fn drop(&mut self) {
        self.flush();
        self.count_dropped(self.batch.lines);
    }
}
