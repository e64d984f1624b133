//! Runs the harness itself against nginx: its load gets through, its numbers have their shape.

use std::process::{Command, Stdio};
use std::time::Duration;

use serde_json::Value;

fn bench(arguments: &[&str]) -> Value {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(arguments)
        .args(["--proxies", "nginx", "--quick", "--json"])
        .output()
        .expect("the harness starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    serde_json::from_slice(&output.stdout).expect("one line of JSON")
}

#[test]
fn calls_are_counted_and_their_cost_is_plausible() {
    let record = bench(&["https1", "--slices", "2", "--connections", "4"]);
    assert_eq!(record["workload"], "https1");
    assert_eq!(record["proxy"], "nginx");
    assert_eq!(record["errors"], 0);
    assert_eq!(record["ratio_to"]["nginx"], 1.0);
    let cost = record["cpu_us_per_request"].as_f64().expect("a number");
    assert!((1.0..10_000.0).contains(&cost), "{record}");
    let (p50, p99) = (record["p50_us"].as_u64(), record["p99_us"].as_u64());
    assert!(Some(0) < p50 && p50 <= p99, "{record}");
}

#[test]
fn every_idle_stream_stays_open_and_takes_memory() {
    let record = bench(&["idle-streams", "--streams", "50"]);
    assert_eq!(record["workload"], "sse");
    assert_eq!(record["streams"], 50);
    // nginx buffers alone are 4 KiB; a session of OpenSSL takes more.
    let bytes = record["rss_bytes_per_stream"].as_u64().expect("a number");
    assert!((4 << 10..1 << 20).contains(&bytes), "{record}");
}

#[test]
fn a_proxy_that_is_missing_is_named_with_the_way_to_get_it() {
    let output = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["https1", "--proxies", "edge"])
        .env("EDGE_BIN", "/nonexistent/edge")
        .output()
        .expect("the harness starts");
    assert!(!output.status.success());
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(
        complaint.contains("no edge at /nonexistent/edge"),
        "{complaint}"
    );
    assert!(
        complaint.contains("cargo build --release -p edge"),
        "{complaint}"
    );
}

#[test]
fn a_run_that_is_told_to_stop_takes_its_proxies_with_it() {
    let mut bench = Command::new(env!("CARGO_BIN_EXE_bench"))
        .args(["idle-streams", "--proxies", "nginx", "--streams", "10"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the harness starts");
    let nginx = child_of(bench.id());
    let pid = nix::unistd::Pid::from_raw(bench.id() as i32);
    nix::sys::signal::kill(pid, nix::sys::signal::Signal::SIGTERM).expect("it runs");
    assert!(!bench.wait().expect("it ends").success());
    assert!(!std::path::Path::new(&format!("/proc/{nginx}")).exists());
}

/// The first child of a process, waited for.
#[allow(
    clippy::disallowed_methods,
    reason = "a test waits, no worker is blocked"
)]
fn child_of(process: u32) -> u32 {
    for _ in 0..500 {
        let path = format!("/proc/{process}/task/{process}/children");
        let children = std::fs::read_to_string(path).expect("the process exists");
        if let Some(child) = children.split_whitespace().next() {
            return child.parse().expect("a number");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    panic!("no child within 10 s");
}
