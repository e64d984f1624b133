//! What is asked of every program.

use super::exchange::{Case, Way};

/// A request over TLS: its line, its fields behind `Host`, its body.
fn tls(name: &'static str, line: &str, more: &str, body: &str) -> Case {
    Case {
        name,
        way: Way::Tls,
        bytes: format!("{line} HTTP/1.1\r\nHost: mcp.example.com\r\n{more}\r\n{body}").into_bytes(),
    }
}

fn raw(name: &'static str, way: Way, text: &str) -> Case {
    let bytes = text.as_bytes().to_vec();
    Case { name, way, bytes }
}

fn plain(name: &'static str, text: &str) -> Case {
    raw(name, Way::Plain, text)
}

fn get(name: &'static str, path: &str) -> Case {
    tls(name, &format!("GET {path}"), "", "")
}

fn h2(name: &'static str, method: &'static str, path: &'static str, body: Option<Vec<u8>>) -> Case {
    Case {
        name,
        way: Way::H2(method, path, body),
        bytes: Vec::new(),
    }
}

fn with_way(case: Case, way: Way) -> Case {
    Case { way, ..case }
}

/// Eleven MiB in chunks.
fn large_chunks() -> String {
    let chunk = format!("100000\r\n{}\r\n", "x".repeat(0x10_0000));
    chunk.repeat(11) + "0\r\n\r\n"
}

const OPENING: &str = "Connection: Upgrade\r\nUpgrade: websocket\r\nSec-WebSocket-Version: 13\r\n\
    Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";

const CLAIMS: &str = "X-Forwarded-For: 192.0.2.1, 192.0.2.2\r\nX-Real-IP: 192.0.2.3\r\n\
    X-Forwarded-Proto: gopher\r\nX-Forwarded-Host: evil.example\r\nForwarded: for=192.0.2.4\r\n\
    X-Request-Id: mine\r\nVia: 1.1 before\r\n";

pub(super) fn node() -> Vec<Case> {
    let mut cases = to_port_80();
    cases.extend(ordinary());
    cases.extend(paths());
    cases.extend(malformed());
    cases.extend(answers());
    cases.extend([
        with_way(get("events at /sse", "/sse/events"), Way::Events),
        with_way(get("events elsewhere", "/events"), Way::Events),
        with_way(get("events, unbuffered", "/events-accel"), Way::Events),
        with_way(tls("WebSocket", "GET /socket", OPENING, ""), Way::Tunnel),
        h2("h2 GET", "GET", "/ok?a=b", None),
        h2("h2 HEAD", "HEAD", "/ok", None),
        h2("h2 POST", "POST", "/echo", Some(b"hello".to_vec())),
        h2(
            "h2 body too large",
            "POST",
            "/echo",
            Some(vec![b'x'; 11 << 20]),
        ),
        with_way(get("limit", "/health/ok"), Way::Often(11)),
    ]);
    cases
}

fn to_port_80() -> Vec<Case> {
    vec![
        plain(
            "80 GET",
            "GET /a?b=c HTTP/1.1\r\nHost: mcp.example.com\r\n\r\n",
        ),
        plain(
            "80 HEAD",
            "HEAD /a HTTP/1.1\r\nHost: mcp.example.com\r\n\r\n",
        ),
        plain(
            "80 POST",
            "POST /a HTTP/1.1\r\nHost: mcp.example.com\r\nContent-Length: 2\r\n\r\n{}",
        ),
        plain(
            "80 challenge",
            "GET /.well-known/acme-challenge/x HTTP/1.1\r\nHost: mcp.example.com\r\n\r\n",
        ),
        plain(
            "80 unknown host",
            "GET /a HTTP/1.1\r\nHost: evil.example\r\n\r\n",
        ),
        plain("80 HTTP/1.0", "GET /a HTTP/1.0\r\n\r\n"),
        plain(
            "80 TLS bytes",
            "\x16\x03\x01\x02\x00\x01\x00\x01\x7f\x03\x03\r\n\r\n",
        ),
    ]
}

