//! Connections that a server closes at the very moment at which they are used again.

use super::LIMIT;
use crate::support::{Answer, Farewell, Setup, Upstream, light, wait_until};

const OK: &[u8] = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok";

/// A request, and whether it may be sent twice (RFC 9110 §9.2.2).
struct Case {
    method: &'static str,
    fields: &'static str,
    is_idempotent: bool,
}

const CASES: &[Case] = &[
    case("GET", "\r\n", true),
    case("OPTIONS", "\r\n", true),
    case("DELETE", "\r\n", true),
    case("PUT", "Content-Length: 5\r\n\r\nhello", true),
    case(
        "PUT",
        "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nX-Up: 1\r\n\r\n",
        true,
    ),
    case("POST", "Content-Length: 5\r\n\r\nhello", false),
    case("POST", "\r\n", false),
    case("PATCH", "Content-Length: 5\r\n\r\nhello", false),
    case("MKCOL", "\r\n", false),
];

const fn case(method: &'static str, fields: &'static str, is_idempotent: bool) -> Case {
    Case {
        method,
        fields,
        is_idempotent,
    }
}

/// The server has taken the head, and answers it with the end of the connection.
#[test]
fn what_may_be_sent_twice_is_sent_over_a_new_one() {
    let _machine = light();
    for farewell in [Farewell::Fin, Farewell::Rst] {
        let upstream = Upstream::start(Answer::Then(OK.to_vec(), Vec::new(), farewell));
        let edge = Setup::new(upstream.address).start();
        let mut client = edge.plain();
        for case in CASES {
            let Case { method, fields, .. } = case;
            let name = format!("{method} {fields:?} {farewell:?}");
            // Whatever was there before, there is one connection now that has been used once.
            let warm = client.exchange("GET /warm HTTP/1.1\r\nHost: localhost\r\n\r\n");
            assert_eq!(warm.status, 200, "{name}");
            let (seen, connections) = (upstream.received().len(), upstream.connections());
            let request = format!("{method} /again HTTP/1.1\r\nHost: localhost\r\n{fields}");
            let (status, times) = match case.is_idempotent {
                true => (200, 2),
                false => (502, 1),
            };
            assert_eq!(client.exchange(request).status, status, "{name}");
            assert_eq!(upstream.connections() - connections, times - 1, "{name}");
            let (_, body) = fields.split_once("\r\n\r\n").unwrap_or_default();
            let is_whole = || {
                let received = upstream.received().split_off(seen).to_ascii_lowercase();
                let heads = received.matches("/again http/1.1").count();
                assert!(heads <= times, "{name}: {received}");
                heads == times && (times == 1 || received.ends_with(&body.to_ascii_lowercase()))
            };
            assert!(wait_until(LIMIT, is_whole), "{name}");
        }
    }
}

/// A second attempt is the last, and a connection that nobody has used before gets none: its server
/// may have fallen over the request.
#[test]
fn there_is_no_third_time() {
    let _machine = light();
    let upstream = Upstream::start(Answer::Close(Vec::new()));
    let edge = Setup::new(upstream.address).start();
    let get = "GET /fresh HTTP/1.1\r\nHost: localhost\r\n\r\n";
    assert_eq!(edge.plain().exchange(get).status, 502);
    assert_eq!(upstream.received().matches("/fresh").count(), 1);
    let line = edge.log_line(|line| line["path"] == "/fresh");
    assert_eq!(line["error"], "upstream_closed");
}

/// What has begun to come is an answer.
#[test]
fn half_an_answer_is_not_asked_for_again() {
    let _machine = light();
    for half in ["HTTP/1.1 2", "HTTP/1.1 103 Early Hints\r\n\r\n"] {
        let upstream = Upstream::start(Answer::Then(OK.to_vec(), half.into(), Farewell::Fin));
        let edge = Setup::new(upstream.address).start();
        let mut client = edge.plain();
        let get = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
        assert_eq!(client.exchange(get).status, 200);
        client.send(get);
        let answer = client.final_response_within(LIMIT);
        assert_eq!(answer.map(|answer| answer.status), Ok(502), "{half:?}");
        assert_eq!(upstream.received().matches("GET / ").count(), 2, "{half:?}");
    }
}
