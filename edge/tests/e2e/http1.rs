//! HTTP/1.1 as clients use it: persistent and pipelined connections, bodies in every framing.

use std::time::{Duration, Instant};

use crate::support::{Answer, Client, Demo, Edge, End, Setup, Upstream, light};

const LIMIT: Duration = Duration::from_secs(3);

/// A demo upstream behind `edge`.
fn start() -> (Demo, Edge) {
    let demo = Demo::start();
    let edge = Setup::new(demo.address).start();
    (demo, edge)
}

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

#[test]
fn a_connection_serves_many_requests() {
    let _machine = light();
    let (_demo, edge) = start();
    for connect in [Edge::plain, Edge::tls] {
        let mut client = connect(&edge);
        for round in 0..50 {
            let body = format!("round {round}");
            let request = format!(
                "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            let response = client.exchange(request);
            assert_eq!((response.status, response.text()), (200, body));
        }
        let last = client
            .exchange("GET /headers HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
        assert_eq!(
            (last.status, last.header("connection")),
            (200, Some("close"))
        );
        assert_eq!(client.read_to_end(LIMIT), (Vec::new(), End::Clean));
    }
    let stats = edge.plain().exchange(get("/stats")).json();
    let connections = stats["connections"].as_u64().expect("a count");
    assert!(
        connections <= 3,
        "{connections} connections to the upstream for requests one after the other"
    );
}

/// A worker sleeps past the end of a send for which nobody waits, 5 ms at most. Whoever has to have
/// an answer out of the way before it takes the next request waits for it.
#[test]
fn who_asks_again_at_once_is_answered_at_once() {
    const ROUNDS: u32 = 400;
    let _machine = light();
    let demo = Demo::start();
    let routes = "[[host.route]]\npath = \"/said\"\nrespond = \"said\"\n\n";
    let edge = Setup::new(demo.address).more_routes(routes).start();
    for connect in [Edge::plain, Edge::tls] {
        for (path, ahead) in [("/said", 1), ("/said", 2), ("/headers", 1), ("/headers", 2)] {
            let mut client = connect(&edge);
            let start = Instant::now();
            for _ in 0..ROUNDS / ahead {
                client.send(get(path).repeat(ahead as usize));
                for _ in 0..ahead {
                    assert_eq!(client.response(false).status, 200);
                }
            }
            let took = start.elapsed();
            let late = Duration::from_millis(5) * ROUNDS / ahead;
            assert!(took < late, "{path}, {ahead} ahead: {took:?}");
        }
    }
}

#[test]
fn pipelined_requests_are_answered_in_order() {
    let _machine = light();
    let (_demo, edge) = start();
    for connect in [Edge::plain, Edge::tls] {
        let mut client = connect(&edge);
        // The first is the slowest: out-of-order answers would overtake it.
        let burst: String = (0..8)
            .map(|n| get(&format!("/slow?ms={}&n={n}", 160 - 20 * n)))
            .collect();
        let posts: String = (0..8)
            .map(|n| {
                format!("POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n{n}")
            })
            .collect();
        client.send(burst + &posts + &get("/bytes?n=100000"));
        for _ in 0..8 {
            assert_eq!(client.response(false).text(), "slow\n");
        }
        for n in 0..8 {
            assert_eq!(client.response(false).text(), n.to_string());
        }
        assert_eq!(client.response(false).body.len(), 100_000);
    }
}

#[test]
fn requests_may_come_in_any_pieces() {
    let _machine = light();
    let (_demo, edge) = start();
    let request = "POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n\
                   5;ext=\"x\"\r\nhello\r\n1\r\n!\r\n0\r\n\r\n";
    for connect in [Edge::plain, Edge::tls] {
        let mut client = connect(&edge);
        for cut in 1..request.len() {
            client.send(&request[..cut]);
            // Two segments, not one.
            std::thread::sleep(Duration::from_micros(500));
            client.send(&request[cut..]);
            let response = client.response(false);
            assert_eq!(
                (response.status, response.text().as_str()),
                (200, "hello!"),
                "cut at {cut}"
            );
        }
    }
}

#[test]
fn expect_100_continue() {
    let _machine = light();
    let (_demo, edge) = start();
    let mut client = edge.tls();
    let head = "POST /echo HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n";
    client.send(head);
    let interim = client
        .response_within(false, Duration::from_secs(1))
        .expect("100 before the body");
    assert_eq!(interim.status, 100);
    client.send("hello");
    let response = client.response(false);
    assert_eq!((response.status, response.text().as_str()), (200, "hello"));
    // A client need not wait for it (RFC 9110 §10.1.1).
    client.send(format!("{head}again"));
    let response = client.final_response_within(LIMIT).expect("an answer");
    assert_eq!((response.status, response.text().as_str()), (200, "again"));
    assert_eq!(client.exchange(get("/headers")).status, 200);
}

#[test]
fn head_answers_have_no_body() {
    let _machine = light();
    let (_demo, edge) = start();
    let mut client = edge.tls();
    let response = client.exchange("HEAD /bytes?n=1234 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(
        (response.status, response.header("content-length")),
        (200, Some("1234"))
    );
    // Were there a body, it would stand where the next answer is expected.
    assert_eq!(client.exchange(get("/headers")).status, 200);
    // The proxy's own answers too.
    let upstream = Setup::new("127.0.0.1:1").start();
    let mut client = upstream.tls();
    let response = client.exchange("HEAD / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(response.status, 502);
    assert_eq!(client.exchange(get("/")).status, 502);
}

#[test]
fn bodies_in_both_framings_and_directions() {
    let _machine = light();
    let (_demo, edge) = start();
    for connect in [Edge::plain, Edge::tls] {
        let mut client = connect(&edge);
        for size in [0, 1, 1000, 65_536, 3_000_000] {
            for query in ["", "&chunked=1"] {
                let response = client.exchange(get(&format!("/bytes?n={size}{query}")));
                assert_eq!(response.body.len(), size, "{query}");
                let pattern = response.body.iter().enumerate();
                assert!(
                    pattern
                        .clone()
                        .all(|(i, byte)| *byte == b'a' + (i % 26) as u8),
                    "{size}{query}"
                );
            }
        }
        let body: Vec<u8> = (0..300_000_u32).map(|i| (i % 251) as u8).collect();
        let mut chunked =
            b"POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
                .to_vec();
        for piece in body.chunks(7_919) {
            chunked.extend_from_slice(format!("{:x}\r\n", piece.len()).as_bytes());
            chunked.extend_from_slice(piece);
            chunked.extend_from_slice(b"\r\n");
        }
        chunked.extend_from_slice(b"0\r\n\r\n");
        assert!(
            client.exchange(chunked).body == body,
            "a chunked body comes back as it went"
        );
    }
}

#[test]
fn trailers_pass_both_ways() {
    let _machine = light();
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n2\r\nok\r\n0\r\nX-Sum: 42\r\n\r\n";
    let upstream = Upstream::start(Answer::Keep(answer.as_bytes().to_vec()));
    let edge = Setup::new(upstream.address).start();
    let mut client = edge.tls();
    client.send(
        "POST / HTTP/1.1\r\nHost: localhost\r\nTE: trailers\r\nTransfer-Encoding: chunked\r\nTrailer: X-Up\r\n\r\n\
         5\r\nhello\r\n0\r\nX-Up: 7\r\n\r\n",
    );
    let response = client.response(false);
    assert_eq!(response.text(), "ok");
    assert_eq!(response.trailers, [("x-sum".to_owned(), "42".to_owned())]);
    let received = upstream.received().to_ascii_lowercase();
    assert!(received.ends_with("0\r\nx-up: 7\r\n\r\n"), "{received:?}");
}

/// RFC 9110 §6.5.1: a recipient may merge trailers into the head it has acted on already.
#[test]
fn what_a_head_is_for_does_not_trail() {
    let _machine = light();
    let answer = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\
                  Set-Cookie: evil=1\r\nX-Sum: 42\r\nLocation: /evil\r\n\r\n";
    let upstream = Upstream::start(Answer::Keep(answer.as_bytes().to_vec()));
    let edge = Setup::new(upstream.address).start();
    let mut client = edge.tls();
    client.send(
        "POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\
         X-Up: 7\r\nAuthorization: evil\r\nX-Forwarded-For: evil\r\nX_Real_IP: evil\r\n\
         Client-Cert: evil\r\nMcp-Session-Id: evil\r\nCookie: evil\r\n\r\n",
    );
    let response = client.response(false);
    assert_eq!(response.text(), "ok");
    assert_eq!(response.trailers, [("x-sum".to_owned(), "42".to_owned())]);
    let received = upstream.received().to_ascii_lowercase();
    assert!(received.ends_with("0\r\nx-up: 7\r\n\r\n"), "{received:?}");
}

/// A server that reads `_` as `-` would take it for the framing that the proxy has not seen.
#[test]
fn framing_by_another_name_does_not_pass() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .route("request_headers = [\"X-Tenant: mine\"]")
        .start();
    let request = "POST / HTTP/1.1\r\nHost: localhost\r\nContent_Length: 9\r\n\
                   Transfer_Encoding: chunked\r\nX_Tenant: evil\r\nX_Kept: 1\r\n\
                   Content-Length: 2\r\n\r\nhi";
    assert_eq!(edge.plain().exchange(request).status, 200);
    let received = upstream.received().to_ascii_lowercase();
    assert!(received.contains("x_kept: 1"), "{received}");
    assert!(received.contains("x-tenant: mine"), "{received}");
    for text in ["content_length", "transfer_encoding", "evil"] {
        assert!(!received.contains(text), "{text} in {received}");
    }
}

/// RFC 9110 §7.6.2, §9.3.7.
#[test]
fn questions_for_the_proxy_end_there() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address).start();
    let ask = |target: &str, left: &str| {
        let request = format!(
            "OPTIONS {target} HTTP/1.1\r\nHost: localhost\r\nMax-Forwards: {left}\r\nConnection: close\r\n\r\n"
        );
        edge.plain().exchange(request).status
    };
    assert_eq!(ask("*", "9"), 204);
    assert_eq!(ask("/", "0"), 204);
    assert_eq!(upstream.received(), "");
    assert_eq!(ask("/", "3"), 200);
    let received = upstream.received().to_ascii_lowercase();
    assert!(received.contains("max-forwards: 2\r\n"), "{received}");
}

