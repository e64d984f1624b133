//! Connections that outlast what happens around them.

use std::time::Duration;

use nix::sys::signal::Signal;

use super::{LIMIT, over_a_death, run, scenario, start};
use crate::support::{Answer, Demo, Process, Setup, Upstream, free_port, light, peer, run_driver};

/// With two workers the kernel's hash would choose the wrong one for half of the ports.
#[test]
fn a_client_that_changes_its_port_keeps_its_stream() {
    let _machine = light();
    let (_demo, mut edge) = start();
    let moving = |name: &str, more: &[&str]| run("h3_moving.py", &edge, name, more);
    assert_eq!(moving("moving", &["12", "no"]), "ok");
    assert_eq!(moving("moving", &["8", "yes"]), "ok");
    assert_eq!(moving("uploading", &[]), "ok");
    let migrations = edge.metrics().sum("edge_quic_migrations_total", &[]);
    assert!(migrations >= 20.0, "{migrations} migrations");
    edge.assert_healthy();
}

#[test]
fn an_address_that_a_reload_adds_is_steered_too() {
    let _machine = light();
    let (_demo, mut edge) = start();
    let (first, added) = (edge.https.port(), free_port());
    let listen = format!("redirect = false\nquic = [\"127.0.0.1:{first}\", \"127.0.0.1:{added}\"]");
    edge.rewrite(&edge.config().replace("redirect = false", &listen));
    edge.reload();
    let ca = edge.file("ca.pem").display().to_string();
    let url = format!("https://localhost:{added}");
    let command = peer("h3_moving.py", &["moving", &url, &ca, "12", "no"]);
    assert_eq!(run_driver("moving", command, LIMIT), "ok");
    let log = edge.process.stderr();
    assert!(!log.contains("kernel's hash"), "{log}");
    edge.assert_healthy();
}

#[test]
fn a_ticket_is_good_at_every_worker() {
    let _machine = light();
    let (_demo, edge) = start();
    let outcome = scenario(&edge, "resumption", &["8"]);
    assert_eq!(outcome["resumed"], 8);
}

#[test]
fn early_data_is_taken_once_and_only_where_it_is_wanted() {
    let _machine = light();
    let demo = Demo::start();
    let setup = || Setup::new(demo.address).top("workers = 2");
    let edge = setup().start();
    let off = serde_json::json!({"accepted": false, "mark": null});
    assert_eq!(
        scenario(&edge, "early", &["no"]),
        serde_json::json!([off, off])
    );
    drop(edge);
    let edge = setup()
        .section("quic", "early_data = true")
        .route("early_data = true")
        .start();
    let on = serde_json::json!({"accepted": true, "mark": ["1"]});
    // The second attempt is the first once more: its session has been used.
    assert_eq!(
        scenario(&edge, "early", &["yes"]),
        serde_json::json!([on, off])
    );
    drop(edge);
    // Where the route does not take it, or an address nobody has proven would decide, the request waits
    // for the handshake.
    for route in ["", "early_data = true\nallow = [\"127.0.0.0/8\"]"] {
        let edge = setup()
            .section("quic", "early_data = true")
            .route(route)
            .start();
        let waited = serde_json::json!({"accepted": true, "mark": null});
        assert_eq!(
            scenario(&edge, "early", &["yes"]),
            serde_json::json!([waited, off])
        );
    }
}

#[test]
fn a_server_may_find_a_request_too_early() {
    let _machine = light();
    let upstream = Upstream::start(Answer::TooEarly);
    let mut edge = Setup::new(upstream.address)
        .top("workers = 2")
        .section("quic", "early_data = true")
        .route("early_data = true")
        .start();
    let outcome = scenario(&edge, "too_early", &[]);
    let expected = serde_json::json!({"early": 425, "again": 200, "accepted": true});
    assert_eq!(outcome, expected);
    let received = upstream.received().to_ascii_lowercase();
    // Nothing came of the same packets once more.
    assert_eq!(received.matches("early-data: 1").count(), 1, "{received}");
    assert_eq!(received.matches("get /early").count(), 2, "{received}");
    edge.assert_healthy();
}

