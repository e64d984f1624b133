//! Upstreams that misbehave: a short 502 or 504, or a stream that visibly breaks off. Never a hang.

mod reuse;
mod table;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::http3::{h3_answers, h3_body};
use crate::support::{Answer, Demo, Edge, End, H2, Setup, Upstream, free_port, light, wait_until};
use table::{Expect, TABLE};

/// The upstreams' `response_timeout` is 700 ms; two of them in a row, and some, is a hang.
const LIMIT: Duration = Duration::from_secs(3);

/// One `edge` with a route and an upstream for every line of the table.
struct Behind {
    edge: Edge,
    _upstreams: Vec<Upstream>,
}

fn start() -> Behind {
    let upstreams: Vec<Upstream> = TABLE
        .iter()
        .map(|(_, answer, _)| Upstream::start(Answer::from(answer)))
        .collect();
    let mut setup = Setup::new(upstreams[0].address);
    for (row, upstream) in upstreams.iter().enumerate() {
        setup = with_route(setup, row, upstream.address);
    }
    Behind {
        edge: setup.start(),
        _upstreams: upstreams,
    }
}

impl Behind {
    /// Every failure is in the access log with its reason, and no connection is left.
    fn has_told_and_let_go(&self, before: usize) {
        for (row, (name, _, expect)) in TABLE.iter().enumerate() {
            let path = format!("/{row}");
            let line = self.edge.log_line(|line| line["path"] == path.as_str());
            let reason = line["error"].as_str().unwrap_or_default();
            let told = reason.starts_with("upstream_");
            assert_eq!(told, expect.is_error(), "{name}: {line}");
        }
        // A few it opens for itself; a row that leaves one would not be alone.
        let most = before + 10;
        let now = || descriptors(&self.edge);
        let left = wait_until(LIMIT * 3, || now() <= most);
        assert!(left, "{} descriptors after {before}", now());
    }
}

fn descriptors(edge: &Edge) -> usize {
    let open = std::fs::read_dir(format!("/proc/{}/fd", edge.process.pid()));
    open.expect("procfs is mounted").count()
}

fn with_route(setup: Setup, row: usize, address: SocketAddr) -> Setup {
    let body = format!(
        "servers = [\"{address}\"]\nresponse_timeout = \"700ms\"\nconnect_timeout = \"700ms\""
    );
    setup
        .more_routes(&format!(
            "[[host.route]]\npath = \"/{row}\"\nupstream = \"row{row}\"\n"
        ))
        .section(&format!("upstream.row{row}"), &body)
}

