//! Openings that are none, answers that are none, and bytes that come too early.

use std::io::{Read, Write};
use std::time::Duration;

use super::raw::{SWITCHED, answering, opening, switching};
use crate::support::{Answer, End, Setup, Upstream, light};

const LIMIT: Duration = Duration::from_secs(5);

#[test]
fn a_route_without_websocket_opens_none() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .route("websocket = false")
        .start();
    let mut client = edge.plain();
    assert_eq!(client.exchange(opening("/")).status, 403);
    let line = edge.log_line(|line| line["status"] == 403);
    assert_eq!(line["error"], "websocket_off");
    assert_eq!(upstream.received(), "");
    // Anything else passes, on the same connection.
    let plain = client.exchange("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(plain.status, 200);
}

#[test]
fn what_is_no_opening_reaches_no_upstream() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address).start();
    let good = opening("/");
    let with = |from: &str, to: &str| good.replace(from, to);
    for (name, request, status) in [
        (
            "a body",
            with("\r\n\r\n", "\r\nContent-Length: 5\r\n\r\nhello"),
            400,
        ),
        (
            "a chunked body",
            with(
                "\r\n\r\n",
                "\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
            ),
            400,
        ),
        ("POST", with("GET /", "POST /"), 400),
        ("no key", with("Sec-WebSocket-Key", "X-Key"), 400),
        (
            "a short key",
            with("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="),
            400,
        ),
        (
            "a key for this hop only",
            with(
                "Connection: Upgrade",
                "Connection: Upgrade, Sec-WebSocket-Key",
            ),
            400,
        ),
        ("another version", with("Version: 13", "Version: 8"), 400),
        (
            "another protocol",
            with("Upgrade: websocket", "Upgrade: foo"),
            501,
        ),
    ] {
        let response = edge.plain().exchange(&request);
        assert_eq!(response.status, status, "{name}");
    }
    assert_eq!(upstream.received(), "");
    // Without `Connection: upgrade`, or in HTTP/1.0, the field means nothing (RFC 9110 §7.8).
    for request in [
        with("Connection: Upgrade\r\n", ""),
        with("HTTP/1.1", "HTTP/1.0"),
    ] {
        assert_eq!(edge.plain().exchange(&request).status, 200);
    }
    let received = upstream.received().to_ascii_lowercase();
    assert!(!received.contains("upgrade"), "{received}");
}

#[test]
fn a_server_that_does_not_switch_has_answered() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address).start();
    let mut client = edge.tls();
    // What comes behind the opening is the next request, for the protocol has not changed.
    client.send(opening("/one") + "GET /two HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for _ in 0..2 {
        assert_eq!(client.response(false).status, 200);
    }
    let received = upstream.received();
    assert!(
        received.contains("GET /two HTTP/1.1\r\nhost: localhost\r\n"),
        "{received}"
    );
}

#[test]
fn answers_that_agree_to_nothing_that_was_asked() {
    let _machine = light();
    for head in [
        SWITCHED.replace("s3pPLMBi", "AAAAAAAA"),
        SWITCHED.replace("Sec-WebSocket-Accept", "X-Accept"),
        SWITCHED.replace("Upgrade: websocket", "Upgrade: h2c"),
        SWITCHED.replace("Connection: Upgrade\r\n", ""),
    ] {
        let upstream = Upstream::start(Answer::Hold(head.clone().into_bytes()));
        let edge = Setup::new(upstream.address).start();
        assert_eq!(edge.plain().exchange(opening("/")).status, 502, "{head}");
    }
    // Nobody asked: the request was an ordinary one.
    let upstream = Upstream::start(Answer::Hold(SWITCHED.into()));
    let edge = Setup::new(upstream.address).start();
    let response = edge
        .plain()
        .exchange("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(response.status, 502);
}

#[test]
fn early_bytes_of_both_sides_are_kept() {
    let _machine = light();
    let address = answering(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: upgrade\r\n\
         Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\nfrom the server",
        |mut stream| {
            let mut got = [0; 15];
            if stream.read_exact(&mut got).is_ok() {
                let _ = stream.write_all(&got);
            }
        },
    );
    let edge = Setup::new(address).start();
    let mut client = edge.tls();
    client.send(opening("/") + "from the client");
    let head = client.read_until("\r\n\r\n", LIMIT);
    assert!(head.starts_with("HTTP/1.1 101 "), "{head}");
    client.read_until("from the server", LIMIT);
    client.read_until("from the client", LIMIT);
}

#[test]
fn either_side_may_end_its_direction_first() {
    let _machine = light();
    // The server answers only when it has seen the end.
    let address = switching(|mut stream| {
        let mut got = Vec::new();
        let read = stream.read_to_end(&mut got);
        let _ = stream.write_all(format!("{read:?} of {}", got.len()).as_bytes());
    });
    let edge = Setup::new(address).start();
    let mut client = edge.plain();
    client.send(opening("/"));
    client.read_until("\r\n\r\n", LIMIT);
    client.send(vec![b'x'; 300_000]);
    client
        .socket()
        .shutdown(std::net::Shutdown::Write)
        .expect("it is connected");
    let (rest, end) = client.read_to_end(LIMIT);
    assert_eq!(String::from_utf8_lossy(&rest), "Ok(300000) of 300000");
    assert_eq!(end, End::Clean);

    // The server ends first and still hears the client; not over TLS, whose end is for both.
    let address = switching(|mut stream| {
        let _ = stream.write_all(b"bye");
        let _ = stream.shutdown(std::net::Shutdown::Write);
        let mut got = Vec::new();
        if stream.read_to_end(&mut got).is_ok() && got == b"so long" {
            HEARD.store(true, std::sync::atomic::Ordering::SeqCst);
        }
    });
    let edge = Setup::new(address).start();
    let mut client = edge.plain();
    client.send(opening("/"));
    client.read_until("\r\n\r\n", LIMIT);
    assert_eq!(client.read_to_end(LIMIT), (b"bye".to_vec(), End::Clean));
    client.send("so long");
    drop(client);
    let heard = || HEARD.load(std::sync::atomic::Ordering::SeqCst);
    assert!(
        crate::support::wait_until(LIMIT, heard),
        "the client's last bytes are lost"
    );
}

static HEARD: std::sync::atomic::AtomicBool = std::sync::atomic::AtomicBool::new(false);