#[test]
fn early_data_of_before_a_restart_is_not_taken_after_it() {
    let _machine = light();
    let upstream = Upstream::ok();
    let mut edge = Setup::new(upstream.address)
        .top("workers = 2")
        .section("quic", "early_data = true")
        .route("early_data = true")
        .start();
    let stdout = over_a_death(&mut edge, "h3_moving.py", "restarted");
    let seen: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(seen, serde_json::json!([[200, true], [200, false], true]));
    let received = upstream.received();
    assert_eq!(received.matches("GET /early").count(), 1, "{received}");
    assert_eq!(received.matches("GET /after").count(), 1, "{received}");
}

#[test]
fn new_keys_within_a_download() {
    let _machine = light();
    let (_demo, mut edge) = start();
    assert_eq!(run("h3_moving.py", &edge, "rekeyed", &[]), "ok");
    edge.assert_healthy();
}

#[test]
fn a_browser_keeps_its_event_stream_over_a_reload() {
    let _machine = light();
    let (_demo, edge) = start();
    let ready = edge.file("ready").display().to_string();
    let certificate = edge.file("localhost.pem").display().to_string();
    let command = peer("h3_browser.py", &[&edge.url(), &certificate, &ready]);
    let mut browser = Process::start("h3_browser.py", command);
    browser.wait_for("connected", LIMIT);
    let connections = || {
        edge.metrics()
            .sum("edge_connections_total", &["protocol=\"h3\""])
    };
    let before = connections();
    edge.process.signal(Signal::SIGHUP);
    std::thread::sleep(Duration::from_millis(300));
    std::fs::write(&ready, "").expect("our own directory is writable");
    let (code, stdout, stderr) = browser.finish(LIMIT);
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    let seen: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(seen["page"], "h3", "{seen}");
    assert_eq!(seen["errors"], 0, "{seen}");
    let hops = seen["resources"].as_array().expect("a list");
    assert!(
        hops.len() > 1 && hops.iter().all(|hop| hop == "h3"),
        "{seen}"
    );
    let over_tcp = ["protocol=\"h2\"", "protocol=\"http/1.1\""]
        .map(|protocol| edge.metrics().sum("edge_connections_total", &[protocol]));
    assert_eq!((connections(), over_tcp), (before, [0.0, 0.0]));
}

/// RFC 9114 §5.2: what was on its way is answered, and what came too late is named and refused.
#[test]
fn a_reload_and_a_drain_end_nothing_early() {
    let _machine = light();
    let is_welcome = (0..3).any(|_| {
        let heard = drained();
        // On a busy machine the first request may come too late as well.
        let is_welcome = heard["answers"][0] == 200;
        let (first, next) = if is_welcome { (200, 8) } else { (0x10b, 4) };
        // The stream ends as if the server had ended it, and the connection without an error.
        let expected = serde_json::json!({
            "goaways": [(1u64 << 62) - 4, next],
            "answers": [first, 0x10b],
            "reset": null,
            "code": 0x100,
        });
        assert_eq!(heard, expected);
        is_welcome
    });
    assert!(is_welcome, "nothing that was on its way was answered");
}

/// What a client hears that has a stream open while the edge is reloaded and then stopped.
fn drained() -> serde_json::Value {
    let (_demo, edge) = start();
    let ca = edge.file("ca.pem").display().to_string();
    let url = edge.url();
    let command = peer("h3_scenarios.py", &["drained", &url, &ca]);
    let mut client = Process::start("drained", command);
    client.wait_for("connected", LIMIT);
    edge.process.signal(Signal::SIGHUP);
    std::thread::sleep(Duration::from_millis(500));
    assert!(client.is_running(), "{}", client.output());
    edge.process.signal(Signal::SIGTERM);
    let (code, stdout, stderr) = client.finish(LIMIT);
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    serde_json::from_str(&stdout).expect("JSON")
}
