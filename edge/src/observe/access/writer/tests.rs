use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::atomic::AtomicUsize;

use super::*;
use crate::config::LogTarget;
use crate::observe::{Protocol, access::Access};

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

/// A disk with room for so many bytes.
#[derive(Clone)]
struct Disk {
    room: Arc<AtomicUsize>,
    text: Gate,
}

impl Write for Disk {
    fn write(&mut self, text: &[u8]) -> io::Result<usize> {
        let taken = text.len().min(self.room.load(Ordering::Relaxed));
        if taken == 0 {
            return Err(ErrorKind::StorageFull.into());
        }
        self.room.fetch_sub(taken, Ordering::Relaxed);
        self.text.write(&text[..taken])
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// A target that has failed for good.
struct Full;

impl Write for Full {
    fn write(&mut self, _: &[u8]) -> io::Result<usize> {
        Err(ErrorKind::StorageFull.into())
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
fn a_line_that_was_cut_spoils_no_other() {
    let disk = Disk {
        room: Arc::default(),
        text: Gate::default(),
    };
    let mut writer = Writer {
        target: Some(Box::new(disk.clone())),
        next: Arc::default(),
        batches: mpsc::sync_channel(0).1,
        stopping: Arc::default(),
        dropped: Arc::default(),
        failing: false,
        is_torn: false,
        _alive: mpsc::sync_channel(0).0,
    };
    let batch = Batch {
        text: b"one\ntwo\nthree\n".to_vec(),
        lines: 3,
    };
    for (room, lost) in [(1000, 0), (6, 2), (0, 5), (1, 8), (8, 9), (1000, 9)] {
        disk.room.store(room, Ordering::Relaxed);
        writer.write(&batch);
        assert_eq!(writer.dropped.load(Ordering::Relaxed), lost, "{room}");
    }
    let text = disk.text.0.lock().expect("not poisoned");
    let expected = "one\ntwo\nthree\none\ntw\none\ntwo\none\ntwo\nthree\n";
    assert_eq!(
        text.escape_ascii().to_string(),
        expected.escape_default().to_string()
    );
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
