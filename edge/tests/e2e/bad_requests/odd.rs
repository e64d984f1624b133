//! Requests that are odd and right: each has one reading, the upstream is told that one, and the next
//! request of the connection begins where it ends.

use super::{GOOD, LIMIT};
use crate::support::{End, Setup, Upstream, light};

/// Name, request, what the upstream must see of it and what not, in lower case.
type Odd = (
    &'static str,
    &'static [u8],
    &'static [&'static str],
    &'static [&'static str],
);

const WHOLE: &[&str] = &["content-length: 5\r\n\r\nhello"];
const CHUNKED: &[&str] = &["transfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n"];

#[rustfmt::skip]
const TABLE: &[Odd] = &[
    // RFC 9112 §6, §7.1; RFC 9110 §5.5, §8.6.
    ("length with zeros",        b"POST /odd HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0005\r\n\r\nhello", WHOLE, &["0005"]),
    ("white space about length", b"POST /odd HTTP/1.1\r\nHost: localhost\r\nContent-Length: \t 5 \t\r\n\r\nhello", WHOLE, &["\t"]),
    ("no space before length",   b"POST /odd HTTP/1.1\r\nHost: localhost\r\nContent-Length:5\r\n\r\nhello", WHOLE, &[]),
    ("coding in capitals",       b"POST /odd HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: \t CHUNKED \t\r\n\r\n5\r\nhello\r\n0\r\n\r\n", CHUNKED, &["\t"]),
    ("chunk extensions",         b"POST /odd HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;a=b;c=\"d e\"\r\nhello\r\n000;x\r\n\r\n", CHUNKED, &[";"]),
    ("white space in extension", b"POST /odd HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5 \t ;\ta\r\nhello\r\n0\r\n\r\n", CHUNKED, &[";"]),
    ("obs-text in extension",    b"POST /odd HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5;\xff\r\nhello\r\n0\r\n\r\n", CHUNKED, &[";"]),
    ("sizes with zeros",         b"POST /odd HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n00A\r\n0123456789\r\n00\r\n\r\n", &["\r\n\r\na\r\n0123456789\r\n0\r\n\r\n"], &["00a"]),
    ("empty chunked body",       b"POST /odd HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", &["post /odd"], &[]),
    // RFC 9110 §9.3: content is not forbidden where it means nothing.
    ("GET with content",         b"GET /odd HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", WHOLE, &[]),
    ("DELETE with content",      b"DELETE /odd HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", CHUNKED, &[]),
    ("OPTIONS with content",     b"OPTIONS /odd HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", WHOLE, &[]),
    ("a method of its own",      b"BREW /odd HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello", &["brew /odd http/1.1", WHOLE[0]], &[]),
    ("a request as content",     b"POST /odd HTTP/1.1\r\nHost: localhost\r\nContent-Length: 26\r\n\r\nGET /evil HTTP/1.1\r\nX: y\r\n", &["content-length: 26\r\n\r\nget /evil http/1.1\r\nx: y\r\n"], &[]),
    // RFC 9112 §2.2, §3.2.
    ("empty lines first",        b"\r\n\r\nGET /odd HTTP/1.1\r\nHost: localhost\r\n\r\n", &["get /odd http/1.1\r\n"], &[]),
    ("absolute form",            b"GET http://localhost/odd?x HTTP/1.1\r\nHost: evil.test\r\n\r\n", &["get /odd?x http/1.1\r\nhost: localhost\r\n"], &["evil"]),
    ("absolute form in capitals", b"GET HTTP://LOCALHOST/odd HTTP/1.1\r\nHost: evil.test\r\n\r\n", &["get /odd http/1.1\r\nhost: localhost\r\n"], &["evil"]),
    ("absolute form without path", b"GET http://localhost?odd HTTP/1.1\r\nHost: localhost\r\n\r\n", &["get /?odd http/1.1\r\nhost: localhost\r\n"], &[]),
    ("authority in fields",      b"GET /odd HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-Host: evil.test\r\nForwarded: host=evil.test\r\n\r\n", &["host: localhost\r\n"], &["evil"]),
    // RFC 9110 §5.5.
    ("obs-text in value",        b"GET /odd HTTP/1.1\r\nHost: localhost\r\nX-A: caf\xe9\r\n\r\n", &["x-a: caf\u{fffd}\r\n"], &[]),
    ("empty value",              b"GET /odd HTTP/1.1\r\nHost: localhost\r\nX-A:\r\nX-B: 1\r\n\r\n", &["x-a: \r\nx-b: 1\r\n"], &[]),
    ("a field twice",            b"GET /odd HTTP/1.1\r\nHost: localhost\r\nX-A: 1\r\nX-B: 2\r\nX-A: 3\r\n\r\n", &["x-a: 1\r\nx-b: 2\r\nx-a: 3\r\n"], &[]),
    // RFC 9110 §7.6.1, §7.8, §10.1.1; RFC 9113 §3.1.
    ("fields of the hop",        b"GET /odd HTTP/1.1\r\nHost: localhost\r\nConnection: X-Hop ,,keep-alive, \r\nX-Hop: evil\r\nKeep-Alive: evil\r\nProxy-Connection: evil\r\nProxy-Authorization: evil\r\nTE: evil\r\n\r\n", &["get /odd"], &["evil", "connection", "x-hop"]),
    ("framing as a field of the hop", b"POST /odd HTTP/1.1\r\nHost: localhost\r\nConnection: Content-Length, Transfer-Encoding, Host\r\nContent-Length: 5\r\n\r\nhello", &["host: localhost\r\n", WHOLE[0]], &["connection"]),
    ("chunked as a field of the hop", b"POST /odd HTTP/1.1\r\nHost: localhost\r\nConnection: Transfer-Encoding\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", CHUNKED, &["connection"]),
    ("what the edge adds as a field of the hop", b"GET /odd HTTP/1.1\r\nHost: localhost\r\nConnection: X-Forwarded-For, X-Real-IP, X-Forwarded-Proto\r\n\r\n", &["x-forwarded-for: 127.0.0.1", "x-forwarded-proto: http\r\n"], &["connection"]),
    ("upgrade to h2c",           b"GET /odd HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n", &["get /odd"], &["upgrade", "http2-settings", "h2c"]),
    ("upgrade to h2c with content", b"POST /odd HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\nContent-Length: 5\r\n\r\nhello", WHOLE, &["upgrade", "http2-settings"]),
    ("upgrade that is not asked for", b"GET /odd HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n\r\n", &["get /odd"], &["upgrade", "websocket"]),
    ("an unknown expectation",   b"POST /odd HTTP/1.1\r\nHost: localhost\r\nExpect: y 100-continue\r\nContent-Length: 5\r\n\r\nhello", WHOLE, &["expect"]),
    ("Expect twice",             b"POST /odd HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nExpect: 100-CONTINUE\r\nContent-Length: 5\r\n\r\nhello", WHOLE, &["expect"]),
    ("Expect with GET",          b"GET /odd HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 5\r\n\r\nhello", WHOLE, &["expect"]),
    ("Expect without content",   b"POST /odd HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\nContent-Length: 0\r\n\r\n", &["post /odd"], &["expect"]),
];

