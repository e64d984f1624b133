//! Malformed requests: answered with a client error and a close, kept from the upstream, never fatal.

mod framing;
mod odd;
mod table;

use std::process::Command;
use std::time::{Duration, Instant};

use nix::sys::resource::{Resource, getrlimit, setrlimit};

use crate::support::{Answer, Client, Demo, Edge, End, H2, Setup, Upstream, light, wait_until};
use framing::FRAMING;
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

/// Sends every line of the tables on its own connection and reports all that went wrong at once.
fn refuse_the_table(connect: fn(&Edge) -> Client) {
    // An upstream that never answers bad requests: whatever comes back is the proxy's own answer.
    let upstream = Upstream::start(Answer::OnlyGood);
    let mut edge = Setup::new(upstream.address).start();
    let mut wrong = Vec::new();
    for (name, statuses, request) in TABLE.iter().chain(FRAMING) {
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
        TABLE.len() + FRAMING.len(),
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
fn silent_clients_take_no_place_in_handshakes() {
    let _machine = light();
    let (_, hard) = getrlimit(Resource::RLIMIT_NOFILE).expect("limits can be read");
    setrlimit(Resource::RLIMIT_NOFILE, hard, hard).expect("up to the hard limit");
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .section("bounds", "connections_per_address = \"off\"")
        .start();
    let silent: Vec<Client> = (0..600).map(|_| Client::plain(edge.https)).collect();
    let mut slow: Vec<Client> = (0..600).map(|_| Client::plain(edge.https)).collect();
    for client in &mut slow {
        client.send(b"\x16\x03\x01\x02\x00\x01");
    }
    let start = Instant::now();
    assert_eq!(edge.tls().exchange(GOOD).status, 200);
    assert!(start.elapsed() < LIMIT, "{:?}", start.elapsed());
    drop((silent, slow));
}

/// Connections that nobody uses keep nobody out.
#[test]
fn idle_clients_make_room_for_others() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address)
        .section("bounds", "connections = 8")
        .start();
    let mut busy = edge.plain();
    busy.send("GET /sse?interval_ms=50 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    busy.read_until("data:", LIMIT);
    let start = Instant::now();
    let mut idle = Vec::new();
    for _ in 0..6 {
        let mut used = edge.plain();
        used.send("GET /headers HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(used.response(false).status, 200);
        idle.push(used);
    }
    let mut h2 = H2::connect(edge.https, edge.authority());
    let answer = h2.get_within("/headers", LIMIT);
    assert_eq!(answer.map(|response| response.status), Ok(200));
    // None of them is idle for too long: the deadline for that is 75 s.
    for _ in 0..6 {
        let mut client = edge.plain();
        client.send("GET /headers HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let answer = client.response_within(false, Duration::from_secs(15));
        assert_eq!(answer.map(|response| response.status), Ok(200));
        idle.push(client);
    }
    // Who is being served stays: these are more events than there can have been so far.
    let events = 20 * start.elapsed().as_secs() + 40;
    for _ in 0..events {
        busy.read_until("data:", LIMIT);
    }
    drop(idle);
}

/// With all descriptors given to clients there would be none for the servers that answer them.
#[test]
fn a_crowd_leaves_descriptors_for_servers() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address);
    let plain = setup.command();
    let mut command = Command::new("sh");
    command
        .args(["-c", "ulimit -n 100; exec \"$0\" \"$@\""])
        .arg(plain.get_program())
        .args(plain.get_args());
    let edge = setup.start_as(command);
    let mut crowd: Vec<Client> = (0..120)
        .map(|_| {
            let mut client = edge.plain();
            client.send(GOOD);
            client
        })
        .collect();
    for client in &mut crowd {
        let response = client.response_within(false, Duration::from_secs(10));
        assert_eq!(response.map(|response| response.status), Ok(200));
    }
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
