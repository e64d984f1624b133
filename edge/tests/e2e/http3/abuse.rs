//! HTTP/3 as it must not be used: the right words about it, and a process that is none the worse.

use std::time::Duration;

use super::{run, scenario, start};
use crate::support::{
    Answer, Demo, Setup, Upstream, heavy, is_soak, light, rss_bytes, status_field, wait_until,
};

#[test]
fn messages_and_streams_that_break_the_rules() {
    let _machine = light();
    let (_demo, mut edge) = start();
    for table in ["nothing", "connections"] {
        let rows = run("h3_malformed.py", &edge, table, &[]);
        assert!(rows.as_u64() > Some(7), "{table}: {rows}");
    }
    let tables = [
        "parameters",
        "frames",
        "packets",
        "handshake",
        "keys",
        "harmless",
    ];
    for table in tables {
        let rows = run("h3_transport.py", &edge, table, &[]);
        assert!(rows.as_u64() > Some(1), "{table}: {rows}");
    }
    assert_eq!(run("h3_transport.py", &edge, "optimistic", &[]), 0x0A);
    // The alert no_application_protocol (RFC 9001 §8.1).
    assert_eq!(run("h3_transport.py", &edge, "alpn", &[]), 0x178);
    let failed = || {
        let reason = ["reason=\"transport\""];
        let metrics = edge.metrics();
        metrics.sum("edge_quic_handshake_failures_total", &reason)
    };
    assert!(wait_until(Duration::from_secs(5), || failed() >= 10.0));
    edge.assert_healthy();
}

/// RFC 9114 §4.1.2: what is malformed is not passed on. Of a message with content the head may have gone
/// before that is known, and then never what would make it whole.
#[test]
fn malformed_messages_reach_nobody() {
    let _machine = light();
    let upstream = Upstream::start(Answer::Keep(b"HTTP/1.1 204 No Content\r\n\r\n".into()));
    let mut edge = Setup::new(upstream.address).start();
    let rows = run("h3_malformed.py", &edge, "messages", &[]);
    assert!(rows.as_u64() > Some(80), "{rows}");
    let received = upstream.received();
    assert!(!received.contains("GET "), "{received}");
    assert!(!received.contains("content-length: 0"), "{received}");
    for end in ["\r\n0\r\n", "whole"] {
        assert!(!received.contains(end), "{end:?}: {received}");
    }
    edge.assert_healthy();
}

/// RFC 9000 §12.5: handshake bytes do not come in early data.
#[test]
fn early_data_that_breaks_the_rules() {
    let _machine = light();
    let demo = Demo::start();
    let mut edge = Setup::new(demo.address)
        .section("quic", "early_data = true")
        .route("early_data = true")
        .start();
    let codes = run("h3_transport.py", &edge, "early", &[]);
    assert_eq!(codes, serde_json::json!([0x0A, 0x0A]));
    edge.assert_healthy();
}

/// What costs a client little: it is borne, or ends the connection, and others do not notice.
#[test]
fn floods_of_frames_fill_nothing() {
    let _machine = heavy();
    let (_demo, mut edge) = start();
    scenario(&edge, "churn", &["1"]);
    let before = rss_bytes(edge.process.pid());
    // The most that it has ever had is from now on (proc(5)).
    let forget = format!("/proc/{}/clear_refs", edge.process.pid());
    std::fs::write(forget, "5").expect("we may");
    let outcomes = run("h3_floods.py", &edge, "every", &[]);
    let most = status_field(edge.process.pid(), "VmHWM");
    let most = most.trim_end_matches("kB").trim().parse::<u64>();
    let most = most.expect("VmHWM is a number of kB") << 10;
    let grown = most.saturating_sub(before) >> 20;
    println!("{outcomes}, {grown} MiB");
    assert!(grown < 40, "{grown} MiB: {outcomes}");
    let outcomes = outcomes.as_object().expect("an object");
    assert_eq!(outcomes.len(), 9);
    for (flood, outcome) in outcomes {
        let answered = outcome["answered_ms"].as_f64();
        let in_time = answered.is_some_and(|ms| ms < 3000.0);
        assert!(in_time, "{flood}: {outcome}");
    }
    edge.assert_healthy();
}

#[test]
fn requests_given_up_in_bulk_end_the_connection() {
    let _machine = light();
    let (_demo, mut edge) = start();
    for how in ["stop", "reset", "both"] {
        let outcome = scenario(&edge, "rapid_reset", &[how]);
        let requests = outcome["requests"].as_u64().expect("a number");
        assert!(requests < 400, "{how}: {requests} before it ended");
    }
    let outcome = run("h3_malformed.py", &edge, "streams", &[]);
    assert_eq!(outcome["code"], 0x107, "{outcome}");
    assert!(outcome["opened"].as_u64() < Some(400), "{outcome}");
    edge.assert_healthy();
}

#[test]
fn nothing_that_a_client_sends_or_leaves_fills_memory() {
    let _machine = heavy();
    let demo = Demo::start();
    let edge = Setup::new(demo.address).top("workers = 2").start();
    scenario(&edge, "churn", &["2"]);
    let before = rss_bytes(edge.process.pid());
    let grown = || rss_bytes(edge.process.pid()).saturating_sub(before) >> 20;
    scenario(&edge, "endless_head", &[]);
    assert!(grown() < 16, "{} MiB for heads", grown());
    scenario(&edge, "slow_reader", &["300"]);
    assert!(grown() < 24, "{} MiB for a slow reader", grown());
    run("h3_packets.py", &edge, "flood", &["3000"]);
    let metrics = edge.metrics();
    let retries = metrics.sum("edge_quic_retries_total", &[]);
    assert!(retries > 2000.0, "{retries} of 3000 were asked for proof");
    // What is kept for a few of them goes with the handshake's deadline.
    assert!(grown() < 64, "{} MiB for a flood", grown());
    scenario(&edge, "churn", &["2"]);
    let quiet = wait_until(Duration::from_secs(15), || {
        edge.metrics().sum("edge_connections", &["protocol=\"h3\""]) == 0.0
    });
    assert!(quiet, "connections are left");
}

/// Ten minutes with `--soak`.
#[test]
fn connections_come_and_go_and_memory_stays() {
    let _machine = heavy();
    let demo = Demo::start();
    // Those that were abandoned go soon.
    let mut edge = Setup::new(demo.address)
        .top("workers = 2")
        .section("quic", "idle_timeout = \"2s\"\nkeep_alive = \"off\"")
        .start();
    let secs = std::env::var("EDGE_SOAK_SECS").ok();
    let secs = secs.map(|secs| secs.parse().expect("seconds"));
    let mut left: u64 = secs.unwrap_or(if is_soak() { 600 } else { 6 });
    let short = left.min(50).to_string();
    scenario(&edge, "churn", &["3", "yes"]);
    let before = rss_bytes(edge.process.pid());
    while left > 0 {
        let outcome = scenario(&edge, "churn", &[&short, "yes"]);
        assert!(outcome["connections"].as_u64() > Some(3), "{outcome}");
        left = left.saturating_sub(50);
    }
    let grown = rss_bytes(edge.process.pid()).saturating_sub(before) >> 20;
    println!("{grown} MiB more than {} MiB", before >> 20);
    assert!(grown < 12, "{grown} MiB more");
    edge.assert_healthy();
}
