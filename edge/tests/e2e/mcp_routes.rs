//! Routes with `mcp`: what is refused, and how; what is limited, and what is not.

mod early;
mod ended;
mod limits;
mod names;
mod odd;
mod servers;
mod streams;

use std::time::Duration;

use serde_json::Value;

use crate::support::{Demo, Edge, Setup, Upstream, light, rpc, wait_until};

const LIMIT: Duration = Duration::from_secs(3);

const RULES: &str = "
[host.route.mcp]
origins = [\"https://app.example\"]
tools_deny = [\"shell\"]
methods_deny = [\"logging/setLevel\"]
";

/// Header lines, body, expected status, JSON-RPC code and whether the id is known.
type Refused = (&'static [&'static str], &'static str, u16, i64, bool);

const LEGACY: &str = "MCP-Protocol-Version: 2025-06-18";
const MODERN: &str = "MCP-Protocol-Version: 2026-07-28";
const CALL: &str = "Mcp-Method: tools/call";
const SHELL: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"shell"}}"#;
const ADD: &str = r#"{"jsonrpc":"2.0","id":7,"method":"tools/call","params":{"name":"add"}}"#;

const REFUSED: &[Refused] = &[
    (&["Origin: https://evil.example"], ADD, 403, -32003, true),
    (&["Origin: null"], ADD, 403, -32003, true),
    (
        &["Origin: https://app.example", "Origin: https://app.example"],
        ADD,
        403,
        -32003,
        true,
    ),
    (&[], SHELL, 403, -32003, true),
    (&[LEGACY], SHELL, 403, -32003, true),
    (&[MODERN, CALL, "Mcp-Name: shell"], SHELL, 403, -32003, true),
    // Headers that say something harmless do not help.
    (&[LEGACY, CALL, "Mcp-Name: add"], SHELL, 403, -32003, true),
    (&[MODERN, CALL, "Mcp-Name: add"], SHELL, 400, -32020, true),
    (
        &[MODERN, "Mcp-Method: tools/list"],
        SHELL,
        400,
        -32020,
        true,
    ),
    (&[MODERN, CALL], ADD, 400, -32020, true),
    (&[MODERN], ADD, 400, -32020, true),
    (
        &[MODERN, CALL, "Mcp-Name: =?base64?YWRk"],
        ADD,
        400,
        -32020,
        true,
    ),
    (
        &[MODERN, CALL, "Mcp-Name: =?base64?YWR?="],
        ADD,
        400,
        -32020,
        true,
    ),
    (
        &[MODERN, CALL, "Mcp-Name: add", "Mcp-Name: add"],
        ADD,
        400,
        -32020,
        true,
    ),
    (
        &[],
        r#"{"id":7,"method":"logging/setLevel"}"#,
        403,
        -32003,
        true,
    ),
    // Two readings of one body.
    (
        &[],
        r#"{"id":7,"method":"tools/call","params":{"name":"add","name":"shell"}}"#,
        400,
        -32600,
        true,
    ),
    (
        &[],
        r#"{"id":7,"method":"tools/call","params":{"name":"add"},"Params":{"name":"shell"}}"#,
        400,
        -32600,
        true,
    ),
    (
        &[],
        r#"{"id":7,"method":"tools/call","params":{"name":"add"},"param\u017f":{"name":"shell"}}"#,
        400,
        -32600,
        true,
    ),
    (
        &[],
        r#"[{"id":7,"method":"tools/call","params":{"name":"shell"}}]"#,
        400,
        -32600,
        false,
    ),
    (&[], "not json", 400, -32600, false),
    (
        &[],
        r#"{"id":7,"method":"tools/call","params":{"name":"add"}"#,
        400,
        -32600,
        true,
    ),
    (&["Content-Encoding: gzip"], ADD, 415, -32600, true),
    // What a lenient parser might take for JSON: a byte order mark, and UTF-16.
    (
        &[],
        "\u{feff}{\"id\":7,\"method\":\"tools/call\",\"params\":{\"name\":\"add\"}}",
        400,
        -32600,
        false,
    ),
    (
        &[],
        "{\u{0}\"\u{0}i\u{0}d\u{0}\"\u{0}:\u{0}7\u{0}}\u{0}",
        400,
        -32600,
        false,
    ),
    (
        &[],
        r#"{"id":7,"id":8,"method":"tools/call","params":{"name":"add"}}"#,
        400,
        -32600,
        false,
    ),
    (
        &[],
        r#"{"id":7,"method":"tools/call","params":{"name":["shell"]}}"#,
        400,
        -32600,
        true,
    ),
];

fn server() -> Upstream {
    Upstream::ok()
}

fn error_of(edge: &Edge, request: &str) -> (u16, Value, Option<String>) {
    let mut client = edge.plain();
    client.send(request);
    let response = client.response_within(false, LIMIT).expect("an answer");
    let retry_after = response.header("retry-after").map(str::to_owned);
    if response.status < 400 {
        return (response.status, Value::Null, retry_after);
    }
    assert_eq!(
        response.header("content-type"),
        Some("application/json"),
        "{}",
        response.text()
    );
    (response.status, response.json(), retry_after)
}

#[test]
fn what_is_refused_is_refused_in_json_rpc() {
    let _machine = light();
    let upstream = server();
    let edge = Setup::new(upstream.address).route(RULES).start();
    for (number, (headers, body, status, code, knows_id)) in REFUSED.iter().enumerate() {
        let (got, error, _) = error_of(&edge, &rpc("/mcp", headers, body));
        let shown = format!("case {number}: {headers:?} {body}: {got} {error}");
        assert_eq!(got, *status, "{shown}");
        assert_eq!(error["error"]["code"], *code, "{shown}");
        assert_eq!(error["jsonrpc"], "2.0", "{shown}");
        assert_eq!(error["id"] == 7, *knows_id, "{shown}");
    }
    assert_eq!(
        upstream.received(),
        "",
        "nothing of this is the server's to see"
    );

    // Neither another method nor another protocol is a way around.
    for request in [
        rpc("/mcp", &[], SHELL).replacen("POST", "PUT", 1),
        rpc("/.well-known/x", &[], SHELL),
        "GET /mcp HTTP/1.1\r\nHost: localhost\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\
         Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
            .to_owned(),
    ] {
        assert_eq!(error_of(&edge, &request).0, 403, "{request}");
    }
    assert_eq!(upstream.received(), "", "nor is any of this");

    for query in ["x=1&access_token=s3cret", "access%5ftoken=s3cret"] {
        let (status, error, _) = error_of(&edge, &rpc(&format!("/mcp?{query}"), &[], ADD));
        assert_eq!((status, &error["error"]["code"]), (400, &(-32600).into()));
    }
    let line = edge.log_line(|line| line["error"] == "query_token");
    assert!(!line.to_string().contains("s3cret"), "{line}");

    for headers in [
        &[][..],
        &[LEGACY, "Origin: https://app.example"],
        &[MODERN, CALL, "Mcp-Name: add"],
        &[MODERN, CALL, "Mcp-Name: =?base64?YWRk?="],
        // A version that is no date is trusted with nothing, and is the server's to judge.
        &["MCP-Protocol-Version: DRAFT-1"],
    ] {
        let (status, error, _) = error_of(&edge, &rpc("/mcp", headers, ADD));
        assert_eq!(status, 200, "{headers:?} {error}");
    }
    let line = edge.log_line(|line| line["mcp_era"] == "modern" && line["status"] == 200);
    assert_eq!(line["mcp_method"], "tools/call");
    assert_eq!(
        (&line["mcp_tool"], &line["mcp_class"]),
        (&"add".into(), &"call".into())
    );
    let refused = || {
        edge.metrics()
            .sum("edge_mcp_refused_total", &["reason=\"tool_denied\""])
    };
    assert!(
        wait_until(LIMIT, || refused() == 6.0),
        "{}",
        edge.metrics().text
    );
}

/// A body longer than what is looked at passes as it came; where there are rules the rest of it is
/// watched, and a second method at its end is noticed before the server has the whole body.
#[test]
fn long_bodies_pass_unchanged_and_are_watched_to_the_end() {
    let _machine = light();
    let demo = Demo::start();
    let strict = "[host.route.mcp]\nbody_prefix = \"1KiB\"\ntools_deny = [\"shell\"]";
    let [lenient, strict] =
        ["mcp = true", strict].map(|route| Setup::new(demo.address).route(route).start());
    let long = "x".repeat(300_000);
    let body = format!(
        r#"{{"method":"tools/call","params":{{"name":"add","arguments":{{"text":"{long}"}}}},"jsonrpc":"2.0","id":1}}"#
    );
    for edge in [&lenient, &strict] {
        let response = edge.plain().exchange(rpc("/echo", &[], &body));
        assert_eq!(response.status, 200);
        assert!(response.text() == body, "the body is not what was sent");
        let mut client = edge.plain();
        client.send("POST /echo HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
        for piece in [
            "4\r\n{\"me\r\n",
            "10\r\nthod\":\"ping\"    \r\n",
            "1\r\n}\r\n0\r\n\r\n",
        ] {
            std::thread::sleep(Duration::from_millis(50));
            client.send(piece);
        }
        let response = client.response(false);
        assert_eq!(
            (response.status, response.text().as_str()),
            (200, "{\"method\":\"ping\"    }")
        );
    }

    let evil = body.replace(r#""jsonrpc""#, r#""method":"tools/list","jsonrpc""#);
    let mut client = strict.plain();
    // The server echoes what reaches it: never the end.
    let _ = client.try_send(rpc("/echo", &[], &evil).as_bytes());
    let (bytes, _) = client.read_to_end(LIMIT);
    assert!(!String::from_utf8_lossy(&bytes).contains("tools/list"));
    // What cannot be judged by its first bytes is refused before the server sees any.
    let late = format!(
        r#"{{"params":{{"arguments":"{long}","name":"add"}},"method":"tools/call","id":2}}"#
    );
    let (status, error, _) = error_of(&strict, &rpc("/echo", &[], &late));
    assert_eq!((status, &error["error"]["code"]), (400, &(-32600).into()));
    assert_eq!(
        lenient.plain().exchange(rpc("/echo", &[], &evil)).status,
        200,
        "no rules, no watch"
    );
}
