//! Runs the harness itself, quickly: its load gets through every proxy, its results have their
//! shape, and what stalls shows.

use std::collections::BTreeSet;
use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// Everything but the shield, which the end-to-end tests measure in their own way.
const WORKLOADS: [&str; 13] = [
    "https1",
    "https2",
    "https3",
    "handshake",
    "sse",
    "bulk",
    "rate",
    "reload",
    "startup",
    "scaling",
    "mcp",
    "websocket",
    "slow",
];

/// The program, of whichever build is named.
fn bench() -> Command {
    let path = env::var_os("BENCH_BIN").map(PathBuf::from);
    let path = path.unwrap_or_else(|| env!("CARGO_BIN_EXE_bench").into());
    Command::new(path)
}

fn results(arguments: &[&str]) -> Vec<Value> {
    let output = bench()
        .args(arguments)
        .args(["--quick", "--json"])
        .output()
        .expect("the harness starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    let text = String::from_utf8(output.stdout).expect("text");
    let lines = text.lines().map(serde_json::from_str);
    lines
        .collect::<Result<_, _>>()
        .expect("a line is an object")
}

fn number(record: &Value, field: &str) -> f64 {
    let number = record[field].as_f64();
    number.unwrap_or_else(|| panic!("no {field} in {record}"))
}

#[test]
fn a_quick_run_measures_every_workload_through_every_proxy() {
    let records = results(&WORKLOADS);
    let named = |field: &str| -> BTreeSet<&str> {
        let values = records.iter().map(|record| record[field].as_str());
        values.map(|value| value.expect("a name")).collect()
    };
    assert_eq!(named("workload"), BTreeSet::from(WORKLOADS));
    for proxy in ["edge", "nginx"] {
        assert!(named("proxy").contains(proxy), "{:?}", named("proxy"));
    }
    for record in &records {
        let workload = record["workload"].as_str().expect("a name");
        let proxy = record["proxy"].as_str().expect("a name");
        let own = record["ratio_to"][proxy].as_f64();
        assert_eq!(own, Some(1.0), "{record}");
        match workload {
            "startup" => assert!(number(record, "startup_ms") > 0.0),
            "reload" => assert!(number(record, "p99_us") > 0.0),
            _ => assert!((1.0..1e8).contains(&number(record, "cpu_us_per_request"))),
        }
        if workload != "startup" {
            assert!(
                number(record, "p50_us") <= number(record, "p99_us"),
                "{record}"
            );
        }
        if workload == "sse" || workload == "slow" && record["case"] != "alone" {
            assert!(number(record, "rss_bytes_per_stream") >= 0.0);
            assert!(number(record, "streams") >= 10.0);
        }
        // Others lose calls when they reload; that is a result.
        if workload != "reload" || proxy == "edge" {
            assert_eq!(record["errors"], 0, "{record}");
        }
    }
}

#[test]
fn a_proxy_that_is_missing_is_named_with_the_way_to_get_it() {
    let output = bench()
        .args(["https1", "--proxies", "edge"])
        .env("EDGE_BIN", "/nonexistent/edge")
        .output()
        .expect("the harness starts");
    assert!(!output.status.success());
    let complaint = String::from_utf8_lossy(&output.stderr);
    for part in [
        "no edge at /nonexistent/edge",
        "cargo build --release -p edge",
    ] {
        assert!(complaint.contains(part), "{complaint}");
    }
}

#[test]
fn another_build_of_edge_is_measured_beside() {
    let built = Path::new(env!("CARGO_BIN_EXE_bench")).with_file_name("edge");
    let edge = env::var("EDGE_BIN").unwrap_or(built.display().to_string());
    let records = results(&["https1", "--proxies", "nginx", "--before", &edge]);
    let proxies = records.iter().map(|record| record["proxy"].as_str());
    let proxies: BTreeSet<_> = proxies.collect();
    assert_eq!(proxies.len(), 2, "{proxies:?}");
    let before = records
        .iter()
        .find(|record| record["proxy"] == "edge-before");
    let before = before.expect("it is named so");
    assert_eq!(before["errors"], 0, "{before}");
    assert!(before["ratio_to"]["nginx"].is_number(), "{before}");
    let records = results(&["mcp", "--before", &edge]);
    let proxies = records.iter().map(|record| record["proxy"].as_str());
    let proxies: BTreeSet<_> = proxies.flatten().collect();
    assert_eq!(
        proxies,
        BTreeSet::from(["edge", "edge-before", "edge-plain"])
    );
}

#[test]
fn a_peer_that_is_missing_is_skipped_with_a_word() {
    let output = bench()
        .args(["https1", "--proxies", "nginx,caddy", "--quick", "--json"])
        .env("EDGE_VENV_PROXIES", "/nonexistent")
        .output()
        .expect("the harness starts");
    let complaint = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{complaint}");
    assert!(complaint.contains("skipped caddy: no caddy at /nonexistent/bin/caddy"));
    assert_eq!(String::from_utf8_lossy(&output.stdout).lines().count(), 1);
}

#[test]
fn a_server_that_stalls_shows_in_the_tail_of_calls_at_a_fixed_rate() {
    let child = bench()
        .args(["rate", "--proxies", "nginx", "--rates", "200", "--json"])
        .args(["--connections", "2", "--slices", "1", "--duration", "3"])
        .stdout(Stdio::piped())
        .spawn()
        .expect("the harness starts");
    // Connecting and one slice in a closed loop come first: the stall is somewhere in six seconds of
    // load, of which three count. So it is repeated.
    let master = child_of(child.id());
    let worker = child_of(master);
    for _ in 0..6 {
        let worker = Pid::from_raw(worker as i32);
        if kill(worker, Signal::SIGSTOP).is_err() {
            break;
        }
        pause(Duration::from_millis(500));
        let _ = kill(worker, Signal::SIGCONT);
        pause(Duration::from_millis(500));
    }
    let output = child.wait_with_output().expect("it ends");
    let record: Value = serde_json::from_slice(&output.stdout).expect("one line of JSON");
    assert_eq!(record["errors"], 0, "{record}");
    // Two connections were stuck, but every call that was due in that time waited: half of it
    // and more for a good part of them, not for two.
    assert!(number(&record, "p99_us") >= 300_000.0, "{record}");
}

#[test]
fn threads_of_a_load_add_up_to_one() {
    let workloads = ["https1", "https2", "websocket", "handshake"];
    let arguments = [&workloads[..], &["--proxies", "nginx", "--threads", "2"]].concat();
    let records = results(&arguments);
    assert_eq!(records.len(), 5, "handshakes are full and resumed");
    for record in &records {
        assert_eq!(record["errors"], 0, "{record}");
        assert!(number(record, "requests_per_s") > 0.0, "{record}");
        assert!(number(record, "p50_us") <= number(record, "p99_us"));
    }
}

#[test]
fn a_report_and_lines_are_written_and_compared() {
    let dir = tempfile::tempdir().expect("a directory");
    let path = |name: &str| dir.path().join(name).display().to_string();
    let [html, page, lines] = ["report.html", "page.md", "lines.json"].map(path);
    results(&[
        "https1",
        "--proxies",
        "nginx",
        "--html",
        &html,
        "--markdown",
        &page,
        "--save",
        &lines,
    ]);
    let text = |path: &str| fs::read_to_string(path).expect("it was written");
    assert!(text(&html).contains("<svg"));
    assert!(text(&page).contains("## https1"));
    let compare = |old: &str, new: &str| {
        let output = bench().args(["compare", old, new]).output();
        let output = output.expect("the harness starts");
        (
            output.status.success(),
            String::from_utf8_lossy(&output.stdout).into_owned(),
        )
    };
    assert!(compare(&lines, &lines).0);
    // The same as if edge had been measured, twice as dear and without noise.
    let old = text(&lines).replace("\"proxy\":\"nginx\"", "\"proxy\":\"edge\"");
    let mut record: Value = serde_json::from_str(&old).expect("one line");
    record["spread"] = 0.0.into();
    let before = path("before.json");
    fs::write(&before, record.to_string()).expect("written");
    record["cpu_us_per_request"] = (number(&record, "cpu_us_per_request") * 2.0).into();
    let after = path("after.json");
    fs::write(&after, record.to_string()).expect("written");
    let (ok, said) = compare(&before, &after);
    assert!(!ok && said.contains("WORSE"), "{said}");
    let (ok, said) = compare(&after, &before);
    assert!(ok && said.contains("better"), "{said}");
    record["workload"] = "rate".into();
    fs::write(&after, record.to_string()).expect("written");
    let (ok, said) = compare(&before, &after);
    assert!(!ok, "nothing was compared");
    for part in ["only in the old run: https1", "only in the new run: rate"] {
        assert!(said.contains(part), "{said}");
    }
}

/// Before anything is measured, which takes long.
#[test]
fn what_cannot_be_done_is_said_at_once() {
    for (arguments, complaint) in [
        (
            &["https1", "--save", "/nonexistent/lines.json"][..],
            "cannot write /nonexistent/",
        ),
        (&["https1", "--html", "/"], "cannot write /"),
        (&["shield", "--before", "/bin/true"], "leave out --before"),
        (
            &["mcp", "--quick", "--before", "/nonexistent"],
            "no edge at /nonexistent",
        ),
        (&["https9"], "https9"),
        (&["https1", "--proxies", "apache"], "apache"),
        (
            &["compare", "/nonexistent", "/nonexistent"],
            "cannot read /nonexistent",
        ),
    ] {
        let output = bench().args(arguments).output().expect("it starts");
        let said = String::from_utf8_lossy(&output.stderr);
        assert!(
            !output.status.success() && said.contains(complaint),
            "{arguments:?}: {said}"
        );
        assert!(output.stdout.is_empty(), "{arguments:?}");
    }
}

#[test]
fn a_run_that_is_told_to_stop_takes_its_proxies_with_it() {
    let mut child = bench()
        .args(["sse", "--proxies", "nginx", "--streams", "10"])
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .expect("the harness starts");
    let nginx = child_of(child.id());
    kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM).expect("it runs");
    assert!(!child.wait().expect("it ends").success());
    assert!(!Path::new(&format!("/proc/{nginx}")).exists());
}

/// The first child of a process, waited for.
fn child_of(process: u32) -> u32 {
    for _ in 0..500 {
        let path = format!("/proc/{process}/task/{process}/children");
        let children = fs::read_to_string(path).expect("the process exists");
        if let Some(child) = children.split_whitespace().next() {
            return child.parse().expect("a number");
        }
        pause(Duration::from_millis(20));
    }
    panic!("no child within 10 s");
}

#[allow(
    clippy::disallowed_methods,
    reason = "a test waits, no worker is blocked"
)]
fn pause(duration: Duration) {
    std::thread::sleep(duration);
}
