//! Compressed answers, made readable again by curl, and those that go as they are.

use std::process::Command;
use std::time::Duration;

use crate::cache::origin::{Origin, ok};
use crate::http3::{h3_answers, h3_body};
use crate::support::{Answer, Client, Edge, Process, Response, Setup, Upstream, light};

const LIMIT: Duration = Duration::from_secs(60);
const CODINGS: [&str; 3] = ["zstd", "br", "gzip"];

fn text(lines: usize) -> String {
    (0..lines)
        .map(|n| format!("{{\"tool\":\"number {n}\"}}\n"))
        .collect()
}

fn get(edge: &Edge, path: &str, fields: &str) -> Response {
    edge.plain().exchange(format!(
        "GET {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n"
    ))
}

/// What curl makes of an answer: its exit code and the content, decoded.
fn curl(edge: &Edge, path: &str, coding: &str, more: &[&str]) -> (i32, String) {
    let mut command = Command::new("curl");
    command
        .args(["-sS", "--compressed", "--no-buffer", "--cacert"])
        .arg(edge.file("ca.pem"))
        .args(["-H", &format!("Accept-Encoding: {coding}")])
        .args(more)
        .arg(format!("{}{path}", edge.url()));
    let (code, out, _) = Process::run("curl", command, LIMIT);
    (code, out)
}

/// Content in a coding, as curl reads it from a server that hands it out as it is.
fn decoded(coding: &str, bytes: &[u8]) -> Vec<u8> {
    let length = bytes.len();
    let head = format!(
        "HTTP/1.1 200 OK\r\nContent-Encoding: {coding}\r\nContent-Length: {length}\r\n\r\n"
    );
    let origin = Upstream::start(Answer::Close([head.as_bytes(), bytes].concat()));
    let mut command = Command::new("curl");
    command
        .args(["-sS", "--compressed"])
        .arg(format!("http://{}/", origin.address));
    let (code, out, said) = Process::run("curl", command, LIMIT);
    assert_eq!(code, 0, "{coding}: {said}");
    out.into_bytes()
}

#[test]
fn what_curl_reads_again() {
    let _machine = light();
    let body = text(60_000);
    let short = text(300);
    let (whole, part) = (body.clone(), short.clone());
    let origin = Origin::start(move |head, _| {
        let fields = "Content-Type: application/json\r\nETag: \"a\"\r\nVary: Origin\r\nAccept-Ranges: bytes\r\n";
        let body = if head.starts_with("GET /short") {
            &part
        } else {
            &whole
        };
        (Duration::ZERO, ok(fields, body))
    });
    let edge = Setup::new(origin.address)
        .route("compress = true\ncache = { ttl = [\"200: 1h\"], max_object = \"16MiB\" }")
        .start();
    for coding in CODINGS {
        let answer = get(&edge, "/short", &format!("Accept-Encoding: {coding}\r\n"));
        assert_eq!(answer.header("content-encoding"), Some(coding));
        assert_eq!(answer.header("content-length"), None);
        assert_eq!(answer.header("accept-ranges"), None);
        assert_eq!(answer.header("etag"), Some("W/\"a\""));
        let vary: Vec<_> = answer
            .headers
            .iter()
            .filter(|(name, _)| name == "vary")
            .collect();
        assert_eq!(vary.len(), 2, "{vary:?}");
        assert!(
            answer.body.len() * 4 < short.len(),
            "{coding}: {}",
            answer.body.len()
        );
        for protocol in ["--http1.1", "--http2"] {
            let (code, out) = curl(&edge, "/large", coding, &[protocol]);
            assert!(
                code == 0 && out == body,
                "{coding} {protocol}: {code}, {} bytes",
                out.len()
            );
        }
    }
    let wanted = CODINGS.map(|coding| ("/large", [("accept-encoding", coding)]));
    for (coding, answer) in CODINGS
        .iter()
        .zip(h3_answers(&edge, &serde_json::json!(wanted)))
    {
        assert!(
            answer["ended"] == true && answer["broken"] == false,
            "{coding}"
        );
        assert_eq!(answer["fields"]["content-encoding"], *coding);
        assert_eq!(answer["fields"]["content-length"], serde_json::Value::Null);
        let decoded = decoded(coding, &h3_body(&answer));
        assert!(
            decoded == body.as_bytes(),
            "{coding}: {} bytes",
            decoded.len()
        );
    }
    // What the client wants most, of what it wants at all.
    let of = |accept: &str| {
        let answer = get(&edge, "/short", &format!("Accept-Encoding: {accept}\r\n"));
        answer.header("content-encoding").map(str::to_owned)
    };
    assert_eq!(of("gzip, br;q=0.9").as_deref(), Some("gzip"));
    assert_eq!(of("*").as_deref(), Some("zstd"));
    assert_eq!(of("deflate, identity"), None);
    assert_eq!(of("gzip;q=0"), None);
    let unchanged = get(
        &edge,
        "/short",
        "Accept-Encoding: br\r\nIf-None-Match: W/\"a\"\r\n",
    );
    assert_eq!(
        (unchanged.status, unchanged.header("etag")),
        (304, Some("W/\"a\""))
    );
}

