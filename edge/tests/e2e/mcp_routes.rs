//! Routes with `mcp`: what is refused, and how; what is limited, and what is not.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{
    Answer, Demo, Edge, Setup, Upstream, light, modern, rpc, tool_call, wait_until,
};

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

    let token = rpc("/mcp?x=1&access_token=s3cret", &[], ADD);
    let (status, error, _) = error_of(&edge, &token);
    assert_eq!((status, &error["error"]["code"]), (400, &(-32600).into()));
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

const LIMITS: &str = "
[host.route.mcp.limit]
calls = \"50/s\"
calls_burst = 100
streams = 3
opens = \"1/s\"
opens_burst = 5
[[host.route.mcp.tool]]
name = \"search\"
calls = \"5/s\"
calls_burst = 5
[[host.route.mcp.tool]]
name = \"heavy\"
cost = 60
";

#[test]
fn a_tool_is_limited_and_the_others_are_not() {
    let _machine = light();
    let upstream = server();
    let edge = Setup::new(upstream.address).route(LIMITS).start();
    for era in ["legacy", "modern"] {
        let call = |tool: &str, id| {
            let headers = match era {
                "modern" => modern(tool).to_vec(),
                _ => Vec::new(),
            };
            let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
            error_of(&edge, &rpc("/mcp", &headers, &tool_call(id, tool)))
        };
        // The other era called it too.
        std::thread::sleep(Duration::from_millis(1100));
        let began = std::time::Instant::now();
        let mut answers: Vec<(u16, Value, Option<String>)> = Vec::new();
        let is_admitted = |answer: &&(u16, Value, Option<String>)| answer.0 == 200;
        // A loaded machine may be slow enough for more than a burst.
        while answers.len() < 100 && answers.iter().all(|answer| is_admitted(&answer)) {
            answers.push(call("search", answers.len() as u64));
        }
        let admitted = answers.iter().filter(is_admitted).count();
        // Five at once, and one more every fifth of a second that has passed.
        let most = 6 + (began.elapsed().as_secs_f64() * 5.0) as usize;
        assert!((5..=most).contains(&admitted), "{era}: {admitted}");
        let refused = answers
            .iter()
            .position(|(status, ..)| *status != 200)
            .expect("some are");
        let (status, error, retry_after) = &answers[refused];
        assert_eq!(
            (*status, retry_after.as_deref()),
            (429, Some("1")),
            "{error}"
        );
        assert_eq!(error["error"]["code"], -32005);
        assert_eq!(error["error"]["data"]["retryAfterSeconds"], 1);
        assert_eq!(error["id"], refused, "the id of the request, in either era");
        for id in 0..20 {
            assert_eq!(call("add", id).0, 200, "{era}: another tool");
        }
        std::thread::sleep(Duration::from_millis(1100));
        assert_eq!(call("search", 9).0, 200, "{era}: after the time it named");
    }
    // Weighed: two heavy ones are more than the burst of a hundred, and come back slowly.
    let began = std::time::Instant::now();
    let heavy = |_: &u64| error_of(&edge, &rpc("/mcp", &[], &tool_call(1, "heavy"))).0 == 200;
    let admitted = (0..20).take_while(heavy).count();
    let most = 1 + ((100.0 + 50.0 * began.elapsed().as_secs_f64()) / 60.0) as usize;
    assert!((1..=most).contains(&admitted), "{admitted} heavy calls");
    let page = edge.metrics();
    assert!(page.sum("edge_mcp_tool_calls_total", &["tool=\"add\"", "2xx"]) >= 20.0);
    let limited = page.sum("edge_mcp_refused_total", &["reason=\"limited\""]);
    assert_eq!(limited, page.sum("edge_limited_total", &[]));
}

const STREAM: &str = "GET /mcp HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";

fn events(first: &str) -> Answer {
    let head = "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked";
    Answer::Hold(format!("{head}\r\n\r\n{:x}\r\n{first}\r\n", first.len()).into())
}