#[test]
fn http10_clients_get_what_they_understand() {
    let _machine = light();
    let (_demo, edge) = start();
    for path in ["/bytes?n=500", "/bytes?n=500&chunked=1"] {
        let mut client = edge.plain();
        client.send(format!("GET {path} HTTP/1.0\r\nHost: localhost\r\n\r\n"));
        let (bytes, end) = client.read_to_end(LIMIT);
        assert_eq!(end, End::Clean);
        let text = String::from_utf8(bytes).expect("ASCII");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(
            head.starts_with("HTTP/1.1 200 ") || head.starts_with("HTTP/1.0 200 "),
            "{head}"
        );
        assert!(
            !head.to_ascii_lowercase().contains("transfer-encoding"),
            "{head}"
        );
        assert_eq!(body.len(), 500, "{path}");
    }
    // No Host is needed in HTTP/1.0; there is no route for nobody, but there is an answer.
    let response = edge.plain().exchange("GET / HTTP/1.0\r\n\r\n");
    assert!((200..500).contains(&response.status), "{response:?}");
}

#[test]
fn upgrades_other_than_websocket_are_answered_501() {
    let _machine = light();
    let (_demo, edge) = start();
    let response = edge.tls().exchange(
        "GET /headers HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: TLS/1.2\r\n\r\n",
    );
    assert_eq!(response.status, 501);
}

