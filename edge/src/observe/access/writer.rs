//! The writer thread: takes batches from the workers, writes them out.
//!
//! Writes that fail (disk full, reader of the pipe gone) lose the batch, count its lines and log one
//! warning until a write succeeds again. A file is appended to; when it has been rotated the thread
//! is given the new one and closes the old one behind the lines that belong there.

use std::io::Write;
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
        }
        let Some(target) = &mut self.target else {
            return;
        };
        let written = target.write_all(&batch.text).and_then(|()| target.flush());
        match written {
            Ok(()) => self.failing = false,
            Err(error) => {
                self.dropped.fetch_add(batch.lines, Ordering::Relaxed);
                if !self.failing {
                    tracing::warn!(%error, "access log lines are being lost");
                }
                self.failing = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::LogTarget;
    use crate::observe::{Protocol, access::Access};
    use std::io;
    use std::os::unix::fs::PermissionsExt;
    use std::path::PathBuf;

    /// Waits for the lock before each write, then appends.
    #[derive(Clone, Default)]
    struct Gate(Arc<Mutex<Vec<u8>>>);

    impl Write for Gate {
        fn write(&mut self, text: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(text);
            Ok(text.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// A target that has failed for good.
    struct Full;

    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> io::Result<usize> {
            Err(io::ErrorKind::StorageFull.into())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn to(gate: &Gate) -> AccessTarget {
        AccessTarget(Some(Box::new(gate.clone())))
    }

    fn record(log: &mut AccessLog, lines: u16) {
        for port in 0..lines {
            log.record(&Access {
                client: ([192, 0, 2, 1], port).into(),
                protocol: Protocol::Http11,
                tls: None,
                method: b"GET",
                host: Some(b"localhost"),
                target: b"/",
                status: 200,
                route: Some("/"),
                upstream: Some("demo"),
                server: Some("127.0.0.1:8000"),
                bytes_in: 0,
                bytes_out: 2,
                duration_us: 10,
                upstream_connect_us: None,
                upstream_head_us: Some(5),
                upstream_reused: Some(true),
                user_agent: None,
                request_id: None,
                user: None,
                cache: None,
                mcp: None,
                error: None,
            });
        }
    }

    fn ports(text: &str) -> Vec<u64> {
        text.lines()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("valid JSON"))
            .map(|line| line["client_port"].as_u64().expect("a number"))
            .collect()
    }

    #[test]
    fn appends_every_line_in_order_to_a_private_file() {
        let dir = tempfile::tempdir().expect("a directory");
        let path = dir.path().join("access.log");
        for _ in 0..2 {
            let target = AccessTarget::open(&LogTarget::File(path.clone())).expect("it opens");
            let writer = AccessWriter::start(target).expect("it starts");
            let mut log = writer.output.worker();
            record(&mut log, 1000);
            drop(log);
            assert!(writer.stop(Duration::from_secs(10)));
        }
        let text = std::fs::read_to_string(&path).expect("it reads");
        let expected: Vec<u64> = (0..1000).chain(0..1000).collect();
        assert_eq!(ports(&text), expected);
        let mode = path.metadata().expect("it exists").permissions().mode();
        assert_eq!(mode & 0o137, 0, "mode {mode:o} gives more than 0640");
    }

    #[test]
    fn a_tick_writes_what_is_there() {
        let target = Gate::default();
        let writer = AccessWriter::spawn(to(&target), 4).expect("it starts");
        let mut log = writer.output.worker();
        record(&mut log, 1);
        assert!(target.0.lock().expect("not poisoned").is_empty());
        log.flush();
        assert!(writer.stop(Duration::from_secs(10)));
        let text = target.0.lock().expect("not poisoned").clone();
        assert_eq!(ports(std::str::from_utf8(&text).expect("UTF-8")), [0]);
    }

    #[test]
    fn a_blocked_target_blocks_nobody_and_every_line_is_accounted_for() {
        let target = Gate::default();
        let writer = AccessWriter::spawn(to(&target), 2).expect("it starts");
        let mut log = writer.output.worker();
        let blocked = target.0.lock().expect("not poisoned");
        let total = 5000;
        for _ in 0..5 {
            record(&mut log, 1000);
            log.flush();
        }
        drop(log);
        let dropped = writer.dropped();
        assert!(dropped.load(Ordering::Relaxed) > 0);
        drop(blocked);
        assert!(writer.stop(Duration::from_secs(10)));
        let text = target.0.lock().expect("not poisoned").clone();
        let written = ports(std::str::from_utf8(&text).expect("UTF-8")).len() as u64;
        assert_eq!(written + dropped.load(Ordering::Relaxed), total);
    }

    #[test]
    fn stop_gives_up_on_a_target_that_stays_blocked() {
        let target = Gate::default();
        let writer = AccessWriter::spawn(to(&target), 2).expect("it starts");
        let mut log = writer.output.worker();
        let blocked = target.0.lock().expect("not poisoned");
        record(&mut log, 1);
        drop(log);
        assert!(!writer.stop(Duration::from_millis(50)));
        drop(blocked);
    }

    #[test]
    fn failed_writes_are_counted() {
        let writer = AccessWriter::spawn(AccessTarget(Some(Box::new(Full))), 4).expect("it starts");
        let mut log = writer.output.worker();
        record(&mut log, 3);
        drop(log);
        let dropped = writer.dropped();
        assert!(writer.stop(Duration::from_secs(10)));
        assert_eq!(dropped.load(Ordering::Relaxed), 3);
    }

    #[test]
    fn off_records_and_loses_nothing() {
        let target = AccessTarget::open(&LogTarget::Off).expect("nothing to open");
        let writer = AccessWriter::start(target).expect("nothing to start");
        let mut log = writer.output.worker();
        record(&mut log, 3);
        drop(log);
        assert_eq!(writer.dropped().load(Ordering::Relaxed), 0);
        assert!(writer.stop(Duration::from_secs(10)));
    }

    #[test]
    fn of_what_went_well_a_sample_is_enough() {
        let target = Gate::default();
        let writer = AccessWriter::spawn(to(&target), 4).expect("it starts");
        let mut log = writer.output.worker();
        log.configure(&crate::config::Log {
            sample: 10,
            ..Default::default()
        });
        record(&mut log, 95);
        drop(log);
        assert!(writer.stop(Duration::from_secs(10)));
        let text = target.0.lock().expect("not poisoned").clone();
        let text = std::str::from_utf8(&text).expect("UTF-8");
        assert_eq!(ports(text), [9, 19, 29, 39, 49, 59, 69, 79, 89]);
    }

    #[test]
    fn a_rotated_file_is_left_behind_whole() {
        let [first, second] = [Gate::default(), Gate::default()];
        let writer = AccessWriter::spawn(to(&first), 16).expect("it starts");
        let output = writer.output();
        let mut log = writer.output.worker();
        let blocked = first.0.lock().expect("not poisoned");
        record(&mut log, 5);
        log.flush();
        output.set(to(&second));
        drop(blocked);
        record(&mut log, 3);
        log.flush();
        let lines = |gate: &Gate| {
            let text = gate.0.lock().expect("not poisoned").clone();
            ports(std::str::from_utf8(&text).expect("UTF-8")).len()
        };
        // Switching the log off may take along what is still queued.
        for _ in 0..10_000_000 {
            if lines(&first) + lines(&second) == 8 {
                break;
            }
            thread::yield_now();
        }
        output.set(AccessTarget(None));
        record(&mut log, 7);
        drop(log);
        assert!(writer.stop(Duration::from_secs(10)));
        assert_eq!(lines(&first) + lines(&second), 8);
        assert!(lines(&second) >= 3, "what came later went to the new one");
    }

    #[test]
    fn a_path_that_cannot_be_opened_is_named() {
        let path = PathBuf::from("/nonexistent/access.log");
        let error = AccessTarget::open(&LogTarget::File(path)).expect_err("no such directory");
        let message = error.to_string();
        assert!(
            message.starts_with("cannot open the access log /nonexistent/access.log: "),
            "{message}"
        );
    }
}
