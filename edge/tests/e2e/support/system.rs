//! Small questions to the operating system: ports, memory, deadlines.

use std::net::TcpListener;
use std::sync::atomic::{AtomicU16, Ordering::Relaxed};
use std::time::{Duration, Instant};

/// A TCP port of the loopback address that nobody uses, and that no other test is given.
///
/// Below the range from which the kernel takes ports of outgoing connections and of binds to port 0, so
/// that it stays free until it is used.
pub(crate) fn free_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    // Another run of the tests on this machine starts somewhere else.
    let offset = (std::process::id() % 100) as u16 * 120;
    loop {
        let port = 20_000 + (offset + NEXT.fetch_add(1, Relaxed)) % 12_000;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
}

/// Asks `ready` every few milliseconds; false when it was not true within `limit`.
pub(crate) fn wait_until(limit: Duration, mut ready: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    loop {
        if ready() {
            return true;
        }
        if Instant::now() > deadline {
            return false;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
}

/// A field of `/proc/PID/status`, as its text after the colon.
pub(crate) fn status_field(pid: u32, field: &str) -> String {
    let path = format!("/proc/{pid}/status");
    let status = std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{path}: {error}"));
    let prefix = format!("{field}:");
    let line = status.lines().find_map(|line| line.strip_prefix(&prefix));
    line.unwrap_or_else(|| panic!("{path} has no {field}"))
        .trim()
        .to_owned()
}

/// Resident memory of a process in bytes.
pub(crate) fn rss_bytes(pid: u32) -> u64 {
    let text = status_field(pid, "VmRSS");
    let kib: u64 = text
        .trim_end_matches(" kB")
        .parse()
        .expect("VmRSS is a number of kB");
    kib * 1024
}