#[test]
fn unknown_hosts_and_paths_are_not_proxied() {
    let _machine = light();
    let upstream = Upstream::ok();
    let table = format!(
        "[[host]]\nnames = [\"mcp.test\", \"*.wild.test\"]\n\
         [[host.route]]\npath = \"/mcp\"\nupstream = \"http://{}\"\n",
        upstream.address
    );
    let edge = Setup::new(upstream.address).hosts(&table).start();
    let status = |host: &str, path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n");
        Client::plain(edge.http).exchange(request).status
    };
    for (host, path) in [
        ("mcp.test", "/mcp"),
        ("MCP.test:8443", "/mcp/x?y"),
        ("a.wild.test", "/mcp"),
        ("localhost", "/other"),
    ] {
        assert_eq!(status(host, path), 200, "{host}{path}");
    }
    let served = upstream.received().matches("HTTP/1.1").count();
    assert_eq!(served, 4);
    for (host, path) in [
        ("mcp.test", "/mcpx"),
        ("mcp.test", "/"),
        ("wild.test", "/mcp"),
        ("a.b.wild.test", "/mcp"),
        ("elsewhere.test", "/mcp"),
        // Dot segments must not lead around the route.
        ("mcp.test", "/mcp/../secret"),
        ("mcp.test", "/mcp/%2e%2e/secret"),
    ] {
        let status = status(host, path);
        assert!(matches!(status, 400 | 404 | 421), "{host}{path}: {status}");
    }
    let received = upstream.received();
    assert_eq!(received.matches("HTTP/1.1").count(), served, "{received}");
}

