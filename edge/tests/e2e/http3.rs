//! HTTP/3 as clients use it; aioquic is the client.

mod abuse;
mod faults;
mod hostile;
mod lasting;
mod packets;
mod path;

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{
    ALPN_H1, Answer, Client, Demo, Edge, McpServer, Process, Setup, Upstream, is_soak, light, peer,
    run_driver, wait_until,
};

const LIMIT: Duration = Duration::from_secs(60);

fn start() -> (Demo, Edge) {
    let demo = Demo::start();
    let edge = Setup::new(demo.address).top("workers = 2").start();
    (demo, edge)
}

/// What a scenario of `script` reports.
fn run(script: &str, edge: &Edge, name: &str, more: &[&str]) -> Value {
    let ca = edge.file("ca.pem").display().to_string();
    let url = edge.url();
    let arguments = [&[name, &url, &ca], more].concat();
    let limit = if is_soak() { 5 * LIMIT } else { LIMIT };
    run_driver(name, peer(script, &arguments), limit)
}

/// What a client says that is connected when the edge is killed, and goes on when it is back.
fn over_a_death(edge: &mut Edge, script: &str, name: &str) -> String {
    let (url, ca, ready) = (edge.url(), edge.file("ca.pem"), edge.file("ready"));
    let files = [&ca, &ready].map(|file| file.display().to_string());
    let arguments = [name, &url, &files[0], &files[1]];
    let mut client = Process::start(name, peer(script, &arguments));
    client.wait_for("connected", LIMIT);
    edge.process.signal(Signal::SIGKILL);
    edge.process.wait(Duration::from_secs(5));
    edge.start_again();
    std::fs::write(&ready, "").expect("our own directory is writable");
    let (code, stdout, stderr) = client.finish(LIMIT);
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    stdout
}

fn scenario(edge: &Edge, name: &str, more: &[&str]) -> Value {
    run("h3_scenarios.py", edge, name, more)
}

/// What becomes of requests, each a path and fields.
pub(crate) fn h3_answers(edge: &Edge, wanted: &Value) -> Vec<Value> {
    match scenario(edge, "answers", &[&wanted.to_string()]) {
        Value::Array(answers) => answers,
        other => panic!("{other}"),
    }
}

/// The content of one of them.
pub(crate) fn h3_body(answer: &Value) -> Vec<u8> {
    let hex = answer["body"].as_str().unwrap_or_default();
    let pairs = hex.as_bytes().chunks(2).map(|pair| {
        let pair = str::from_utf8(pair).expect("it is hex");
        u8::from_str_radix(pair, 16).expect("it is hex")
    });
    pairs.collect()
}

#[test]
fn requests_of_every_kind() {
    let _machine = light();
    let (_demo, mut edge) = start();
    assert_eq!(scenario(&edge, "exchanges", &[]), "ok");
    let line = edge.log_line(|line| line["path"] == "/echo");
    assert_eq!(
        (&line["protocol"], &line["tls"]),
        (&"h3".into(), &"TLSv1.3".into())
    );
    let metrics = edge.metrics();
    assert!(metrics.sum("edge_requests_total", &["protocol=\"h3\""]) >= 205.0);
    assert_eq!(
        metrics.sum("edge_connections_total", &["protocol=\"h3\""]),
        3.0
    );
    assert_eq!(metrics.sum("edge_connections", &["protocol=\"h3\""]), 0.0);
    assert_eq!(metrics.sum("edge_http3_streams", &[]), 0.0);
    edge.assert_healthy();
}

#[test]
fn curl_speaks_it_too() {
    let _machine = light();
    let (_demo, mut edge) = start();
    let ca = edge.file("ca.pem").display().to_string();
    let version = run_driver("h3_curl.py", peer("h3_curl.py", &[&edge.url(), &ca]), LIMIT);
    let metrics = edge.metrics();
    let connections = metrics.sum("edge_connections_total", &["protocol=\"h3\""]);
    let over_tcp = metrics.sum("edge_connections_total", &["protocol=\"h2\""]);
    // One for what it waits for, and perhaps one for what it streams.
    assert!(
        connections <= 2.0 && over_tcp == 0.0,
        "{connections} {over_tcp} {version}"
    );
    edge.assert_healthy();
}