#[test]
fn odd_requests_have_one_reading() {
    let _machine = light();
    let upstream = Upstream::ok();
    let mut edge = Setup::new(upstream.address).start();
    let mut wrong = Vec::new();
    for (name, request, seen, unseen) in TABLE {
        let before = upstream.received().len();
        let mut client = edge.plain();
        client.send([request, GOOD.as_bytes()].concat());
        for _ in 0..2 {
            match client.response_within(false, LIMIT) {
                Ok(response) if response.status == 200 => {}
                other => wrong.push(format!("{name}: {other:?}")),
            }
        }
        let (rest, end) = client.read_to_end(LIMIT);
        if !rest.is_empty() || end != End::Clean {
            let rest = String::from_utf8_lossy(&rest);
            wrong.push(format!("{name}: then {rest:?} {end:?}"));
        }
        let reached = upstream.received().split_off(before).to_lowercase();
        let (odd, good) = reached.split_at(reached.find("get /good ").unwrap_or(0));
        let complete = seen.iter().all(|text| odd.contains(text));
        let clean = !unseen.iter().any(|text| odd.contains(text));
        if !complete || !clean || good.matches(" http/1.").count() != 1 {
            wrong.push(format!("{name}: the upstream saw {reached:?}"));
        }
    }
    edge.assert_healthy();
    assert!(
        wrong.is_empty(),
        "{} wrong:\n{}",
        wrong.len(),
        wrong.join("\n")
    );
}