#[test]
fn plain_http_redirects_to_https() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .listen("redirect = true")
        .start();
    let response = edge
        .plain()
        .exchange("GET /a/b?c=d HTTP/1.1\r\nHost: localhost:80\r\n\r\n");
    assert!(matches!(response.status, 301 | 308), "{response:?}");
    let location = response.header("location").expect("a redirect says where");
    let port = edge.https.port();
    assert!(
        location == format!("https://localhost:{port}/a/b?c=d")
            || location == "https://localhost/a/b?c=d",
        "{location}"
    );
    // A body that was announced and refused must not be taken for the next request.
    let mut client = edge.plain();
    client.send("POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 36\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n..");
    let first = client.response(false).status;
    assert!(matches!(first, 301 | 308), "{first}");
    let (rest, _) = client.read_to_end(Duration::from_millis(300));
    assert!(rest.is_empty(), "{}", String::from_utf8_lossy(&rest));
    assert_eq!(upstream.received(), "");
}

#[test]
fn an_answer_before_the_end_of_the_request_is_passed_on() {
    let _machine = light();
    // Refuses at the head, like a server that checks authorization first.
    let refusal = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\nConnection: close\r\n\r\nno";
    let upstream = Upstream::start(Answer::Keep(refusal.to_vec()));
    let edge = Setup::new(upstream.address).start();
    let mut client = edge.tls();
    client
        .send("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000000\r\n\r\nonly a little");
    let start = Instant::now();
    let response = client
        .response_within(false, LIMIT)
        .expect("an early answer");
    assert_eq!((response.status, response.text().as_str()), (401, "no"));
    assert!(
        start.elapsed() < Duration::from_secs(1),
        "{:?}",
        start.elapsed()
    );
}

/// RFC 9110 §2.5: a version that is not known yet is the highest that is. nginx does the same.
#[test]
fn a_higher_minor_version_is_served_as_1_1() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address).start();
    let mut client = edge.plain();
    for _ in 0..2 {
        client.send("GET /later HTTP/1.2\r\nHost: localhost\r\n\r\n");
        assert_eq!(client.response(false).status, 200, "on one connection");
    }
    let received = upstream.received();
    assert_eq!(
        received.matches("GET /later HTTP/1.1\r\n").count(),
        2,
        "{received}"
    );
    let refused = edge
        .plain()
        .exchange("GET / HTTP/3.0\r\nHost: localhost\r\n\r\n");
    assert_eq!(refused.status, 505);
}
