//! WebSocket through `edge`: with libraries at both ends, and byte by byte where it could go wrong.

mod leaving;
mod limits;
mod openings;
mod raw;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Edge, Setup, WebSocketServer, light, peer, run_driver};

fn start() -> (WebSocketServer, Edge) {
    let server = WebSocketServer::start();
    let edge = Setup::new(server.address).start();
    (server, edge)
}

/// Runs a driver that trusts the edge's certificate.
fn run(edge: &Edge, script: &str, argument: &str) -> Value {
    let mut command = peer(script, &[argument]);
    command.env("SSL_CERT_FILE", edge.file("ca.pem"));
    run_driver(script, command, Duration::from_secs(60))
}

#[test]
fn a_library_at_both_ends() {
    let _machine = light();
    let (_server, edge) = start();
    for url in [
        format!("wss://localhost:{}", edge.https.port()),
        format!("ws://localhost:{}", edge.http.port()),
    ] {
        let seen = run(&edge, "ws_client.py", &url);
        let expected = json!({
            "subprotocol": "mcp",
            "text": "grüße",
            "mebibyte": true,
            "ten": true,
            "client_close": { "code": 3001, "reason": "done here" },
            "server_close": { "code": 4001, "reason": "enough" },
            "pushed": 400 * 65_536,
            "refused": 403,
        });
        for (key, value) in expected.as_object().expect("an object") {
            assert_eq!(&seen[key], value, "{key} over {url}");
        }
        let extensions = seen["extensions"].as_str().expect("text");
        assert!(extensions.contains("permessage-deflate"), "{extensions}");
        assert!(seen["ping_ms"].as_f64().expect("a number") < 1000.0);
        let fields: Vec<(String, String)> =
            serde_json::from_value(seen["headers"].clone()).expect("pairs");
        let value = |name: &str| {
            let mut values = fields.iter().filter(|(n, _)| n.eq_ignore_ascii_case(name));
            let (first, second) = (values.next(), values.next());
            assert!(second.is_none(), "{name} comes twice");
            first.map(|(_, value)| value.as_str())
        };
        assert_eq!(value("connection"), Some("upgrade"));
        assert_eq!(value("upgrade"), Some("websocket"));
        assert_eq!(value("x-forwarded-for"), Some("127.0.0.1"));
    }
    let line = edge.log_line(|line| line["path"] == "/push");
    assert_eq!(line["status"], 101);
    assert!(line["bytes_out"].as_u64().expect("a number") > 400 * 65_536);
}

#[test]
fn over_http2() {
    let _machine = light();
    let (_server, edge) = start();
    let seen = run(&edge, "ws_h2.py", &edge.https.port().to_string());
    assert!(seen["ping_ms"].as_f64().expect("a number") < 1000.0);
    let expected = json!({
        "status": "200",
        "subprotocol": "mcp",
        "accept": null,
        "mebibyte": true,
        "pong": true,
        "server_close": [8, [4001, "enough"]],
        "server_end": "StreamEnded",
        "close_echoed": true,
        "end": "StreamEnded",
        "client_close": { "code": 3001, "reason": "done here" },
        "refused": "403",
        "plain_connect": "501",
    });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&seen[key], value, "{key}");
    }
    let line = edge.log_line(|line| line["path"] == "/echo");
    assert_eq!(line["status"], 200);
    assert!(line["bytes_in"].as_u64().expect("a number") > 1 << 20);
}

#[test]
fn over_http3() {
    let _machine = light();
    let (_server, edge) = start();
    let ca = edge.file("ca.pem").display().to_string();
    let command = peer("ws_h3.py", &[&edge.url(), &ca]);
    let seen = run_driver("ws_h3.py", command, Duration::from_secs(60));
    assert!(seen["ping_ms"].as_f64().expect("a number") < 1000.0);
    let expected = json!({
        "offered": 1,
        "status": 200,
        "subprotocol": "mcp",
        "accept": null,
        "mebibyte": true,
        "pong": true,
        "server_close": [8, [4001, "enough"]],
        "server_end": null,
        "close_echoed": true,
        "end": null,
        "client_close": { "code": 3001, "reason": "done here" },
        "refused": 403,
        "plain_connect": 501,
        "other_protocol": 501,
        // H3_REQUEST_CANCELLED (RFC 9220 §3), and H3_FRAME_UNEXPECTED (RFC 9114 §4.4).
        "server_reset": 0x10c,
        "trailers": 0x105,
    });
    for (key, value) in expected.as_object().expect("an object") {
        assert_eq!(&seen[key], value, "{key} in {seen}");
    }
    assert_ne!(seen["after_reset"]["code"], 3001, "{seen}");
    let line = edge.log_line(|line| line["path"] == "/echo" && line["protocol"] == "h3");
    assert_eq!(line["status"], 200);
}