#[test]
fn a_client_in_the_middle_of_its_body_gets_the_early_answer() {
    let _machine = light();
    let refusal =
        b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
    let upstream = Upstream::start(Answer::Keep(refusal.to_vec()));
    let edge = Setup::new(upstream.address).start();
    let seen = scenario(&edge, "refused", &[]);
    assert_eq!(seen, serde_json::json!([413, "no", null]));
}

#[test]
fn losses_and_handshakes_that_fail_are_counted() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address)
        .section("timeouts", "handshake = \"1s\"")
        .start();
    let lost = scenario(&edge, "losing", &[]).as_f64();
    let lost = lost.expect("a number");
    let counted = || edge.metrics().sum("edge_quic_packets_lost_total", &[]);
    let most = 4.0 * lost;
    assert!(
        wait_until(LIMIT, || (lost / 2.0..most).contains(&counted())),
        "{} of {lost}",
        counted()
    );
    scenario(&edge, "unfinished", &[]);
    let failed = |reason: &str| {
        let label = format!("reason=\"{reason}\"");
        let metrics = edge.metrics();
        metrics.sum("edge_quic_handshake_failures_total", &[&label])
    };
    let all = || ["tls", "closed", "timeout", "transport", "refused"].map(failed);
    assert!(
        wait_until(LIMIT, || all() == [1.0, 1.0, 1.0, 0.0, 0.0]),
        "{:?}",
        all()
    );
}

#[test]
fn events_leave_at_once() {
    let _machine = light();
    let (demo, edge) = start();
    // Beside a stream that the same client has straight from the server: what comes late to both is
    // the machine's doing.
    let delays = scenario(&edge, "events", &[&demo.address.to_string()]);
    let more = |name: &str| {
        let ms = |by: &str| delays[by][name].as_f64().expect("a number");
        ms("edge") - ms("direct")
    };
    assert!(
        more("late_ms") < 20.0 && more("median_ms") < 5.0,
        "{delays}"
    );
}

#[test]
fn the_official_sdks_servers_answer() {
    let _machine = light();
    for generation in [1, 2] {
        let server = McpServer::start(generation, 30);
        let edge = Setup::new(server.address).top("workers = 2").start();
        let outcome = scenario(&edge, "mcp", &[]);
        assert!(outcome["progress"].as_u64() >= Some(5), "{outcome}");
    }
}

#[test]
fn both_sides_can_give_up() {
    let _machine = light();
    let (_demo, mut edge) = start();
    let outcome = scenario(&edge, "cancelling", &[]);
    // H3_INTERNAL_ERROR: nobody can take the answer for complete.
    assert_eq!(outcome["died"], 0x102, "{outcome}");
    let open = || edge.metrics().sum("edge_upstream_connections", &[]);
    assert!(
        wait_until(Duration::from_secs(2), || open() <= 2.0),
        "{} open",
        open()
    );
    let line = edge.log_line(|line| line["path"] == "/sse");
    assert_eq!(line["error"], "client_gone");
    assert!(
        line["duration_ms"].as_f64().expect("a number") < 1000.0,
        "{line}"
    );
    edge.assert_healthy();
}

#[test]
fn clients_learn_of_it_over_tcp() {
    let _machine = light();
    let demo = Demo::start();
    let other = "[[host]]\nnames = [\"quiet.test\"]\ncertificate = \"localhost.pem\"\n\
                 key = \"localhost.key\"\nhttp3 = false\n[[host.route]]\nupstream = \"origin\"\n";
    let edge = Setup::new(demo.address).hosts(other).start();
    let told = |mut client: Client, host: &str, path: &str| {
        client.send(format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n"));
        let response = client.response(false);
        response.header("alt-svc").map(str::to_owned)
    };
    let tls = || Client::tls(edge.https, "localhost", &edge.authority().roots(), ALPN_H1);
    let expected = format!("h3=\":{}\"; ma=86400", edge.https.port());
    for path in ["/headers", "/no-such-thing"] {
        assert_eq!(told(tls(), "localhost", path).as_deref(), Some(&*expected));
    }
    assert_eq!(told(tls(), "quiet.test", "/headers"), None);
    let plain = told(edge.plain(), "localhost", "/headers");
    assert_eq!(plain, None, "not over plain HTTP");
    drop(edge);

    let edge = Setup::new(demo.address)
        .listen("redirect = false\nquic = \"off\"")
        .start();
    let unheard = told(edge.tls(), "localhost", "/headers");
    assert_eq!(unheard, None, "nobody listens");
}
