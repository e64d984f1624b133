//! What the upstream is told about the client, and what operators are told about both.

use std::process::{Command, Stdio};
use std::time::Duration;

use crate::support::{Answer, Client, Demo, H2, Setup, Upstream, light, wait_until};

/// The fields that only the proxy may speak through, as clients spoof them. Many servers cannot tell
/// `X_Forwarded_For` from `X-Forwarded-For`.
const SPOOFED: &[(&str, &str)] = &[
    ("x-forwarded-for", "6.6.6.6"),
    ("x-forwarded-for", "7.7.7.7"),
    ("x-real-ip", "6.6.6.6"),
    ("x-forwarded-proto", "gopher"),
    ("x-forwarded-host", "evil.test"),
    ("x-forwarded-port", "66"),
    ("forwarded", "for=6.6.6.6;proto=gopher;host=evil.test"),
    ("x_forwarded_for", "6.6.6.6"),
    ("x_real_ip", "6.6.6.6"),
    ("x_forwarded_proto", "gopher"),
    ("x-forwarded_for", "6.6.6.6"),
];

/// Checks what `/headers` of the demo saw of a request with spoofed fields.
fn assert_truthful(seen: &serde_json::Value, proto: &str, host: &str) {
    let text = seen.to_string();
    for lie in [
        "6.6.6.6",
        "7.7.7.7",
        "gopher",
        "evil.test",
        "\"66\"",
        "x_forwarded",
        "x_real",
    ] {
        assert!(!text.contains(lie), "{lie} reached the upstream: {text}");
    }
    let field = |name: &str| {
        let values = seen["headers"][name]
            .as_array()
            .cloned()
            .unwrap_or_default();
        assert!(values.len() <= 1, "{name} twice: {text}");
        values
            .first()
            .map(|value| value.as_str().expect("a string").to_owned())
    };
    assert_eq!(
        field("x-forwarded-for").as_deref(),
        Some("127.0.0.1"),
        "{text}"
    );
    assert_eq!(field("x-real-ip").as_deref(), Some("127.0.0.1"), "{text}");
    assert_eq!(field("x-forwarded-proto").as_deref(), Some(proto), "{text}");
    assert_eq!(field("x-forwarded-host").as_deref(), Some(host), "{text}");
    assert_eq!(
        field("host").as_deref(),
        Some(host),
        "the client's Host, with its port"
    );
    // Not ours to speak of: hop-by-hop fields end here (RFC 9110 §7.6.1).
    for name in [
        "keep-alive",
        "proxy-connection",
        "te",
        "x-nominated",
        "upgrade",
    ] {
        assert_eq!(field(name), None, "{text}");
    }
    // End-to-end ones pass, however odd.
    assert_eq!(field("mcp-method").as_deref(), Some("tools/call"), "{text}");
    assert_eq!(
        field("authorization").as_deref(),
        Some("Bearer t0ken"),
        "{text}"
    );
}

#[test]
fn forwarded_fields_are_set_and_spoofed_ones_replaced() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address).start();
    let spoofed: String = SPOOFED
        .iter()
        .map(|(name, value)| format!("{name}: {value}\r\n"))
        .collect();
    let ways: [(Client, &str, u16); 2] = [
        (edge.plain(), "http", edge.http.port()),
        (edge.tls(), "https", edge.https.port()),
    ];
    for (mut client, proto, port) in ways {
        let host = format!("localhost:{port}");
        let response = client.exchange(format!(
            "GET /headers?a=%20b HTTP/1.1\r\nHost: {host}\r\n{spoofed}Mcp-Method: tools/call\r\n\
             Authorization: Bearer t0ken\r\nConnection: keep-alive, X-Nominated\r\nX-Nominated: 1\r\n\
             Keep-Alive: timeout=5\r\nProxy-Connection: keep-alive\r\nTE: gzip\r\n\r\n"
        ));
        let seen = response.json();
        assert_eq!(seen["target"], "/headers?a=%20b");
        assert_truthful(&seen, proto, &host);
    }
    let mut fields = SPOOFED.to_vec();
    fields.extend([
        ("mcp-method", "tools/call"),
        ("authorization", "Bearer t0ken"),
        ("te", "trailers"),
    ]);
    let mut h2 = H2::connect(edge.https, edge.authority());
    let response = h2.post("/headers", &fields, b"{}");
    let seen = response.json();
    assert_eq!(seen["method"], "POST");
    assert_truthful(&seen, "https", "localhost");
}