#[test]
fn streams_have_limits_of_their_own() {
    let _machine = light();
    let upstream = Upstream::start(events("data: 1\n\n"));
    let limit = "requests = \"1/h\"\nburst = 1\n[limit.penalty]\nrefused = 1";
    let edge = Setup::new(upstream.address)
        .route(LIMITS)
        .section("limit", limit)
        .start();
    // A client that comes back with all its streams is no flood of calls, and is not punished.
    let mut open = Vec::new();
    for _ in 0..3 {
        let mut client = edge.plain();
        client.send(STREAM);
        client.read_until("data: 1", LIMIT);
        open.push(client);
    }
    let (status, error, retry_after) = error_of(&edge, STREAM);
    assert_eq!(
        (status, &error["error"]["code"]),
        (429, &(-32005).into()),
        "three are open"
    );
    assert!(retry_after.is_some());
    drop(open.pop());
    let reopened = wait_until(LIMIT, || {
        let mut client = edge.plain();
        client.send(STREAM);
        let status = client
            .response_within(true, LIMIT)
            .expect("an answer")
            .status;
        if status == 200 {
            open.push(client);
        }
        status == 200 || edge.metrics().sum("edge_streams", &[]) < 3.0
    });
    assert!(reopened);
    drop(open);
    // By now the five openings are used up, whatever is open.
    assert!(wait_until(LIMIT, || edge
        .metrics()
        .sum("edge_streams", &[])
        == 0.0));
    let statuses: Vec<u16> = (0..4).map(|_| error_of_stream(&edge)).collect();
    assert!(statuses.contains(&429), "{statuses:?}");
    assert_eq!(edge.metrics().sum("edge_bans_total", &[]), 0.0);
}

fn error_of_stream(edge: &Edge) -> u16 {
    let mut client = edge.plain();
    client.send(STREAM);
    client
        .response_within(true, LIMIT)
        .expect("an answer")
        .status
}

#[test]
fn a_drained_stream_is_told_when_to_come_back() {
    let _machine = light();
    let whole = Upstream::start(events("data: 1\n\n"));
    let half = Upstream::start(events("data: 1\n\ndata: 2"));
    let routes = format!(
        "[[host.route]]\npath = \"/half\"\nupstream = \"http://{}\"\nmcp = true\n",
        half.address
    );
    let edge = Setup::new(whole.address)
        .route("mcp = true")
        .more_routes(&routes)
        .start();
    let mut streams = ["/mcp", "/half"].map(|path| {
        let mut client = edge.plain();
        client.send(STREAM.replace("/mcp", path));
        client.read_until("data: 1", LIMIT);
        client
    });
    edge.process.signal(Signal::SIGTERM);
    let [whole, half] = streams.each_mut().map(|client| {
        let (bytes, _) = client.read_to_end(Duration::from_secs(5));
        String::from_utf8(bytes).expect("text")
    });
    let hint = whole.split_once("retry: ").expect(&whole).1;
    let delay: u64 = hint[..4].parse().expect("milliseconds");
    assert!((1000..2000).contains(&delay), "{whole}");
    assert!(whole.ends_with("\r\n0\r\n\r\n"), "a clean end: {whole}");
    assert!(!half.contains("retry"), "never inside an event: {half}");
}

/// Whoever is over the limit can still find out where to get a token, and is limited there gently.
#[test]
fn discovery_has_a_limit_of_its_own() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .section(
            "limit",
            "requests = \"1/h\"\nburst = 3\npenalty = { refused = 1000 }",
        )
        .route("mcp = true")
        .start();
    let mut client = edge.plain();
    let mut get = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        client.exchange(request).status
    };
    let found = |paths: &[u16]| paths.iter().filter(|&&status| status == 200).count();
    let answers: Vec<u16> = (0..10).map(|_| get("/")).collect();
    assert_eq!(found(&answers), 3, "{answers:?}");
    let answers: Vec<u16> = (0..150).map(|_| get("/.well-known/x")).collect();
    assert_eq!(found(&answers), 150);
    let answers: Vec<u16> = (0..400).map(|_| get("/.well-known/x")).collect();
    assert!(answers.contains(&429), "there is no limit");
}

