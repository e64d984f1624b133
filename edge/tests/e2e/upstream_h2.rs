//! HTTP/2 to upstream servers: Node's own server, in the clear and over TLS.

mod bad;
mod lasting;

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::support::{
    Authority, Client, Edge, H2, Process, Setup, free_port, light, node_script, peer, run_driver,
    wait_until,
};

const LIMIT: Duration = Duration::from_secs(10);

struct Server {
    address: SocketAddr,
    process: Process,
}

impl Server {
    fn start(arguments: &[&str]) -> Server {
        Server::start_at(free_port(), arguments)
    }

    fn start_at(port: u16, arguments: &[&str]) -> Server {
        let port_text = port.to_string();
        let mut all = vec![&*port_text];
        all.extend(arguments);
        let mut process = Process::start("h2_upstream", node_script("h2_upstream.mjs", &all));
        process.wait_for("listening on", Duration::from_secs(30));
        Server {
            address: ([127, 0, 0, 1], port).into(),
            process,
        }
    }

    /// `edge` in front of it.
    fn edge(&self, keys: &str) -> Edge {
        Setup::new(self.address)
            .upstream(&format!(
                "servers = [\"{}\"]\nprotocol = \"h2\"\n{keys}",
                self.address
            ))
            .start()
    }
}

fn get(edge: &Edge, path: &str) -> crate::support::Response {
    edge.plain()
        .exchange(format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n"))
}

fn post(edge: &Edge, path: &str, body: &str) -> crate::support::Response {
    edge.plain().exchange(format!(
        "POST {path} HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ))
}

/// What the server tells of itself.
fn sessions(edge: &Edge) -> Value {
    get(edge, "/sessions").json()
}

#[test]
fn every_front_speaks_with_a_server_that_knows_nothing_else() {
    let _machine = light();
    let server = Server::start(&[]);
    let edge = server.edge("");
    for _ in 0..3 {
        let answer = get(&edge, "/hello?a=b");
        assert_eq!(
            (answer.status, answer.header("x-session")),
            (200, Some("1"))
        );
        let fields = answer.json();
        for (name, value) in [
            (":method", "GET"),
            (":path", "/hello?a=b"),
            (":authority", "localhost"),
            (":scheme", "http"),
            ("te", "trailers"),
            ("x-forwarded-for", "127.0.0.1"),
        ] {
            assert_eq!(fields[name], value, "{name} in {fields}");
        }
        assert_eq!(fields.get("host"), None);
        assert_eq!(fields.get("connection"), None);
    }
    // A body and its trailers, with the length that the client has stated and without one.
    let echoed = post(&edge, "/echo", "across");
    assert_eq!((echoed.status, echoed.text()), (200, "across".to_owned()));
    assert_eq!(echoed.trailers, [("x-end".to_owned(), "told".to_owned())]);
    let chunked = edge.plain().exchange(
        "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n",
    );
    assert_eq!(chunked.text(), "abcde");
    let trailed = edge.plain().exchange(
        "POST /trailers HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
         3\r\nabc\r\n0\r\nX-Sum: 42\r\nAuthorization: evil\r\n\r\n",
    );
    assert_eq!(trailed.json(), serde_json::json!({ "x-sum": "42" }));
    let mut h2 = H2::connect(edge.https, edge.authority());
    let answers = h2.all(&["/hello"; 20]);
    assert!(
        answers
            .iter()
            .all(|answer| answer.as_ref().is_ok_and(|answer| answer.status == 200))
    );
    let body = vec![b'y'; 60_000];
    let echoed = h2.post("/echo", &[], &body);
    assert!(echoed.body == body, "{} bytes came back", echoed.body.len());
    let head = edge
        .plain()
        .exchange("GET /missing HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!((head.status, head.body.len()), (404, 0));
    assert_eq!(sessions(&edge)["sessions"], 1, "one connection for all");
    let line = edge.log_line(|line| line["path"] == "/echo");
    assert_eq!(line["server"], server.address.to_string());
}

#[test]
fn an_answer_before_the_end_of_the_request_is_passed_on() {
    let _machine = light();
    let server = Server::start(&[]);
    let edge = server.edge("");
    for mut client in [edge.plain(), edge.tls()] {
        client.send(
            "POST /early HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nonly a little",
        );
        let answer = client
            .final_response_within(LIMIT)
            .expect("an early answer");
        assert_eq!((answer.status, answer.text().as_str()), (401, "no"));
    }
    let mut h2 = H2::connect(edge.https, edge.authority());
    let answer = h2.post("/early", &[], &vec![b'x'; 200_000]);
    assert_eq!((answer.status, answer.text().as_str()), (401, "no"));
    assert_eq!(sessions(&edge)["sessions"], 1, "only streams have ended");
}

#[test]
fn events_pass_as_they_come_and_a_slow_reader_stops_only_its_own() {
    let _machine = light();
    let server = Server::start(&[]);
    let edge = server.edge("");
    let start = Instant::now();
    let mut events = edge.plain();
    events.send("GET /events HTTP/1.1\r\nHost: localhost\r\n\r\n");
    events.read_until("data: 1", LIMIT);
    let first = start.elapsed();
    events.read_until("data: 5", LIMIT);
    let last = start.elapsed();
    assert!(
        last - first > Duration::from_millis(400),
        "{first:?} {last:?}"
    );
    // Sixteen readers of 16 MiB that read nothing, and the connection is free for others.
    let slow: Vec<Client> = (0..16)
        .map(|_| {
            let mut client = edge.plain();
            client.send("GET /big HTTP/1.1\r\nHost: localhost\r\n\r\n");
            client
        })
        .collect();
    std::thread::sleep(Duration::from_millis(500));
    let echoed = post(&edge, "/echo", &"z".repeat(200_000));
    assert_eq!(echoed.body.len(), 200_000);
    for mut client in slow.into_iter().take(2) {
        client.read_until("\r\n\r\n", LIMIT);
        let whole = 256 * 64 * 1024;
        assert!(client.skip(whole, Duration::from_secs(20)) >= whole);
    }
    // The others have gone: their streams are reset, and the connection stays.
    let answer = get(&edge, "/hello");
    assert_eq!(answer.header("x-session"), Some("1"));
    let mut hints = edge.plain();
    hints.send("GET /hints HTTP/1.1\r\nHost: localhost\r\n\r\n");
    hints.read_until("HTTP/1.1 103", LIMIT);
    hints.read_until("link: </a.css>; rel=preload\r\n", LIMIT);
    hints.read_until("after hints", LIMIT);
}

#[test]
fn resets_and_the_end_of_a_connection_reach_the_client_as_what_they_are() {
    let _machine = light();
    let server = Server::start(&[]);
    let edge = server.edge("response_timeout = \"500ms\"\neject_after = 1000");
    assert_eq!(get(&edge, "/reset").status, 502);
    edge.log_line(|line| line["error"] == "upstream_reset" && line["status"] == 502);
    let mut late = edge.plain();
    late.send("GET /reset-late HTTP/1.1\r\nHost: localhost\r\n\r\n");
    late.read_until("half", LIMIT);
    let (rest, _) = late.read_to_end(LIMIT);
    // No last chunk: nobody takes it for the whole.
    assert!(!rest.ends_with(b"0\r\n\r\n"), "{rest:?}");
    // Refused, and refused again: no third time.
    let before = sessions(&edge)["seen"]["/refuse"].clone();
    assert_eq!(before, Value::Null);
    assert_eq!(get(&edge, "/refuse").status, 503);
    assert_eq!(sessions(&edge)["seen"]["/refuse"], 2);
    edge.log_line(|line| line["error"] == "upstream_refused");
    assert_eq!(
        sessions(&edge)["sessions"],
        1,
        "a reset costs a stream alone"
    );
    // What may have been looked at is not sent twice.
    assert_eq!(post(&edge, "/break", "once").status, 502);
    assert_eq!(sessions(&edge)["seen"]["/break"], 1);
    // A silent one is given up, and with it the connection, for new requests.
    let before = sessions(&edge)["sessions"].as_u64().expect("a number");
    assert_eq!(get(&edge, "/never").status, 504);
    assert_eq!(get(&edge, "/hello").status, 200);
    assert_eq!(sessions(&edge)["sessions"], before + 1);
}

#[test]
fn what_the_server_has_not_looked_at_is_sent_once_more() {
    let _machine = light();
    let server = Server::start(&[]);
    let edge = server.edge("");
    let refused = post(&edge, "/refuse-once", "the body too");
    assert_eq!(
        (refused.status, refused.text()),
        (200, "the body too".to_owned())
    );
    let away = post(&edge, "/goaway-once", "this one as well");
    assert_eq!(
        (away.status, away.text()),
        (200, "this one as well".to_owned())
    );
    assert_eq!(away.header("x-session"), Some("2"), "on another connection");
    // Longer than what is kept for it: told so instead.
    let server = Server::start(&[]);
    let edge = server.edge("");
    let long = post(&edge, "/refuse-late", &"l".repeat(200_000));
    assert_eq!(long.status, 503);
    // What was under way when the server said that it goes is finished.
    let mut under_way = edge.plain();
    under_way.send("GET /goaway-after HTTP/1.1\r\nHost: localhost\r\n\r\n");
    under_way.read_until("first ", LIMIT);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(get(&edge, "/hello").header("x-session"), Some("2"));
    under_way.read_until("last", LIMIT);
}

/// RFC 9113 §8.7, RFC 9110 §9.2.2: what may have been looked at is sent again where that does no harm.
#[test]
fn a_lost_connection_costs_an_idempotent_request_nothing() {
    let _machine = light();
    for path in ["/break-once", "/goaway-without"] {
        for (method, status, times) in [("GET", 200, 2), ("PUT", 200, 2), ("POST", 502, 1)] {
            let server = Server::start(&[]);
            let edge = server.edge("");
            assert_eq!(get(&edge, "/hello").status, 200);
            let answer = edge.plain().exchange(format!(
                "{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nagain"
            ));
            assert_eq!(answer.status, status, "{method} {path}");
            if status == 200 {
                assert_eq!(answer.text(), "again", "{method} {path}");
                assert_eq!(answer.header("x-session"), Some("2"), "{method} {path}");
            }
            assert_eq!(sessions(&edge)["seen"][path], times, "{method} {path}");
        }
    }
}

#[test]
fn streams_and_connections_are_bounded_and_idle_ones_are_closed() {
    let _machine = light();
    // The server lets in three at once, and the edge two of its connections.
    let server = Server::start(&["3"]);
    let edge = server.edge(
        "h2_connections = 2\nh2_streams = 50\nqueue_timeout = \"300ms\"\nidle_timeout = \"1s\"",
    );
    assert_eq!(get(&edge, "/hello").status, 200);
    let mut waiting: Vec<Client> = (0..5)
        .map(|_| {
            let mut client = edge.plain();
            client.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
            client
        })
        .collect();
    assert!(wait_until(LIMIT, || {
        edge.metrics().sum("edge_server_in_flight", &[]) == 5.0
    }));
    // The sixth finds the last place, and the seventh none.
    let mut sixth = edge.plain();
    sixth.send("GET /wait HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert!(wait_until(LIMIT, || {
        edge.metrics().sum("edge_server_in_flight", &[]) == 6.0
    }));
    assert_eq!(get(&edge, "/hello").status, 503);
    edge.log_line(|line| line["error"] == "upstream_full");
    drop(sixth);
    let mut release = Client::plain(edge.http);
    assert!(wait_until(LIMIT, || {
        let answer = release.exchange("GET /release HTTP/1.1\r\nHost: localhost\r\n\r\n");
        answer.status == 200
    }));
    let over: BTreeSet<String> = waiting
        .iter_mut()
        .map(|client| {
            let answer = client.response(false);
            assert_eq!((answer.status, answer.text()), (200, "released".to_owned()));
            answer.header("x-session").expect("it says").to_owned()
        })
        .collect();
    assert_eq!(over.len(), 2, "{over:?}");
    std::thread::sleep(Duration::from_millis(2600));
    let now = sessions(&edge);
    assert_eq!((&now["open"], &now["sessions"]), (&1.into(), &3.into()));
}

#[test]
fn over_tls_by_alpn_with_checks_and_never_with_http1() {
    let _machine = light();
    let setup = Setup::new("127.0.0.1:1");
    let servers = Authority::new();
    servers.write_to(&setup.dir.path().join("servers.pem"));
    servers.leaf(setup.dir.path(), "tools", &["localhost"]);
    let path = |name: &str| setup.dir.path().join(name).display().to_string();
    let (certificate, key) = (path("tools.pem"), path("tools.key"));
    let mut server = Server::start(&["100", &certificate, &key]);
    let port = server.address.port();
    let edge = setup
        .upstream(&format!(
            "servers = [\"https://localhost:{port}\"]\nprotocol = \"h2\"\n\
             tls = {{ ca = \"servers.pem\" }}\n\
             check = {{ path = \"/health\", interval = \"100ms\", healthy = 1, unhealthy = 1 }}"
        ))
        .start();
    assert_eq!(get(&edge, "/hello").json()[":scheme"], "https");
    let up = |wanted: f64| {
        wait_until(LIMIT, || {
            edge.metrics().sum("edge_server_up", &[]) == wanted
        })
    };
    let checked = || {
        sessions(&edge)["seen"]["/health"]
            .as_u64()
            .unwrap_or_default()
    };
    assert!(
        wait_until(LIMIT, || checked() > 2),
        "checks come over HTTP/2"
    );
    assert!(up(1.0));
    server.process.signal(nix::sys::signal::Signal::SIGKILL);
    server.process.wait(LIMIT);
    assert!(up(0.0));
    let again = Server::start_at(port, &["100", &certificate, &key]);
    assert!(up(1.0));
    assert!(wait_until(LIMIT, || get(&edge, "/hello").status == 200));
    drop(again);
    // One that speaks HTTP/1.1 alone is not sent a request, and the next is asked.
    let old = crate::support::Upstream::ok();
    let good = Server::start(&[]);
    let edge = Setup::new(good.address)
        .upstream(&format!(
            "servers = [\"{}\", \"{}\"]\nprotocol = \"h2\"\npolicy = \"round_robin\"",
            old.address, good.address
        ))
        .start();
    for _ in 0..4 {
        assert_eq!(get(&edge, "/hello").status, 200);
    }
    assert!(!old.received().contains("/hello"));
}

#[test]
fn a_web_socket_goes_over_a_stream() {
    let _machine = light();
    let server = Server::start(&[]);
    let edge = server.edge("");
    for url in [
        format!("wss://localhost:{}", edge.https.port()),
        format!("ws://localhost:{}", edge.http.port()),
    ] {
        let mut command = peer("ws_small.py", &[&url]);
        command.env("SSL_CERT_FILE", edge.file("ca.pem"));
        let seen = run_driver("ws_small.py", command, Duration::from_secs(30));
        assert_eq!(
            seen,
            serde_json::json!({ "echo": ["one", "two"], "close": [4007, "enough"], "key": "undefined" })
        );
    }
}
