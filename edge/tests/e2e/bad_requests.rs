//! Malformed requests: answered with a client error and a close, kept from the upstream, never fatal.

mod table;

use std::time::{Duration, Instant};

use crate::support::{Answer, Client, Edge, End, Setup, Upstream, light, wait_until};
use table::{Bad, TABLE};

/// Nothing may take longer, and nearly everything takes milliseconds.
const LIMIT: Duration = Duration::from_secs(2);

const GOOD: &str = "GET /good HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

#[test]
fn over_plain_http() {
    let _machine = light();
    refuse_the_table(Edge::plain);
}

#[test]
fn over_tls() {
    let _machine = light();
    refuse_the_table(Edge::tls);
}

/// Sends every line of the table on its own connection and reports all that went wrong at once.
fn refuse_the_table(connect: fn(&Edge) -> Client) {
    // An upstream that never answers bad requests: whatever comes back is the proxy's own answer.
    let upstream = Upstream::start(Answer::OnlyGood);
    let mut edge = Setup::new(upstream.address).start();
    let mut wrong = Vec::new();
    for (name, statuses, request) in TABLE {
        let before = upstream.received().len();
        if let Err(reason) = refuse(connect(&edge), statuses, request) {
            wrong.push(format!("{name}: {reason}"));
        }
        let reached = upstream.received().split_off(before);
        if reaches_too_much(request, &reached) {
            wrong.push(format!("{name}: reached the upstream: {reached:?}"));
        }
        edge.assert_healthy();
    }
    let ended = wait_until(LIMIT, || upstream.connections() == upstream.closed());
    assert!(ended, "upstream connections of refused requests stay open");
    let good = connect(&edge).exchange(GOOD);
    assert_eq!(
        (good.status, good.text().as_str()),
        (200, "good"),
        "a good request after all the bad ones"
    );
    assert!(
        wrong.is_empty(),
        "{} of {} wrong:\n{}",
        wrong.len(),
        TABLE.len(),
        wrong.join("\n")
    );
}

/// Sends one request; its answer must be right, marked as the last, and followed by the close.
fn refuse(mut client: Client, statuses: &[u16], request: &Bad) -> Result<(), String> {
    let start = Instant::now();
    // The answer may come before the last byte is sent, and the close with it.
    let _ = client.try_send(&request.bytes());
    let response = client.response_within(false, LIMIT)?;
    if !statuses.contains(&response.status) {
        return Err(format!(
            "answered {} {:?}",
            response.status,
            response.text()
        ));
    }
    if response.header("connection") != Some("close") {
        return Err(format!("no `Connection: close` in {:?}", response.headers));
    }
    if response.body.len() > 1024 {
        return Err(format!("an answer of {} bytes", response.body.len()));
    }
    match client.read_to_end(LIMIT.saturating_sub(start.elapsed())) {
        (_, End::TimedOut) => Err("answered, but did not close".to_owned()),
        (rest, _) if !rest.is_empty() => Err(format!(
            "more than one answer: {:?}",
            String::from_utf8_lossy(&rest)
        )),
        _ => Ok(()),
    }
}

/// Nothing of a bad head may reach the upstream, and never the end of a bad body.
fn reaches_too_much(request: &Bad, reached: &str) -> bool {
    // Faultless heads of earlier lines may arrive late.
    let heads = reached.matches(" HTTP/1.").count();
    let faultless = reached.matches("faultless-head").count();
    heads > faultless || (request.is_in_body() && reached.contains("\r\n0\r\n"))
}

#[test]
fn a_second_request_behind_a_bad_one_is_not_served() {
    let _machine = light();
    let upstream = Upstream::start(Answer::OnlyGood);
    let edge = Setup::new(upstream.address).start();
    let smuggled =
        format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5, 5\r\n\r\nhello{GOOD}");
    let mut client = edge.plain();
    client.send(smuggled);
    assert_eq!(client.response(false).status, 400);
    let (rest, end) = client.read_to_end(LIMIT);
    assert!(
        rest.is_empty() && end != End::TimedOut,
        "{:?} {end:?}",
        String::from_utf8_lossy(&rest)
    );
    assert_eq!(upstream.received(), "");
}

#[test]
fn slow_heads_and_silent_connections_are_cut() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .section(
            "timeouts",
            "head = \"1s\"\nhandshake = \"1s\"\ndrain = \"1s\"",
        )
        .start();
    let limit = Duration::from_secs(3);
    let silent_plain = edge.plain();
    let silent_tls = edge.tls();
    let no_handshake = Client::plain(edge.https);
    let mut drip = edge.plain();
    let start = Instant::now();
    // One byte every 50 ms would keep a connection alive whose deadline starts anew with every byte.
    let answer = loop {
        let taken = drip.try_send(b"G").is_ok();
        match drip.response_within(false, Duration::from_millis(50)) {
            Ok(response) => break response,
            Err(_) => assert!(
                taken && start.elapsed() < limit,
                "no answer to an endless head"
            ),
        }
    };
    assert_eq!(answer.status, 408);
    for (name, mut client) in [
        ("plain", silent_plain),
        ("TLS", silent_tls),
        ("handshake", no_handshake),
    ] {
        let (bytes, end) = client.read_to_end(Duration::from_millis(100));
        let text = String::from_utf8_lossy(&bytes);
        assert_ne!(
            end,
            End::TimedOut,
            "{name}: not closed after {:?}",
            start.elapsed()
        );
        assert!(
            text.is_empty() || text.starts_with("HTTP/1.1 408 ") || name == "handshake",
            "{name}: {text}"
        );
    }
    assert_eq!(upstream.received(), "");
}

#[test]
fn plain_http_on_the_tls_port_is_closed() {
    let _machine = light();
    let upstream = Upstream::ok();
    let mut edge = Setup::new(upstream.address).start();
    for garbage in [
        &b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n"[..],
        &[0xff; 600],
        &[0x16, 3, 1, 0xff, 0xff, 1],
    ] {
        let mut client = Client::plain(edge.https);
        client.send(garbage);
        // A record that promises more than it brings may wait for the rest; FIN says there is none.
        client
            .socket()
            .shutdown(std::net::Shutdown::Write)
            .expect("the connection is open");
        let (_, end) = client.read_to_end(LIMIT);
        assert_ne!(end, End::TimedOut, "{garbage:?}");
    }
    assert_eq!(edge.tls().exchange(GOOD).status, 200);
    edge.assert_healthy();
}