#[test]
fn the_connection_field_cannot_remove_what_the_proxy_says() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address).start();
    let mut client = edge.tls();
    let response = client.exchange(
        "POST /headers HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\n\
         Connection: x-forwarded-for, x-real-ip, host, content-length, authorization\r\n\
         Authorization: Bearer t0ken\r\n\r\n{}",
    );
    let seen = response.json();
    let headers = &seen["headers"];
    assert_eq!(headers["x-forwarded-for"][0], "127.0.0.1", "{seen}");
    assert_eq!(headers["x-real-ip"][0], "127.0.0.1", "{seen}");
    assert_eq!(headers["host"][0], "localhost", "{seen}");
    // The body must not become the next request of the upstream connection.
    assert_eq!(
        client
            .exchange("GET /headers HTTP/1.1\r\nHost: localhost\r\n\r\n")
            .status,
        200
    );
}

#[test]
fn an_absolute_target_names_the_host() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address).start();
    let response = edge
        .plain()
        .exchange("GET http://localhost/headers HTTP/1.1\r\nHost: elsewhere.test\r\n\r\n");
    // RFC 9112 §3.2.2: the field is ignored and replaced; refusing is stricter and fine.
    if response.status == 200 {
        assert_eq!(response.json()["headers"]["host"][0], "localhost");
        assert_eq!(response.json()["target"], "/headers");
    } else {
        assert!(matches!(response.status, 400 | 421), "{response:?}");
    }
}

#[test]
fn answers_lose_only_what_concerns_the_connection() {
    let _machine = light();
    let answer = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nSet-Cookie: a=1\r\nSet-Cookie: b=2\r\n\
                  WWW-Authenticate: Bearer resource_metadata=\"x\"\r\nMcp-Session-Id: s-1\r\n\
                  Connection: keep-alive, X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n\r\nok";
    let upstream = Upstream::start(Answer::Keep(answer.into()));
    let edge = Setup::new(upstream.address).start();
    let h1 = edge
        .tls()
        .exchange("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
    let h2 = H2::connect(edge.https, edge.authority())
        .get_within("/", Duration::from_secs(3))
        .expect("an answer");
    for response in [h1, h2] {
        let cookies = response
            .headers
            .iter()
            .filter(|(name, _)| name == "set-cookie")
            .count();
        assert_eq!(cookies, 2, "{response:?}");
        assert_eq!(response.header("mcp-session-id"), Some("s-1"));
        assert_eq!(
            response.header("www-authenticate"),
            Some("Bearer resource_metadata=\"x\"")
        );
        for name in ["x-hop", "keep-alive"] {
            assert_eq!(response.header(name), None, "{response:?}");
        }
    }
}

#[test]
fn requests_beyond_the_limit_get_429() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .section("limit", "requests = \"5/s\"\nburst = 10")
        .start();
    let mut client = edge.tls();
    let mut statuses = Vec::new();
    for _ in 0..30 {
        let response = client.exchange("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        if response.status == 429 {
            let seconds: u64 = response
                .header("retry-after")
                .expect("Retry-After")
                .parse()
                .expect("seconds");
            assert!((1..=2).contains(&seconds), "{seconds}");
            assert!(response.body.len() < 1024);
        }
        statuses.push(response.status);
    }
    let served = statuses.iter().filter(|status| **status == 200).count();
    assert!(
        (10..=13).contains(&served),
        "burst 10, 5 a second: {statuses:?}"
    );
    assert_eq!(
        statuses.len() - served,
        statuses.iter().filter(|status| **status == 429).count()
    );
    assert_eq!(upstream.received().matches("GET / ").count(), served);
    // Another connection and another protocol of the same address have the same account.
    let mut h2 = H2::connect(edge.https, edge.authority());
    let status = |h2: &mut H2| {
        h2.get_within("/", Duration::from_secs(3))
            .expect("an answer")
            .status
    };
    assert_eq!(status(&mut h2), 429);
    // Waiting as told is rewarded.
    std::thread::sleep(Duration::from_millis(1100));
    assert_eq!(status(&mut h2), 200);
    // Workers hand their counts over once a second.
    let counted = || edge.metrics().sum("edge_limited_total", &[]) >= 17.0;
    assert!(wait_until(Duration::from_secs(3), counted));
}

