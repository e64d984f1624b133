//! The writer thread: takes batches from the workers, writes them out.
//!
//! Writes that fail (disk full, reader of the pipe gone) lose the rest of the batch, count its lines and
//! log one warning until a write succeeds again. A line that was cut is ended before the next one. A file is appended to; when it has been rotated the thread
//! is given the new one and closes the old one behind the lines that belong there.

use std::io::{self, ErrorKind, Write};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use super::AccessLog;
use super::log::{Batch, Shared};
use super::target::{AccessError, AccessTarget};

/// Batches queued for the writer: 4 MiB of lines at most, over a second of them at full load.
const QUEUE_BATCHES: usize = 64;

/// The access log's writer thread.
#[derive(Debug)]
pub struct AccessWriter {
    output: AccessOutput,
    stopping: Arc<AtomicBool>,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
}

/// Changes where the lines go; clones change the same log.
#[derive(Clone)]
pub struct AccessOutput {
    queue: SyncSender<Batch>,
    shared: Arc<Shared>,
    next: Arc<Mutex<Option<AccessTarget>>>,
}

impl AccessWriter {
    /// Starts the thread; after the privileges are gone, because a thread keeps its own.
    pub fn start(target: AccessTarget) -> Result<AccessWriter, AccessError> {
        AccessWriter::spawn(target, QUEUE_BATCHES)
    }

    fn spawn(target: AccessTarget, queue_batches: usize) -> Result<AccessWriter, AccessError> {
        let (queue, batches) = mpsc::sync_channel(queue_batches);
        let (alive, ended) = mpsc::sync_channel(0);
        let stopping = Arc::new(AtomicBool::new(false));
        let output = AccessOutput {
            queue,
            shared: Arc::default(),
            next: Arc::default(),
        };
        output.set(target);
        let writer = Writer {
            target: None,
            next: Arc::clone(&output.next),
            batches,
            stopping: Arc::clone(&stopping),
            dropped: Arc::clone(&output.shared.dropped),
            failing: false,
            is_torn: false,
            _alive: alive,
        };
        thread::Builder::new()
            .name("access-log".into())
            .spawn(|| writer.run())
            .map_err(AccessError::Thread)?;
        Ok(AccessWriter {
            output,
            stopping,
            ended,
        })
    }

    /// The way to change where the lines go.
    pub fn output(&self) -> AccessOutput {
        self.output.clone()
    }

    /// Lines lost so far because the target was too slow or failed; shared with the metrics page.
    pub fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.output.shared.dropped)
    }

    /// Writes everything queued, then ends the thread; waits no longer than `wait`.
    ///
    /// Call it when the workers have dropped their logs. Returns whether all was written; a target
    /// that blocks (a pipe nobody reads) keeps the thread, which then ends with the process.
    pub fn stop(self, wait: Duration) -> bool {
        self.stopping.store(true, Ordering::Release);
        self.output.wake();
        matches!(
            self.ended.recv_timeout(wait),
            Err(mpsc::RecvTimeoutError::Disconnected)
        )
    }
}

impl AccessOutput {
    /// The log of one more worker.
    pub fn worker(&self) -> AccessLog {
        AccessLog::new(self.queue.clone(), Arc::clone(&self.shared))
    }

    /// Lines queued from now on go to `target`.
    pub fn set(&self, target: AccessTarget) {
        self.shared.on.store(target.0.is_some(), Ordering::Relaxed);
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        *next = Some(target);
        drop(next);
        self.wake();
    }

    /// Wakes a thread that waits for batches; one that has a full queue is awake anyway.
    fn wake(&self) {
        let _ = self.queue.try_send(Batch::default());
    }
}

impl std::fmt::Debug for AccessOutput {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("AccessOutput").finish_non_exhaustive()
    }
}

/// What the thread owns.
struct Writer {
    /// `None` as long as the log has been off.
    target: Option<Box<dyn Write + Send>>,
    /// What it is to write to from now on.
    next: Arc<Mutex<Option<AccessTarget>>>,
    batches: Receiver<Batch>,
    stopping: Arc<AtomicBool>,
    dropped: Arc<AtomicU64>,
    /// The last write failed and has been reported.
    failing: bool,
    /// What was written last is the beginning of a line.
    is_torn: bool,
    /// Dropped when the thread ends.
    _alive: SyncSender<()>,
}

impl Writer {
    fn run(mut self) {
        while !self.stopping.load(Ordering::Acquire) {
            let Ok(batch) = self.batches.recv() else {
                return;
            };
            self.write(&batch);
        }
        while let Ok(batch) = self.batches.try_recv() {
            self.write(&batch);
        }
    }

    fn write(&mut self, batch: &Batch) {
        let next = self
            .next
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        // What is still queued when the log is switched off goes where it would have gone.
        if let Some(target) = next.and_then(|next| next.0) {
            self.target = Some(target);
            self.is_torn = false;
        }
        let Some(target) = &mut self.target else {
            return;
        };
        let mut rest = &batch.text[..];
        let written = end_line(target, &mut self.is_torn)
            .and_then(|()| write_some(target, &mut rest))
            .and_then(|()| target.flush());
        let taken = &batch.text[..batch.text.len() - rest.len()];
        self.is_torn |= taken.last().is_some_and(|&last| last != b'\n');
        match written {
            Ok(()) => self.failing = false,
            Err(error) => {
                let lost = memchr::memchr_iter(b'\n', rest).count() as u64;
                self.dropped.fetch_add(lost, Ordering::Relaxed);
                if !self.failing {
                    tracing::warn!(%error, "access log lines are being lost");
                }
                self.failing = true;
            }
        }
    }
}

/// Ends a line of which only the beginning was written.
fn end_line(target: &mut dyn Write, is_torn: &mut bool) -> io::Result<()> {
    if *is_torn {
        write_some(target, &mut &b"\n"[..])?;
        *is_torn = false;
    }
    Ok(())
}

/// Writes all of it, or as much as can be.
fn write_some(target: &mut dyn Write, rest: &mut &[u8]) -> io::Result<()> {
    while !rest.is_empty() {
        match target.write(rest) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Ok(written) => *rest = &rest[written..],
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests;
