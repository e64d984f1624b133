//! HTTP/2 as clients use it, and as they must not.

use std::process::Command;
use std::time::{Duration, Instant};

use crate::support::{
    ALPN_H2, Answer, Client, Demo, Edge, End, H2, Process, Setup, Upstream, driver, h2_request,
    light, rss_bytes, run_driver, tls_config, wait_until,
};

const LIMIT: Duration = Duration::from_secs(5);

fn start() -> (Demo, Edge) {
    let demo = Demo::start();
    let edge = Setup::new(demo.address).start();
    (demo, edge)
}

#[test]
fn bodies_pass_both_ways() {
    let _machine = light();
    let (_demo, edge) = start();
    let mut client = H2::connect(edge.https, edge.authority());
    for size in [0, 1, 1000, 65_536, 3_000_000] {
        for query in ["", "&chunked=1"] {
            let response = client
                .get_within(&format!("/bytes?n={size}{query}"), LIMIT)
                .expect("an answer");
            assert_eq!(
                (response.status, response.body.len()),
                (200, size),
                "{query}"
            );
            let length = response
                .header("content-length")
                .map(|length| length.parse().expect("a number"));
            assert!(length.is_none_or(|length: usize| length == size));
        }
    }
    let body: Vec<u8> = (0..2_000_000_u32).map(|i| (i % 251) as u8).collect();
    let fields = [("content-type", "application/octet-stream")];
    let response = client.post("/echo", &fields, &body);
    assert!(
        response.body == body,
        "{} bytes of {} came back",
        response.body.len(),
        body.len()
    );
    assert_eq!(
        response.header("content-type"),
        Some("application/octet-stream")
    );
    let length = body.len().to_string();
    let response = client.post("/echo", &[("content-length", &length)], &body);
    assert!(response.body == body);
    let head = client
        .exchange(h2_request("HEAD", "/bytes?n=1234", &[]), None, LIMIT)
        .expect("an answer");
    assert_eq!(
        (head.status, head.header("content-length"), head.body.len()),
        (200, Some("1234"), 0)
    );
}

#[test]
fn slow_streams_do_not_hold_up_others() {
    let _machine = light();
    let (_demo, edge) = start();
    let mut client = H2::connect(edge.https, edge.authority());
    let quiet = client.open("/sse?interval_ms=60000");
    let start = Instant::now();
    let answers = client.all(&[
        "/slow?ms=400",
        "/headers",
        "/bytes?n=500000",
        "/slow?ms=200",
        "/slow?ms=400",
    ]);
    for answer in &answers {
        assert_eq!(answer.as_ref().map(|response| response.status), Ok(200));
    }
    let took = start.elapsed();
    assert!(
        took < Duration::from_millis(900),
        "five requests at once took {took:?}, one after the other 1 s"
    );
    drop(quiet);
}

/// RFC 9113 §5.2.1: the window of a connection is there for the streams that are, however many have waited
/// for it and are gone.
#[test]
fn the_last_of_many_waiting_streams_goes_on() {
    let _machine = light();
    let (_demo, edge) = start();
    let mut client = H2::connect(edge.https, edge.authority());
    // More than the window, of which nothing is given back.
    let unread = client.open_unread("/bytes?n=100000");
    client.run_for(Duration::from_millis(200));
    let given_up: Vec<_> = (0..100)
        .map(|_| client.open_unread("/bytes?n=1000"))
        .collect();
    let last = client.open_unread("/bytes?n=1000");
    drop(given_up);
    client.run_for(Duration::from_millis(200));
    drop(unread);
    let went_on = client.drain_within(last, LIMIT);
    assert_eq!(went_on, Ok(()));
}

/// A goodbye waits for an answer (to the PING that comes with it), but not forever.
#[test]
fn an_idle_client_that_answers_nothing_is_closed() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .section("timeouts", "head = \"1s\"\nidle = \"1s\"\ndrain = \"1s\"")
        .start();
    let config = tls_config(&edge.authority().roots(), ALPN_H2);
    let mut client = Client::tls_using(edge.https, "localhost", config).expect("a handshake");
    client.send(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0");
    let (_, end) = client.read_to_end(LIMIT);
    assert_ne!(
        end,
        End::TimedOut,
        "it is served no longer, and still there"
    );
}

/// Reset as soon as the answer is out, curl throws the answer away.
#[test]
fn a_client_in_the_middle_of_its_body_gets_the_early_answer() {
    let _machine = light();
    let refusal =
        b"HTTP/1.1 413 Content Too Large\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
    let upstream = Upstream::start(Answer::Keep(refusal.to_vec()));
    let edge = Setup::new(upstream.address).start();
    let body = edge.file("body");
    std::fs::write(&body, vec![b'x'; 1_000_000]).expect("the directory is the test's");
    for _ in 0..3 {
        let mut command = Command::new("curl");
        command
            .args(["--silent", "--http2", "--max-time", "5", "--cacert"])
            .arg(edge.file("ca.pem"))
            .arg("--data-binary")
            .arg(format!("@{}", body.display()))
            .args(["--write-out", " %{http_code}"])
            .arg(format!("https://localhost:{}/", edge.https.port()));
        let (code, out, error) = Process::run("curl", command, LIMIT * 3);
        assert_eq!((code, out.as_str()), (0, "no 413"), "{error}");
    }
}