#[test]
fn access_log_lines_tell_the_exchange() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address).start();
    let body = "12345";
    edge.tls().exchange(format!(
        "POST /echo?token=s3cret HTTP/1.1\r\nHost: localhost\r\nUser-Agent: \"odd\"\\\r\nContent-Length: 5\r\n\r\n{body}"
    ));
    let line = edge.log_line(|line| line["path"] == "/echo");
    assert_eq!(line["client"], "127.0.0.1");
    assert_eq!(line["protocol"], "http/1.1");
    assert_eq!(line["tls"], "TLSv1.3");
    assert_eq!(line["method"], "POST");
    assert_eq!(line["host"], "localhost");
    assert_eq!(line["query"], true);
    assert_eq!(line["status"], 200);
    assert_eq!(line["route"], "/");
    assert_eq!(line["upstream"], "origin");
    assert_eq!(line["server"], demo.address.to_string());
    assert_eq!(
        (&line["bytes_in"], &line["bytes_out"]),
        (&5.into(), &5.into())
    );
    assert_eq!(line["user_agent"], "\"odd\"\\");
    let duration = line["duration_ms"].as_f64().expect("a number");
    assert!(duration > 0.0 && duration < 2000.0, "{line}");
    assert!(
        line["time"]
            .as_str()
            .is_some_and(|time| time.starts_with("20") && time.contains('T')),
        "{line}"
    );
    assert!(
        !line.to_string().contains("s3cret"),
        "queries carry tokens: {line}"
    );

    let mut h2 = H2::connect(edge.https, edge.authority());
    h2.get_within("/bytes?n=7777", Duration::from_secs(3))
        .expect("an answer");
    let line = edge.log_line(|line| line["path"] == "/bytes");
    assert_eq!(
        (&line["protocol"], &line["bytes_out"]),
        (&"h2".into(), &7777.into())
    );

    edge.plain()
        .exchange("GET /x HTTP/1.1\r\nHost: localhost\r\nX-A : b\r\n\r\n");
    edge.log_line(|line| line["status"] == 400);

    let mut gone = edge.plain();
    gone.send("GET /slow?ms=60000 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    std::thread::sleep(Duration::from_millis(100));
    drop(gone);
    let line = edge.log_line(|line| line["path"] == "/slow");
    assert_eq!(line["status"], 499, "{line}");
    assert!(line["error"].is_string(), "{line}");
}

#[test]
fn the_metrics_page_is_sound_and_counts() {
    let _machine = light();
    let demo = Demo::start();
    let edge = Setup::new(demo.address).start();
    for _ in 0..10 {
        edge.tls()
            .exchange("GET /bytes?n=1000 HTTP/1.1\r\nHost: localhost\r\n\r\n");
    }
    let mut h2 = H2::connect(edge.https, edge.authority());
    h2.post("/echo", &[], &[b'x'; 500]);
    let stream = h2.open("/sse");
    // Workers hand their counts over once a second.
    wait_until(Duration::from_secs(5), || {
        let page = edge.metrics();
        page.sum("edge_requests_total", &["status_class=\"2xx\""]) >= 11.0
            && page.sum("edge_streams", &[]) == 1.0
    });
    let page = edge.metrics();
    assert_eq!(
        page.sum("edge_bytes_total", &["direction=\"out\""]),
        10_500.0,
        "{}",
        page.text
    );
    assert_eq!(page.sum("edge_bytes_total", &["direction=\"in\""]), 500.0);
    assert_eq!(
        page.sum(
            "edge_requests_total",
            &["upstream=\"origin\"", "protocol=\"http/1.1\""]
        ),
        10.0
    );
    assert_eq!(page.sum("edge_streams", &[]), 1.0);
    assert!(page.shield_is_off(), "{}", page.text);
    assert_eq!(page.sum("edge_connections", &["protocol=\"h2\""]), 1.0);
    drop(stream);

    let mut promtool = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool is installed (Debian package prometheus)");
    let mut stdin = promtool.stdin.take().expect("it is piped");
    std::io::Write::write_all(&mut stdin, page.text.as_bytes()).expect("promtool reads");
    drop(stdin);
    let verdict = promtool
        .wait_with_output()
        .expect("promtool ends with its input");
    let complaints = String::from_utf8_lossy(&verdict.stderr);
    assert!(
        verdict.status.success() && complaints.is_empty(),
        "{complaints}"
    );
}