#[test]
fn what_goes_as_it_is() {
    let _machine = light();
    let body = text(100);
    let origin = Origin::start(move |head, _| {
        let fields = match head.split(' ').nth(1).unwrap_or_default() {
            "/events" => "Content-Type: text/event-stream\r\n",
            "/image" => "Content-Type: image/png\r\n",
            "/coded" => "Content-Type: text/plain\r\nContent-Encoding: gzip\r\n",
            "/fixed" => "Content-Type: text/plain\r\nCache-Control: no-transform\r\n",
            "/digest" => "Content-Type: text/plain\r\nRepr-Digest: sha-256=:AA==:\r\n",
            "/md5" => "Content-Type: text/plain\r\nContent-MD5: AA==\r\n",
            "/tagged" => "Content-Type: text/plain\r\nETag: \"a\"\r\n",
            "/part" => "Content-Type: text/plain\r\nContent-Range: bytes 0-9/99\r\n",
            "/untyped" => "",
            _ => "Content-Type: text/plain\r\n",
        };
        let body = if head.contains("/small") {
            "small"
        } else {
            &body
        };
        (Duration::ZERO, ok(fields, body))
    });
    let edge = Setup::new(origin.address)
        .route("compress = { codings = [\"gzip\"] }")
        .more_routes("[[host.route]]\npath = \"/never\"\nupstream = \"origin\"\n")
        .start();
    let accept = "Accept-Encoding: gzip, br, zstd\r\n";
    let coding = |path: &str, fields: &str| {
        let answer = get(&edge, path, fields);
        let field = |name: &str| answer.header(name).map(str::to_owned);
        (field("content-encoding"), field("vary"))
    };
    let some = |text: &str| Some(text.to_owned());
    assert_eq!(
        coding("/text", accept),
        (some("gzip"), some("accept-encoding"))
    );
    assert_eq!(coding("/text", ""), (None, some("accept-encoding")));
    assert_eq!(
        coding("/text", "Accept-Encoding: br\r\n"),
        (None, some("accept-encoding"))
    );
    for path in [
        "/events", "/image", "/fixed", "/part", "/untyped", "/small", "/never", "/digest", "/md5",
    ] {
        assert_eq!(coding(path, accept), (None, None), "{path}");
    }
    assert_eq!(coding("/coded", accept).0, some("gzip"), "once is enough");
    let wants_it = format!("{accept}Cache-Control: no-transform\r\n");
    assert_eq!(coding("/text", &wants_it), (None, None));
    for (accept, expected) in [
        ("gzip;q=0.001", some("gzip")),
        ("gzip;q=0, *", None),
        ("identity;q=0, *;q=0.1", some("gzip")),
        ("identity;q=0", None),
        ("identity, gzip;q=0.9", None),
        ("GZIP", some("gzip")),
        ("gzip;q=1.5", None),
        ("", None),
    ] {
        let field = format!("Accept-Encoding: {accept}\r\n");
        assert_eq!(coding("/text", &field).0, expected, "{accept}");
    }
    // HEAD has no content, and says of it what GET would say.
    let mut client = edge.plain();
    client.send(format!(
        "HEAD /tagged HTTP/1.1\r\nHost: localhost\r\n{accept}\r\n"
    ));
    let head = client.response(true);
    assert_eq!(head.header("content-encoding"), None);
    assert_eq!(head.header("vary"), Some("accept-encoding"));
    assert_eq!(head.header("etag"), Some("W/\"a\""));
    assert_eq!(head.header("content-length"), None, "it is not that of GET");
    let mut old = edge.plain();
    old.send(format!(
        "GET /text HTTP/1.0\r\nHost: localhost\r\n{accept}\r\n"
    ));
    assert_eq!(old.response(false).header("content-encoding"), None);
}

