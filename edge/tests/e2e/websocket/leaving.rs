//! What both sides are told when `edge` ends a WebSocket that they would have kept.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use super::run;
use crate::support::{Edge, Process, Setup, WebSocketServer, light, peer, run_driver};

const LIMIT: Duration = Duration::from_secs(30);

fn start(keys: &str) -> (WebSocketServer, Edge) {
    let server = WebSocketServer::start();
    let edge = Setup::new(server.address)
        .section("timeouts", &format!("drain = \"1s\"\n{keys}"))
        .start();
    (server, edge)
}

/// How the last client of `/echo` left, as the server saw it.
fn told_server(server: &WebSocketServer) -> Value {
    let url = format!("ws://{}", server.address);
    run_driver("ws_last.py", peer("ws_last.py", &[&url]), LIMIT)
}

#[test]
fn at_their_limits_both_sides_hear_a_close_over_every_protocol() {
    let _machine = light();
    for (keys, reason, word) in [
        (
            "websocket_idle = \"500ms\"",
            "idle for too long",
            "websocket_idle",
        ),
        (
            "websocket_age = \"700ms\"",
            "open for too long",
            "websocket_age",
        ),
    ] {
        let (server, edge) = start(keys);
        let secure = format!("wss://localhost:{}", edge.https.port());
        let plain = format!("ws://localhost:{}", edge.http.port());
        let expected = json!({ "code": 1001, "reason": reason });
        for url in [secure, plain] {
            assert_eq!(run(&edge, "ws_left.py", &url), expected, "{url}");
            assert_eq!(told_server(&server), expected, "{url}");
        }
        let mut command = peer("ws_h2.py", &[&edge.https.port().to_string(), "left"]);
        command.env("SSL_CERT_FILE", edge.file("ca.pem"));
        let seen = run_driver("ws_h2.py", command, LIMIT);
        assert_eq!(
            seen,
            json!({ "close": [8, [1001, reason]], "end": "StreamEnded" })
        );
        assert_eq!(told_server(&server), expected, "over HTTP/2");
        let ca = edge.file("ca.pem").display().to_string();
        let command = peer("ws_h3.py", &[&edge.url(), &ca, "left"]);
        let seen = run_driver("ws_h3.py", command, LIMIT);
        assert_eq!(seen, json!({ "close": [8, [1001, reason]], "end": null }));
        assert_eq!(told_server(&server), expected, "over HTTP/3");
        edge.log_line(|line| line["error"] == word && line["protocol"] == "h3");
    }
}

#[test]
fn between_two_frames_of_a_message_too() {
    let _machine = light();
    let (server, edge) = start("websocket_idle = \"500ms\"");
    let url = format!("ws://localhost:{}", edge.http.port());
    let command = peer("ws_left.py", &[&url, "/echo", "fragment"]);
    let expected = json!({ "code": 1001, "reason": "idle for too long" });
    assert_eq!(run_driver("ws_left.py", command, LIMIT), expected);
    assert_eq!(told_server(&server), expected);
}

#[test]
fn in_a_drain_they_hear_it_at_the_end_of_its_patience() {
    let _machine = light();
    let (server, mut edge) = start("");
    let url = format!("ws://localhost:{}", edge.http.port());
    let mut client = Process::start("ws_left.py", peer("ws_left.py", &[&url]));
    client.wait_for("open", LIMIT);
    edge.process.signal(Signal::SIGTERM);
    let (code, stdout, stderr) = client.finish(LIMIT);
    assert_eq!(code, 0, "{stderr}");
    let told: Value = serde_json::from_str(&stdout).expect("JSON");
    let expected = json!({ "code": 1001, "reason": "going away" });
    assert_eq!(told, expected);
    assert_eq!(told_server(&server), expected);
    assert!(edge.process.wait(LIMIT).success());
}
