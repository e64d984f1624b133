//! The writer thread: takes batches from the workers, writes them out.
//!
//! The target is opened before the thread starts ([`AccessTarget`]), so that a path that cannot be
//! written stops the start, and the process gives up its privileges in between. Writes that fail later (disk full, reader
//! of the pipe gone) lose the batch, count its lines and log one warning until a write succeeds
//! again. The file is appended to; rotate it with `copytruncate`.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::mpsc::{self, Receiver, SyncSender};
use std::thread;
use std::time::Duration;

use super::AccessLog;
use super::log::Batch;
use crate::config::LogTarget;

/// Batches queued for the writer: 4 MiB of lines at most, over a second of them at full load.
const QUEUE_BATCHES: usize = 128;

/// Why the access log cannot be written.
#[derive(Debug, thiserror::Error)]
pub enum AccessError {
    /// The file cannot be opened for appending.
    #[error("cannot open the access log {}: {source}", path.display())]
    Open {
        /// The configured path.
        path: PathBuf,
        /// What the operating system said.
        source: io::Error,
    },
    /// The writer thread cannot be started.
    #[error("cannot start the access log's thread: {0}")]
    Thread(#[source] io::Error),
}

/// Where the lines will go, opened.
#[derive(Debug)]
pub struct AccessTarget(Target);

#[derive(Debug)]
enum Target {
    Off,
    Stdout,
    File(File),
}

impl AccessTarget {
    /// Opens the target; a file is created with mode 0640.
    pub fn open(target: &LogTarget) -> Result<AccessTarget, AccessError> {
        Ok(AccessTarget(match target {
            LogTarget::Off => Target::Off,
            LogTarget::Stdout => Target::Stdout,
            LogTarget::File(path) => Target::File(open(path.clone())?),
        }))
    }
}

/// The access log's writer thread.
#[derive(Debug)]
pub struct AccessWriter {
    /// `None` when the log is off.
    thread: Option<Thread>,
    dropped: Arc<AtomicU64>,
}

#[derive(Debug)]
struct Thread {
    queue: SyncSender<Batch>,
    stopping: Arc<AtomicBool>,
    /// Disconnected when the thread has ended.
    ended: Receiver<()>,
}

impl AccessWriter {
    /// Starts the thread; after the privileges are gone, because a thread keeps its own.
    pub fn start(target: AccessTarget) -> Result<AccessWriter, AccessError> {
        match target.0 {
            Target::Off => Ok(AccessWriter {
                thread: None,
                dropped: Arc::default(),
            }),
            Target::Stdout => AccessWriter::spawn(io::stdout(), QUEUE_BATCHES),
            Target::File(file) => AccessWriter::spawn(file, QUEUE_BATCHES),
        }
    }

    fn spawn(
        target: impl Write + Send + 'static,
        queue_batches: usize,
    ) -> Result<AccessWriter, AccessError> {
        let (queue, batches) = mpsc::sync_channel(queue_batches);
        let (alive, ended) = mpsc::sync_channel(0);
        let stopping = Arc::new(AtomicBool::new(false));
        let dropped = Arc::<AtomicU64>::default();
        let writer = Writer {
            target,
            batches,
            stopping: Arc::clone(&stopping),
            dropped: Arc::clone(&dropped),
            failing: false,
            _alive: alive,
        };
        thread::Builder::new()
            .name("access-log".into())
            .spawn(|| writer.run())
            .map_err(AccessError::Thread)?;
        Ok(AccessWriter {
            thread: Some(Thread {
                queue,
                stopping,
                ended,
            }),
            dropped,
        })
    }

    /// The log of one more worker.
    pub fn worker(&self) -> AccessLog {
        let queue = self.thread.as_ref().map(|thread| thread.queue.clone());
        AccessLog::new(queue, Arc::clone(&self.dropped))
    }

    /// Lines lost so far because the target was too slow or failed; shared with the metrics page.
    pub fn dropped(&self) -> Arc<AtomicU64> {
        Arc::clone(&self.dropped)
    }

    /// Writes everything queued, then ends the thread; waits no longer than `wait`.
    ///
    /// Call it when the workers have dropped their logs. Returns whether all was written; a target
    /// that blocks (a pipe nobody reads) keeps the thread, which then ends with the process.
    pub fn stop(self, wait: Duration) -> bool {
        let Some(thread) = self.thread else {
            return true;
        };
        thread.stopping.store(true, Ordering::Release);
        // Wakes a thread that waits for batches; one that has a full queue is awake anyway.
        let _ = thread.queue.try_send(Batch::default());
        matches!(
            thread.ended.recv_timeout(wait),
            Err(mpsc::RecvTimeoutError::Disconnected)
        )
    }
}

fn open(path: PathBuf) -> Result<File, AccessError> {
    OpenOptions::new()
        .create(true)
        .append(true)
        .mode(0o640)
        .open(&path)
        .map_err(|source| AccessError::Open { path, source })
}

/// What the thread owns.
struct Writer<T> {
    target: T,
    batches: Receiver<Batch>,
    stopping: Arc<AtomicBool>,
    dropped: Arc<AtomicU64>,
    /// The last write failed and has been reported.
    failing: bool,
    /// Dropped when the thread ends.
    _alive: SyncSender<()>,
}

impl<T: Write> Writer<T> {
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
        let written = self
            .target
            .write_all(&batch.text)
            .and_then(|()| self.target.flush());
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
    use crate::observe::{Protocol, access::Access};
    use std::os::unix::fs::PermissionsExt;
    use std::sync::Mutex;

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
            let mut log = writer.worker();
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
        let writer = AccessWriter::spawn(target.clone(), 4).expect("it starts");
        let mut log = writer.worker();
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
        let writer = AccessWriter::spawn(target.clone(), 2).expect("it starts");
        let mut log = writer.worker();
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
        let writer = AccessWriter::spawn(target.clone(), 2).expect("it starts");
        let mut log = writer.worker();
        let blocked = target.0.lock().expect("not poisoned");
        record(&mut log, 1);
        drop(log);
        assert!(!writer.stop(Duration::from_millis(50)));
        drop(blocked);
    }

    #[test]
    fn failed_writes_are_counted() {
        let writer = AccessWriter::spawn(Full, 4).expect("it starts");
        let mut log = writer.worker();
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
        let mut log = writer.worker();
        record(&mut log, 3);
        drop(log);
        assert_eq!(writer.dropped().load(Ordering::Relaxed), 0);
        assert!(writer.stop(Duration::ZERO));
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
