//! What is refused before anything of MCP is looked at: in JSON-RPC as well, for a client that gets a
//! bare 400, 404 or 405 takes the server for an old one.

use serde_json::Value;

use super::LIMIT;
use crate::support::{Answer, Edge, H2, Setup, Upstream, light, rpc, tool_call, wait_until};

/// Status, `Content-Type`, `Retry-After` and the body.
fn ask(edge: &Edge, request: &str) -> (u16, String, Option<String>, String) {
    let mut client = edge.plain();
    client.send(request);
    let response = client.response_within(false, LIMIT).expect("an answer");
    let header = |name: &str| response.header(name).map(str::to_owned);
    (
        response.status,
        header("content-type").unwrap_or_default(),
        header("retry-after"),
        response.text(),
    )
}

/// The id and the code.
fn error(body: &str) -> (Value, Value) {
    let error: Value = serde_json::from_str(body).expect("JSON");
    assert_eq!(error["jsonrpc"], "2.0");
    (error["id"].clone(), error["error"]["code"].clone())
}

#[test]
fn what_is_refused_before_mcp_is_refused_in_json_rpc() {
    let _machine = light();
    let upstream = Upstream::ok();
    let more = format!(
        "[[host.route]]\npath = \"/denied\"\nupstream = \"http://{0}\"\nmcp = true\ndeny = [\"127.0.0.0/8\"]\n\
         [[host.route]]\npath = \"/plain\"\nupstream = \"http://{0}\"\nmax_body = \"1KiB\"\n",
        upstream.address
    );
    let edge = Setup::new(upstream.address)
        .section("timeouts", "body = \"1s\"")
        .route("mcp = true\nmax_body = \"1KiB\"")
        .more_routes(&more)
        .start();
    let long = format!(r#"{{"id":1,"method":"ping","x":"{}"}}"#, "x".repeat(2000));
    let chunked = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n{:x}\r\n{long}\r\n0\r\n\r\n",
        long.len()
    );
    let opening =
        "GET /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n";
    let started =
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99\r\n\r\n{\"id\":\"a\",";
    for (request, status, id, code) in [
        (rpc("/mcp", &[], &long), 413, Value::Null, -32600),
        // Some of it was read before it became too long, or too late.
        (chunked, 413, 1.into(), -32600),
        (started.to_owned(), 408, "a".into(), -32600),
        (opening.to_owned(), 400, Value::Null, -32600),
        (
            rpc("/mcp", &[], "{}").replacen("POST", "TRACE", 1),
            501,
            Value::Null,
            -32004,
        ),
        (
            rpc("/denied", &[], &tool_call(1, "add")),
            403,
            Value::Null,
            -32003,
        ),
    ] {
        let (got, kind, _, body) = ask(&edge, &request);
        assert_eq!((got, kind.as_str()), (status, "application/json"), "{body}");
        assert_eq!(error(&body), (id, code.into()), "{body}");
    }
    // Other routes are for people.
    let (status, kind, _, body) = ask(&edge, &rpc("/plain", &[], &long));
    assert_eq!(
        (status, kind.as_str()),
        (413, "text/plain; charset=utf-8"),
        "{body}"
    );
    assert_eq!(ask(&edge, &rpc("/mcp", &[], &tool_call(1, "add"))).0, 200);
    // What cannot be read may be of either; where there are no other routes it is of a client of MCP.
    let unreadable = "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Length: x\r\n\r\n";
    let (status, kind, ..) = ask(&edge, unreadable);
    assert_eq!((status, kind.as_str()), (400, "text/plain; charset=utf-8"));
    let edge = Setup::new(upstream.address).route("mcp = true").start();
    let (status, kind, _, body) = ask(&edge, unreadable);
    assert_eq!((status, kind.as_str()), (400, "application/json"), "{body}");
    assert_eq!(error(&body), (Value::Null, (-32600).into()));
    let mut h2 = H2::connect(edge.https, edge.authority());
    let fields: Vec<_> = (0..300).map(|_| ("x", "y")).collect();
    let response = h2.post("/mcp", &fields, b"{}");
    let kind = response.header("content-type").map(str::to_owned);
    assert_eq!(
        (response.status, kind.as_deref()),
        (431, Some("application/json"))
    );
    assert_eq!(error(&response.text()), (Value::Null, (-32600).into()));
}

#[test]
fn the_limit_per_address_says_in_json_rpc_when_to_come_back() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .section("limit", "requests = \"1/h\"\nburst = 1")
        .route("mcp = true")
        .start();
    let call = rpc("/mcp", &[], &tool_call(1, "add"));
    assert_eq!(ask(&edge, &call).0, 200);
    let (status, kind, retry_after, body) = ask(&edge, &call);
    assert_eq!((status, kind.as_str()), (429, "application/json"), "{body}");
    assert_eq!(error(&body), (Value::Null, (-32005).into()));
    let error: Value = serde_json::from_str(&body).expect("JSON");
    let seconds = error["error"]["data"]["retryAfterSeconds"].to_string();
    assert_eq!(Some(seconds), retry_after, "{body}");
}

/// What clients that are refused for a while are told: which status, and when to come back.
#[test]
fn what_passes_by_itself_says_in_json_rpc_when_to_come_back() {
    let _machine = light();
    let silent = Upstream::start(Answer::Hold(Vec::new()));
    let full = format!(
        "servers = [\"{}\"]\nmax_connections = 1\nqueue_timeout = \"50ms\"",
        silent.address
    );
    let shut = format!(
        "[[host]]\nnames = [\"shut.localhost\"]\nmaintenance = true\n\
         [[host.route]]\nupstream = \"http://{}\"\nmcp = true\n",
        silent.address
    );
    let edge = Setup::new(silent.address)
        .upstream(&full)
        .route("mcp = true")
        .hosts(&shut)
        .start();
    let legacy = rpc("/mcp", &[], &tool_call(1, "add"));
    let modern = [
        "MCP-Protocol-Version: 2026-07-28",
        "Mcp-Method: tools/call",
        "Mcp-Name: add",
    ];
    let modern = rpc("/mcp", &modern, &tool_call(1, "add"));
    let mut first = edge.plain();
    first.send(&legacy);
    assert!(wait_until(LIMIT, || silent.received().contains("add")));
    for call in [legacy, modern] {
        let there = call.replacen("localhost:80", "shut.localhost", 1);
        // Behind a closed door nobody looks into what is asked.
        for (request, id, seconds) in [(call, 1.into(), "1"), (there, Value::Null, "300")] {
            let (status, kind, retry_after, body) = ask(&edge, &request);
            assert_eq!((status, kind.as_str()), (503, "application/json"), "{body}");
            assert_eq!(retry_after.as_deref(), Some(seconds), "{body}");
            assert_eq!(error(&body), (id, (-32004).into()), "{body}");
            assert!(
                body.contains(&format!(r#""retryAfterSeconds":{seconds}}}"#)),
                "{body}"
            );
        }
    }
    edge.log_line(|line| line["error"] == "upstream_full" && line["status"] == 503);
}