/// A client that is not ours, with a hundred streams at once on each connection.
#[test]
fn h2load_gets_every_answer() {
    let _machine = light();
    let (_demo, edge) = start();
    let mut command = Command::new("h2load");
    command
        .args(["-n", "4000", "-c", "8", "-m", "100"])
        .arg(format!("https://localhost:{}/headers", edge.https.port()));
    let (code, out, error) = Process::run("h2load", command, LIMIT * 10);
    assert_eq!(code, 0, "{out}{error}");
    let all = "requests: 4000 total, 4000 started, 4000 done, 4000 succeeded, 0 failed";
    assert!(out.contains(all) && out.contains("4000 2xx"), "{out}");
    assert!(out.contains("Application protocol: h2"), "{out}");
}

#[test]
fn trailers_of_the_upstream_arrive() {
    let _machine = light();
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n";
    let upstream = Upstream::start(Answer::Keep(answer.into()));
    let edge = Setup::new(upstream.address).start();
    let response = H2::connect(edge.https, edge.authority())
        .get_within("/", LIMIT)
        .expect("an answer");
    assert_eq!(response.text(), "ok");
    assert_eq!(response.trailers, [("x-sum".to_owned(), "42".to_owned())]);
}

#[test]
fn cookie_crumbs_and_hosts_are_put_together() {
    let _machine = light();
    let (_demo, edge) = start();
    let mut client = H2::connect(edge.https, edge.authority());
    // RFC 9113 §8.2.3: split for compression, one field in HTTP/1.1.
    let response = client.post("/headers", &[("cookie", "a=1"), ("cookie", "b=2")], b"");
    let seen = response.json();
    assert_eq!(
        seen["headers"]["cookie"],
        serde_json::json!(["a=1; b=2"]),
        "{seen}"
    );
    assert_eq!(
        seen["headers"]["host"],
        serde_json::json!(["localhost"]),
        "{seen}"
    );
    assert_eq!(seen["version"], "HTTP/1.1");
}

#[test]
fn malformed_requests_are_refused() {
    let _machine = light();
    let upstream = Upstream::start(Answer::OnlyGood);
    let mut edge = Setup::new(upstream.address).start();
    let before = rss_bytes(edge.process.pid());
    let mut command = driver(2, "h2_bad.py", &[&edge.https.port().to_string()]);
    command.env("SSL_CERT_FILE", edge.file("ca.pem"));
    let outcomes = run_driver("h2_bad.py", command, Duration::from_secs(90));
    let outcomes = outcomes.as_object().expect("an object");
    assert!(outcomes.len() > 75, "{} cases", outcomes.len());
    let mut wrong = Vec::new();
    for (name, outcome) in outcomes {
        let right = match name.as_str() {
            "good" => outcome["status"] == 200,
            // Costly, not wrong: to bear it is as good as to end it.
            "rapid reset" => outcome["hang"].is_null(),
            // RFC 9113 §10.5: ENHANCE_YOUR_CALM, which a client that goes on sending may not see.
            name if ["flood", "made to reset", "requests given up"]
                .iter()
                .any(|kind| name.contains(kind)) =>
            {
                outcome["goaway"] == 11 || !outcome["closed"].is_null()
            }
            _ => {
                let refused = outcome["status"]
                    .as_u64()
                    .is_some_and(|status| (400..=505).contains(&status));
                refused
                    || ["reset", "goaway", "closed"]
                        .iter()
                        .any(|end| !outcome[end].is_null())
            }
        };
        if !right {
            wrong.push(format!("{name}: {outcome}"));
        }
    }
    edge.assert_healthy();
    assert!(
        wrong.is_empty(),
        "{} of {} wrong:\n{}",
        wrong.len(),
        outcomes.len(),
        wrong.join("\n")
    );
    // Only requests whose head was faultless may have left a trace, and none of them a whole body.
    let received = upstream.received();
    for text in ["evil", "x-a", "x-bomb", "/other", "/x", "#"] {
        assert!(!received.contains(text), "{text} reached the upstream");
    }
    let idle = wait_until(LIMIT, || upstream.connections() - upstream.closed() <= 2);
    assert!(
        idle,
        "{} upstream connections stay open",
        upstream.connections() - upstream.closed()
    );
    let growth = rss_bytes(edge.process.pid()).saturating_sub(before);
    assert!(growth < 64 << 20, "bad clients cost {} KiB", growth / 1024);
}

/// RFC 9113, sections 3.4 to 8.1.1, in raw frames: what may not be sent ends its stream or the
/// connection with the code that the RFC names, and what may be sent does not.
#[test]
fn each_rule_of_framing_is_kept() {
    let _machine = light();
    let upstream = Upstream::start(Answer::OnlyGood);
    let mut edge = Setup::new(upstream.address).start();
    let mut command = driver(2, "h2_frames.py", &[&edge.https.port().to_string()]);
    command.env("SSL_CERT_FILE", edge.file("ca.pem"));
    let outcomes = run_driver("h2_frames.py", command, Duration::from_secs(60));
    let outcomes = outcomes.as_object().expect("an object");
    assert!(outcomes.len() > 120, "{} cases", outcomes.len());
    let mut wrong = Vec::new();
    for (name, outcome) in outcomes {
        let want = outcome["want"].as_array().expect("a list");
        let right = want.contains(&outcome["got"]);
        if !right {
            wrong.push(format!("{name}: {outcome}"));
        }
    }
    edge.assert_healthy();
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
    assert!(
        !upstream.received().contains("/x"),
        "{}",
        upstream.received()
    );
}