#[test]
fn nothing_waits_to_be_more() {
    let _machine = light();
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nTransfer-Encoding: chunked\r\n\r\n";
    let upstream = Upstream::start(Answer::Hold(format!("{head}5\r\nfirst\r\n").into()));
    let edge = Setup::new(upstream.address)
        .route("compress = true")
        .start();
    for coding in CODINGS {
        let (code, out) = curl(&edge, "/", coding, &["--max-time", "3"]);
        assert_eq!(
            (code, out.as_str()),
            (28, "first"),
            "{coding}: it is there before the end"
        );
    }
    // What breaks off does so for the client too, and does not end like what is whole.
    let broken = Upstream::start(Answer::Close(format!("{head}5\r\nfirst\r\n").into()));
    let cut = Setup::new(broken.address).route("compress = true").start();
    for coding in CODINGS {
        let (code, out) = curl(&cut, "/", coding, &[]);
        assert!(code != 0 && out.len() <= 5, "{coding}: {code} {out}");
    }
    // A client that leaves takes its encoder along.
    let mut client = edge.plain();
    client.send("GET / HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: gzip\r\n\r\n");
    client.read_until("\r\n\r\n", LIMIT);
    drop(client);
}

#[test]
fn files_and_pages_of_the_edge_too() {
    let _machine = light();
    let setup = Setup::new("127.0.0.1:1");
    let body = text(1000);
    std::fs::write(setup.dir.path().join("a.json"), &body).expect("our own folder");
    let edge = setup
        .more_routes(
            "[[host.route]]\nregex = \"^/\"\nfiles = \".\"\ncompress = true\n\
             [[host.route]]\nexact = \"/text\"\nrespond = \"0123456789\"\ncompress = { min_length = 1 }\n",
        )
        .start();
    assert_eq!(curl(&edge, "/a.json", "zstd", &[]), (0, body.clone()));
    assert_eq!(
        curl(&edge, "/text", "br", &[]),
        (0, "0123456789".to_owned())
    );
    let whole = get(&edge, "/a.json", "Accept-Encoding: zstd\r\n");
    assert_eq!(whole.header("content-encoding"), Some("zstd"));
    let part = get(
        &edge,
        "/a.json",
        "Accept-Encoding: zstd\r\nRange: bytes=0-9\r\n",
    );
    assert_eq!((part.status, part.header("content-encoding")), (206, None));
    assert_eq!(part.body, &body.as_bytes()[..10]);
    let mut client = edge.plain();
    client.send("HEAD /a.json HTTP/1.1\r\nHost: localhost\r\nAccept-Encoding: zstd\r\n\r\n");
    let head = client.response(true);
    for name in ["content-length", "accept-ranges", "etag", "vary"] {
        assert_eq!(head.header(name), whole.header(name), "{name}");
    }
    let tag = whole.header("etag").expect("it has one");
    let known = get(
        &edge,
        "/a.json",
        &format!("Accept-Encoding: zstd\r\nIf-None-Match: {tag}\r\n"),
    );
    assert_eq!(known.status, 304);
    let mut plain = Client::plain(edge.http);
    let small = plain.exchange("GET /text HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(
        (small.text().as_str(), small.header("vary")),
        ("0123456789", Some("accept-encoding"))
    );
}