/// Limits of a method, whoever calls it, whatever for; the others have none.
#[test]
fn a_method_is_limited_and_the_others_are_not() {
    let _machine = light();
    let upstream = server();
    let route = "[[host.route.mcp.method]]\nname = \"resources/*\"\ncalls = \"1/h\"\ncalls_burst = 2\nkey = \"everybody\"\n\
                 [[host.route.mcp.method]]\nname = \"subscriptions/listen\"\ncalls = \"1/h\"\ncalls_burst = 1";
    let edge = Setup::new(upstream.address).route(route).start();
    let ask = |method: &str, modern: bool| {
        let body =
            format!(r#"{{"jsonrpc":"2.0","id":3,"method":"{method}","params":{{"uri":"u"}}}}"#);
        let mut headers = Vec::new();
        let named = format!("Mcp-Method: {method}");
        if modern {
            headers.extend([MODERN, &named, "Mcp-Name: u"]);
        }
        error_of(&edge, &rpc("/mcp", &headers, &body)).0
    };
    // Each method has a count of its own, in both eras together.
    assert_eq!(
        [ask("resources/read", true), ask("resources/read", false)],
        [200, 200]
    );
    assert_eq!(
        [ask("resources/read", true), ask("resources/read", false)],
        [429, 429]
    );
    assert_eq!(
        [ask("resources/list", false), ask("resources/list", false)],
        [200, 200]
    );
    assert_eq!(ask("resources/list", false), 429);
    assert_eq!(
        [
            ask("subscriptions/listen", true),
            ask("subscriptions/listen", true)
        ],
        [200, 429]
    );
    for _ in 0..5 {
        assert_eq!(ask("tools/list", false), 200);
    }
}

/// A tenant is who its parameter says, in whichever form it is sent.
#[test]
fn parameters_choose_routes_and_limits() {
    let _machine = light();
    let upstream = Upstream::ok();
    let eu = Upstream::start(Answer::Keep(
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\neu".to_vec(),
    ));
    let more = format!(
        "[[host.route]]\nheaders = [\"Mcp-Param-Region: eu\"]\nupstream = \"http://{}\"\nmcp = true\n",
        eu.address
    );
    let edge = Setup::new(upstream.address)
        .route("[host.route.mcp.limit]\nkey = \"param:Tenant\"\ncalls = \"1/h\"\ncalls_burst = 2")
        .more_routes(&more)
        .start();
    let ask = |line: &str| {
        let mut lines = modern("add").to_vec();
        lines.push(line.to_owned());
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let response = edge
            .plain()
            .exchange(rpc("/mcp", &lines, &tool_call(1, "add")));
        (response.status, response.text())
    };
    for (line, answer) in [
        ("Mcp-Param-Region: eu", "eu"),
        ("mcp-param-region: =?base64?ZXU=?=", "eu"),
        ("Mcp-Param-Region: us", "ok"),
        ("Mcp-Param-Region: =?base64?ZXU?=", "ok"),
    ] {
        let tenant = format!("{line}\r\nMcp-Param-Tenant: {answer}{}", line.len());
        assert_eq!(ask(&tenant), (200, answer.to_owned()), "{line}");
    }
    let acme = [
        "Mcp-Param-Tenant: acme",
        "Mcp-Param-Tenant: =?base64?YWNtZQ==?=",
    ];
    assert_eq!(ask(acme[0]).0, 200);
    assert_eq!(ask(acme[1]).0, 200);
    assert_eq!((ask(acme[0]).0, ask(acme[1]).0), (429, 429));
    assert_eq!(ask("Mcp-Param-Tenant: other").0, 200);
    // What no server holds against the body decides nothing here: neither a limit nor a route.
    for line in [
        "Mcp-Param-Tenant: a\r\nMcp-Param-Tenant: b",
        "Mcp-Param-Tenant: =?base64?YWNtZQ=?=",
        "Mcp-Param-Tenant: caf\u{e9}",
    ] {
        let (status, body) = ask(line);
        assert_eq!(status, 400, "{line}");
        assert!(body.contains("-32020"), "{line} {body}");
    }
    for (lines, status) in [
        (&["Mcp-Param-Tenant: other"][..], 400),
        (&["Mcp-Param-Region: eu"], 400),
        (&[LEGACY, "Mcp-Param-Tenant: other"], 400),
        (&[LEGACY, "Mcp-Param-Region: eu"], 400),
        (&["Mcp-Param-Region: us"], 200),
        (&[LEGACY, "Mcp-Param-Other: x"], 200),
    ] {
        let request = rpc("/mcp", lines, &tool_call(1, "add"));
        assert_eq!(error_of(&edge, &request).0, status, "{lines:?}");
    }
}