fn ordinary() -> Vec<Case> {
    vec![
        get("GET", "/ok?a=b"),
        tls("HEAD", "HEAD /ok", "", ""),
        tls("claims", "GET /ok", CLAIMS, ""),
        tls(
            "field names",
            "GET /ok",
            "x-CuStOm-Name: Value\r\nunder_score: 1\r\n",
            "",
        ),
        tls(
            "fields twice",
            "GET /ok",
            "X-A: 1\r\nX-A: 2\r\nCookie: a=1\r\nCookie: b=2\r\n",
            "",
        ),
        tls(
            "hop by hop",
            "GET /ok",
            "Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nTE: trailers\r\nKeep-Alive: 5\r\nProxy-Connection: x\r\n",
            "",
        ),
        tls("POST", "POST /echo", "Content-Length: 5\r\n", "hello"),
        tls(
            "POST chunked",
            "POST /echo",
            "Transfer-Encoding: chunked\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
        ),
        with_way(
            tls(
                "Expect",
                "POST /echo",
                "Expect: 100-continue\r\nContent-Length: 5\r\n",
                "",
            ),
            Way::Continue("hello"),
        ),
        with_way(
            tls(
                "Expect, too large",
                "POST /echo",
                "Expect: 100-continue\r\nContent-Length: 20000000\r\n",
                "",
            ),
            Way::Continue("hello"),
        ),
        tls(
            "body too large",
            "POST /echo",
            "Content-Length: 10485761\r\n",
            "x",
        ),
        tls(
            "chunks too large",
            "POST /echo",
            "Transfer-Encoding: chunked\r\n",
            &large_chunks(),
        ),
        tls("PUT", "PUT /echo", "Content-Length: 1\r\n", "x"),
        tls("DELETE", "DELETE /ok", "", ""),
        tls("OPTIONS", "OPTIONS /ok", "", ""),
        tls("OPTIONS *", "OPTIONS *", "", ""),
        tls("TRACE", "TRACE /ok", "", ""),
        tls("CONNECT", "CONNECT mcp.example.com:443", "", ""),
        tls("unknown method", "BREW /ok", "", ""),
        raw(
            "another host",
            Way::Tls,
            "GET /ok HTTP/1.1\r\nHost: other.example.com\r\n\r\n",
        ),
        raw(
            "host in capitals",
            Way::Tls,
            "GET /ok HTTP/1.1\r\nHost: MCP.Example.COM\r\n\r\n",
        ),
        raw(
            "host with port",
            Way::Tls,
            "GET /ok HTTP/1.1\r\nHost: mcp.example.com:443\r\n\r\n",
        ),
        raw(
            "host with dot",
            Way::Tls,
            "GET /ok HTTP/1.1\r\nHost: mcp.example.com.\r\n\r\n",
        ),
        raw(
            "whole URL",
            Way::Tls,
            "GET https://mcp.example.com/ok HTTP/1.1\r\nHost: mcp.example.com\r\n\r\n",
        ),
        raw(
            "HTTP/1.0",
            Way::Tls,
            "GET /ok HTTP/1.0\r\nHost: mcp.example.com\r\n\r\n",
        ),
        raw(
            "HTTP/1.0 chunked answer",
            Way::Tls,
            "GET /chunked HTTP/1.0\r\nHost: mcp.example.com\r\n\r\n",
        ),
    ]
}

fn paths() -> Vec<Case> {
    vec![
        get("path: slashes", "//a//ok"),
        get("path: dots", "/a/./b/../ok"),
        get("path: above", "/../ok"),
        get("path: encoded letter", "/%6fk"),
        get("path: encoded slash", "/a%2fok"),
        get("path: encoded dots", "/a/%2e%2e/ok"),
        get("path: zero", "/a%00/ok"),
        get("path: bad encoding", "/a%zz/ok"),
        get("path: backslash", "/a\\ok"),
        get("path: space and quote", "/a%20%22/ok"),
        get("path: fragment", "/ok#part"),
        get("path: raw bytes", "/a\u{e9}/ok"),
        get("path: prefix of a word", "/healthy/ok"),
        get("path: long", &format!("/{}/ok", "a".repeat(9000))),
    ]
}