#[test]
fn over_http1() {
    let _machine = light();
    let mut behind = start();
    let before = descriptors(&behind.edge);
    let mut wrong = Vec::new();
    for (row, (name, _, expect)) in TABLE.iter().enumerate() {
        let mut client = behind.edge.tls();
        client.send(format!("GET /{row} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
        let answer = client.final_response_within(LIMIT);
        let seen = match answer {
            Ok(response) => match client.read_to_end(Duration::from_millis(20)) {
                (rest, _) if rest.is_empty() => Ok((response.status, response.text())),
                (rest, _) => Err(format!(
                    "bytes after the answer: {:?}",
                    String::from_utf8_lossy(&rest)
                )),
            },
            Err(reason) if reason.contains("TimedOut") => Err(format!("a hang: {reason}")),
            Err(reason) => Ok((0, reason)),
        };
        if let Err(reason) = seen.and_then(|(status, body)| expect.check(status, &body)) {
            wrong.push(format!("{name}: {reason}"));
        }
        behind.edge.assert_healthy();
    }
    behind.has_told_and_let_go(before);
    assert!(
        wrong.is_empty(),
        "{} of {} wrong:\n{}",
        wrong.len(),
        TABLE.len(),
        wrong.join("\n")
    );
}

#[test]
fn over_http2() {
    let _machine = light();
    let mut behind = start();
    let before = descriptors(&behind.edge);
    let mut wrong = Vec::new();
    for (row, (name, _, expect)) in TABLE.iter().enumerate() {
        let mut client = H2::connect(behind.edge.https, behind.edge.authority());
        let seen = match client.get_within(&format!("/{row}"), LIMIT) {
            Ok(response) => Ok((response.status, response.text())),
            Err(reason) if reason.contains("timed out") => Err(format!("a hang: {reason}")),
            Err(reason) => Ok((0, reason)),
        };
        if let Err(reason) = seen.and_then(|(status, body)| expect.check(status, &body)) {
            wrong.push(format!("{name}: {reason}"));
        }
        behind.edge.assert_healthy();
    }
    behind.has_told_and_let_go(before);
    assert!(
        wrong.is_empty(),
        "{} of {} wrong:\n{}",
        wrong.len(),
        TABLE.len(),
        wrong.join("\n")
    );
}

#[test]
fn over_http3() {
    let _machine = light();
    let mut behind = start();
    let before = descriptors(&behind.edge);
    let wanted: Vec<_> = (0..TABLE.len())
        .map(|row| (format!("/{row}"), [(); 0]))
        .collect();
    let answers = h3_answers(&behind.edge, &serde_json::json!(wanted));
    let mut wrong = Vec::new();
    for ((name, _, expect), answer) in TABLE.iter().zip(&answers) {
        let status = match (&answer["ended"], &answer["broken"]) {
            (ended, _) if ended == false => Err("a hang".to_owned()),
            (_, broken) if broken == true => Ok(0),
            _ => Ok(answer["status"].as_u64().unwrap_or(0) as u16),
        };
        let body = h3_body(answer);
        let body = String::from_utf8_lossy(&body);
        if let Err(reason) = status.and_then(|status| expect.check(status, &body)) {
            wrong.push(format!("{name}: {reason}"));
        }
    }
    assert_eq!(answers.len(), TABLE.len());
    behind.edge.assert_healthy();
    let (count, shown) = (wrong.len(), wrong.join("\n"));
    assert!(
        wrong.is_empty(),
        "{count} of {} wrong:\n{shown}",
        TABLE.len()
    );
    behind.has_told_and_let_go(before);
}

impl Expect {
    /// Whether the access log has to say what went wrong.
    fn is_error(&self) -> bool {
        !matches!(self, Expect::Bare(_) | Expect::Ok(_))
    }

    /// `status` 0: the answer broke off, and `body` says how.
    fn check(&self, status: u16, body: &str) -> Result<(), String> {
        let right = match self {
            Expect::Gateway(statuses) => {
                statuses.contains(&status) && !body.is_empty() && body.len() <= 1024
            }
            Expect::Aborted => status == 0,
            Expect::Failed => status == 0 || status == 502,
            Expect::Bare(wanted) => status == *wanted && body.is_empty(),
            Expect::Ok(text) => status == 200 && body == *text,
        };
        right
            .then_some(())
            .ok_or_else(|| format!("wanted {self:?}, got {status} {body:?}"))
    }
}

/// A GET over TLS: status, and how long it took.
fn timed_get(edge: &Edge, path: &str) -> (u16, Duration) {
    let start = Instant::now();
    let mut client = edge.tls();
    client.send(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"));
    let response = client
        .response_within(false, LIMIT)
        .expect("an answer in time");
    (response.status, start.elapsed())
}

#[test]
fn unreachable_servers() {
    let _machine = light();
    // Nobody listens; and somebody listens whose queue is full, so that the SYN is never answered.
    let refused: SocketAddr = ([127, 0, 0, 1], free_port()).into();
    let full =
        socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None).expect("a socket");
    full.bind(&SocketAddr::from(([127, 0, 0, 1], 0)).into())
        .expect("the loopback address can be bound");
    full.listen(0).expect("a bound socket listens");
    let full_address = full
        .local_addr()
        .expect("it is bound")
        .as_socket()
        .expect("it is IPv4");
    let queue: Vec<_> = std::iter::from_fn(|| {
        std::net::TcpStream::connect_timeout(&full_address, Duration::from_millis(200)).ok()
    })
    .take(10)
    .collect();
    assert!(queue.len() < 10, "the queue of a listener has an end");
    let gone = std::env::temp_dir().join("edge-e2e-no-such-socket");
    let setup = with_route(Setup::new(format!("unix:{}", gone.display())), 1, refused);
    let edge = with_route(setup, 2, full_address).start();
    let (status, took) = timed_get(&edge, "/1");
    assert!(
        status == 502 && took < Duration::from_millis(500),
        "refused: {status} after {took:?}"
    );
    let (status, took) = timed_get(&edge, "/2");
    assert!(
        matches!(status, 502 | 504) && took < Duration::from_secs(2),
        "no SYN-ACK: {status} after {took:?}"
    );
    let (status, took) = timed_get(&edge, "/");
    assert!(
        status == 502 && took < Duration::from_millis(500),
        "no such socket: {status} after {took:?}"
    );
}

#[test]
fn another_server_of_the_group_answers_when_one_refuses() {
    let _machine = light();
    let alive = Upstream::ok();
    let servers = format!(
        "servers = [\"127.0.0.1:{}\", \"{}\"]",
        free_port(),
        alive.address
    );
    let edge = Setup::new(alive.address)
        .section("upstream.pair", &servers)
        .more_routes("[[host.route]]\npath = \"/pair\"\nupstream = \"pair\"\n")
        .start();
    for _ in 0..8 {
        // No byte of the request has been sent anywhere, so it may go to the other server.
        assert_eq!(timed_get(&edge, "/pair").0, 200);
    }
}

#[test]
fn the_death_of_an_upstream_ends_its_streams() {
    let _machine = light();
    let mut demo = Demo::start();
    let edge = Setup::new(demo.address).start();
    let mut h1 = edge.tls();
    h1.send("GET /sse?interval_ms=50 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    h1.read_until("data:", LIMIT);
    let mut h2 = H2::connect(edge.https, edge.authority());
    let stream = h2.open("/sse?interval_ms=50");
    demo.process.signal(nix::sys::signal::Signal::SIGKILL);
    demo.process.wait(LIMIT);
    let start = Instant::now();
    let (_, end) = h1.read_to_end(LIMIT);
    assert_ne!(
        end,
        End::TimedOut,
        "the HTTP/1.1 stream hangs after the upstream's death"
    );
    h2.drain_within(stream, LIMIT)
        .unwrap_or_else(|reason| panic!("the HTTP/2 stream hangs: {reason}"));
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "noticed after {:?}",
        start.elapsed()
    );
    // The proxy is none the worse: the next request gets its 502, on the same HTTP/2 connection too.
    assert_eq!(timed_get(&edge, "/headers").0, 502);
    assert_eq!(
        h2.get_within("/headers", LIMIT).expect("an answer").status,
        502
    );
}

#[test]
fn endings_of_the_demo_reach_the_client() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address).start();
    for query in [
        "when=head",
        "when=body",
        "when=head&chunked=1",
        "when=body&chunked=1",
    ] {
        let mut client = edge.tls();
        client.send(format!(
            "GET /die?{query} HTTP/1.1\r\nHost: localhost\r\n\r\n"
        ));
        let answer = client.response_within(false, LIMIT);
        let broken = answer.expect_err("a truncated body must not look whole");
        assert!(!broken.contains("TimedOut"), "{query}: {broken}");
        let mut h2 = H2::connect(edge.https, edge.authority());
        let broken = h2
            .get_within(&format!("/die?{query}"), LIMIT)
            .expect_err("must not look whole");
        assert!(!broken.contains("timed out"), "{query}: {broken}");
    }
    assert_eq!(timed_get(&edge, "/die?when=before").0, 502);
}

#[test]
fn a_closed_keep_alive_connection_is_noticed() {
    let _machine = light();
    // It answers with the length and closes without saying so.
    let upstream = Upstream::start(Answer::Close(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec(),
    ));
    let edge = Setup::new(upstream.address).start();
    for round in 0..10 {
        let body = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello";
        assert_eq!(edge.tls().exchange(body).status, 200, "round {round}");
        // The close must have arrived: a request on its heels may still meet it, and POST is not sent twice.
        let closed = wait_until(LIMIT, || upstream.closed() == round + 1);
        assert!(closed, "connection {round} is open");
        std::thread::sleep(Duration::from_millis(20));
    }
    let posts = upstream.received().matches("POST / ").count();
    assert_eq!(posts, 10, "requests must reach the upstream once each");
}