fn malformed() -> Vec<Case> {
    vec![
        raw("bad: no host", Way::Tls, "GET /ok HTTP/1.1\r\n\r\n"),
        raw(
            "bad: two hosts",
            Way::Tls,
            "GET /ok HTTP/1.1\r\nHost: mcp.example.com\r\nHost: mcp.example.com\r\n\r\n",
        ),
        tls("bad: space before colon", "GET /ok", "X-A : 1\r\n", ""),
        tls("bad: folded", "GET /ok", "X-A: 1\r\n 2\r\n", ""),
        tls("bad: zero in value", "GET /ok", "X-A: a\0b\r\n", ""),
        tls(
            "bad: two lengths",
            "POST /echo",
            "Content-Length: 5\r\nContent-Length: 6\r\n",
            "hello!",
        ),
        tls(
            "bad: length and chunks",
            "POST /echo",
            "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
            "0\r\n\r\n",
        ),
        tls(
            "bad: coding",
            "POST /echo",
            "Transfer-Encoding: gzip, chunked\r\n",
            "0\r\n\r\n",
        ),
        tls(
            "bad: chunk size",
            "POST /echo",
            "Transfer-Encoding: chunked\r\n",
            "zz\r\n",
        ),
        tls(
            "bad: length",
            "POST /echo",
            "Content-Length: +5\r\n",
            "hello",
        ),
        tls(
            "bad: field of 40 KiB",
            "GET /ok",
            &format!("X-A: {}\r\n", "a".repeat(40_000)),
            "",
        ),
        raw(
            "bad: version",
            Way::Tls,
            "GET /ok HTTP/3.0\r\nHost: mcp.example.com\r\n\r\n",
        ),
        raw("bad: line", Way::Tls, "GET\r\n\r\n"),
        raw(
            "bare LF",
            Way::Tls,
            "GET /ok HTTP/1.1\nHost: mcp.example.com\n\n",
        ),
        raw(
            "empty lines first",
            Way::Tls,
            "\r\n\r\nGET /ok HTTP/1.1\r\nHost: mcp.example.com\r\n\r\n",
        ),
    ]
}

/// What the server behind answers.
fn answers() -> Vec<Case> {
    vec![
        get("answer: fields", "/fields"),
        get("answer: 400", "/bad-request"),
        get("answer: 500", "/error"),
        get("answer: 204", "/no-content"),
        get("answer: 304", "/not-modified"),
        get("answer: 302", "/moved"),
        get("answer: chunked", "/chunked"),
        tls(
            "answer: chunked, trailers wanted",
            "GET /chunked",
            "TE: trailers\r\n",
            "",
        ),
        get("answer: 103", "/hints"),
        get("answer: X-Accel-Redirect", "/accel"),
        get("answer: until close", "/until-close"),
        get("answer: none", "/close"),
        get("answer: garbage", "/garbage"),
        get("answer: cut", "/cut"),
        get("answer: too late", "/silent"),
    ]
}

pub(super) fn unknown_name() -> Vec<Case> {
    vec![get("another name in the handshake", "/ok")]
}

pub(super) fn nobody_there() -> Vec<Case> {
    vec![
        get("nobody there", "/ok"),
        tls(
            "nobody there, POST",
            "POST /echo",
            "Content-Length: 5\r\n",
            "hello",
        ),
    ]
}

pub(super) fn python() -> Vec<Case> {
    vec![
        get("GET", "/mcp/ok"),
        get("slash missing", "/mcp"),
        get("elsewhere", "/other"),
        get("prefix of a word", "/mcpx/ok"),
        tls("POST", "POST /mcp/echo", "Content-Length: 5\r\n", "hello"),
        tls(
            "POST chunked",
            "POST /mcp/echo",
            "Transfer-Encoding: chunked\r\n",
            "5\r\nhello\r\n0\r\n\r\n",
        ),
        tls(
            "body of 2 MiB",
            "POST /mcp/echo",
            "Content-Length: 2097152\r\n",
            &"x".repeat(2 << 20),
        ),
        tls("claims", "GET /mcp/ok", CLAIMS, ""),
        with_way(get("events", "/mcp/events"), Way::Events),
        get("answer: fields", "/mcp/fields"),
        get("cached, first", "/query/fast/ok"),
        get("cached, again", "/query/fast/ok"),
        h2("h2 GET", "GET", "/mcp/ok", None),
        with_way(get("limit", "/mcp/ok"), Way::Often(21)),
    ]
}

pub(super) fn without_certificate() -> Vec<Case> {
    vec![get("no certificate", "/mcp/ok")]
}

pub(super) fn with_another_certificate() -> Vec<Case> {
    vec![get("another authority's certificate", "/mcp/ok")]
}
