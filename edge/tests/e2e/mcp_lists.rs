//! Lists that a server of the official SDK lets others keep, and that `edge` keeps.

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{
    Answer, Edge, Process, Setup, Upstream, driver, free_port, light, rpc, run_driver, wait_until,
};

const LIMIT: Duration = Duration::from_secs(10);
const ROUTE: &str = "[host.route.mcp]\nlist_cache = \"1m\"";

/// A server made with the official SDK that prints what it is asked.
struct Lists {
    port: u16,
    process: Process,
}

impl Lists {
    fn start() -> Lists {
        let port = free_port();
        let mut process = Process::start(
            "mcp_lists.py",
            driver(2, "mcp_lists.py", &[&port.to_string()]),
        );
        process.wait_for("listening on", Duration::from_secs(40));
        Lists { port, process }
    }

    fn asked(&self, method: &str) -> usize {
        let line = format!("asked {method}");
        self.process
            .stdout()
            .lines()
            .filter(|found| *found == line)
            .count()
    }

    fn edge(&self, route: &str) -> Edge {
        Setup::new(format!("127.0.0.1:{}", self.port))
            .route(route)
            .start()
    }
}

/// A modern request for a list with an id as it is written, and what is put into `params`.
fn list(method: &str, id: &str, params: &str, headers: &[&str]) -> String {
    list_at("/mcp", method, id, params, headers)
}

fn list_at(path: &str, method: &str, id: &str, params: &str, headers: &[&str]) -> String {
    let body = format!(
        r#"{{"jsonrpc":"2.0","id":{id},"method":"{method}","params":{{{params}"_meta":{{"io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{{"name":"e2e","version":"1"}},"io.modelcontextprotocol/clientCapabilities":{{}}}}}}}}"#
    );
    let named = format!("Mcp-Method: {method}");
    let headers = [&["MCP-Protocol-Version: 2026-07-28", &named], headers].concat();
    rpc(path, &headers, &body)
}

/// What the cache did, and the body.
fn ask(edge: &Edge, request: &str) -> (String, String) {
    let response = edge.plain().exchange(request);
    assert_eq!(response.status, 200, "{}", response.text());
    let did = response.header("x-cache").unwrap_or("none").to_owned();
    (did, response.text())
}

#[test]
fn lists_are_kept_for_whom_their_server_says() {
    let _machine = light();
    let server = Lists::start();
    let edge = server.edge(ROUTE);
    let (did, first) = ask(&edge, &list("tools/list", "1", "", &[]));
    assert_eq!(did, "MISS", "{first}");
    let value: Value = serde_json::from_str(&first).expect("JSON");
    assert_eq!(value["result"]["cacheScope"], "public");
    // The answer that is kept, byte for byte, with the id as it was written and the time that is left.
    for id in [
        "2",
        "-7",
        "1.5",
        "\"a\\u00e9 \\\"b\\\"\"",
        "\"\"",
        "9007199254740993",
    ] {
        let (did, body) = ask(&edge, &list("tools/list", id, "", &["User-Agent: other"]));
        assert_eq!(did, "HIT", "{id} {body}");
        let kept: Value = serde_json::from_str(&body).expect("JSON");
        let left = kept["result"]["ttlMs"].as_u64().expect("a number");
        assert!((1..=60_000).contains(&left), "{left}");
        let expected = first
            .replacen("\"id\":1,", &format!("\"id\":{id},"), 1)
            .replacen("\"ttlMs\":60000", &format!("\"ttlMs\":{left}"), 1);
        assert_eq!(body, expected, "{id}");
    }
    assert_eq!(server.asked("tools/list"), 1);
    // What a token is shown is for that token, as long as nobody here knows whether it is good.
    let token = |token: &str| format!("Authorization: Bearer {token}");
    let (a, b) = (token("a"), token("b"));
    let (a, b) = (a.as_str(), b.as_str());
    for (token, expected) in [(a, "MISS"), (b, "MISS"), (a, "HIT"), (b, "HIT")] {
        let (did, _) = ask(&edge, &list("tools/list", "3", "", &[token]));
        assert_eq!(did, expected, "{token}");
    }
    // For who asked alone: whatever differs in what the server is sent is another question.
    for (headers, expected) in [
        (&[a][..], "MISS"),
        (&[a], "HIT"),
        (&[b], "MISS"),
        (&[a, "Cookie: c=1"], "MISS"),
        (&[a, "User-Agent: other"], "MISS"),
        (&[a, "Mcp-Param-Tenant: x"], "MISS"),
        (&[a], "HIT"),
    ] {
        let (did, body) = ask(&edge, &list("prompts/list", "4", "", headers));
        assert_eq!(did, expected, "{headers:?} {body}");
    }
    // Never: a time of nothing, what somebody wants anew, a call, the other era.
    for _ in 0..2 {
        assert_eq!(ask(&edge, &list("resources/list", "5", "", &[])).0, "MISS");
        let anew = list("tools/list", "6", "", &["Cache-Control: no-cache"]);
        assert_eq!(ask(&edge, &anew).0, "BYPASS");
        let retried = list("tools/list", "6", r#""requestState":"x","#, &[]);
        assert_ne!(
            edge.plain().exchange(&retried).header("x-cache"),
            Some("HIT")
        );
    }
    let hits = || {
        edge.metrics()
            .sum("edge_cache_requests_total", &["result=\"HIT\""])
    };
    assert!(wait_until(LIMIT, || hits() == 10.0), "{}", hits());
    let line = edge.log_line(|line| line["cache"] == "HIT");
    assert_eq!(line["mcp_method"], "tools/list", "{line}");
    assert_eq!(line["upstream"], "origin", "{line}");

    // Another cursor is another page.
    let page = list("tools/list", "7", r#""cursor":"x","#, &[]);
    assert_eq!(ask(&edge, &page).0, "MISS");
    // A body that is not what its headers say gets what the server says to that.
    let false_name = list("tools/list", "8", "", &[]).replacen(
        "Mcp-Method: tools/list",
        "Mcp-Method: prompts/list",
        1,
    );
    let refused = edge.plain().exchange(&false_name);
    assert_eq!(
        (refused.status, &refused.json()["error"]["code"]),
        (400, &json!(-32020))
    );
}

/// With the SDK's own client: a change that a listener is told of is a change for everybody.
#[test]
fn a_change_that_passes_ends_what_is_kept() {
    let _machine = light();
    let server = Lists::start();
    let edge = Setup::new(format!("127.0.0.1:{}", server.port))
        .top("workers = 2")
        .route(ROUTE)
        .start();
    let url = format!("http://localhost:{}/mcp", edge.http.port());
    let result = run_driver(
        "lists",
        driver(2, "mcp_lists_client.py", &[&url]),
        Duration::from_secs(60),
    );
    assert_eq!(result["before"], json!(["add", "grow"]));
    assert_eq!(result["again"], result["before"]);
    assert_eq!(result["after"], json!(["add", "grow", "grown"]));
    assert_eq!(result["event"], "ToolsListChanged");
    // The lists of both workers went: nobody gets the old one, whoever answers.
    for id in 0..16 {
        let (_, body) = ask(&edge, &list("tools/list", &id.to_string(), "", &[]));
        assert!(body.contains("grown"), "{body}");
    }
    let hits = || {
        edge.metrics()
            .sum("edge_cache_requests_total", &["result=\"HIT\""])
    };
    assert!(wait_until(LIMIT, || hits() > 0.0), "{}", hits());
}

/// A server may compress although it is asked not to. Nobody knows then what its events say.
#[test]
fn events_that_cannot_be_read_end_what_is_kept() {
    let _machine = light();
    let list =
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[],"ttlMs":60000,"cacheScope":"public"}}"#;
    let answer = |kind: &str, body: &str| {
        let length = body.len();
        format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n{body}")
            .into_bytes()
    };
    let events = "text/event-stream\r\nContent-Encoding: br";
    let upstream = Upstream::start(Answer::Either(
        "/events",
        answer(events, "compressed"),
        answer("application/json", list),
    ));
    let edge = Setup::new(upstream.address).route(ROUTE).start();
    let asked = list_at("/mcp", "tools/list", "1", "", &[]);
    for _ in 0..2 {
        assert_eq!(ask(&edge, &asked).0, "MISS");
        assert_eq!(ask(&edge, &asked).0, "HIT");
        let stream = "GET /events HTTP/1.1\r\nHost: localhost\r\nAccept: text/event-stream\r\n\r\n";
        assert_eq!(edge.plain().exchange(stream).text(), "compressed");
    }
}

/// Of a server that says everything may be kept, only whole lists in JSON are, and no longer than the
/// file says.
#[test]
fn what_is_no_list_in_json_is_not_kept() {
    let _machine = light();
    let result =
        r#"{"jsonrpc":"2.0","id":1,"result":{"tools":[],"ttlMs":60000,"cacheScope":"public"}}"#;
    let json = "application/json";
    let changed = |from: &str, to: &str| result.replace(from, to);
    let answers = [
        ("application/json; charset=utf-8", result.to_owned(), "HIT"),
        ("text/event-stream", format!("data: {result}\n\n"), "MISS"),
        (
            "application/json\r\nSet-Cookie: a=b",
            result.to_owned(),
            "MISS",
        ),
        (
            "application/json\r\nMcp-Session-Id: s",
            result.to_owned(),
            "MISS",
        ),
        (
            "application/json\r\nContent-Encoding: br",
            result.to_owned(),
            "MISS",
        ),
        (
            "application/json\r\nCache-Control: no-store",
            result.to_owned(),
            "MISS",
        ),
        ("application/json\r\nVary: *", result.to_owned(), "MISS"),
        (json, changed("\"id\":1", "\"id\":2"), "MISS"),
        (
            json,
            changed("\"tools\"", "\"resultType\":\"input_required\",\"tools\""),
            "MISS",
        ),
        (json, format!("{result}{result}"), "MISS"),
    ];
    let upstreams = answers.clone().map(|(kind, body, _)| {
        let head = format!(
            "HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}",
            body.len()
        );
        Upstream::start(Answer::Keep(format!("{head}\r\n\r\n{body}").into()))
    });
    let routes: String = upstreams
        .iter()
        .enumerate()
        .map(|(number, upstream)| {
            format!(
                "[[host.route]]\npath = \"/{number}\"\nupstream = \"http://{}\"\n\
                 [host.route.mcp]\nlist_cache = \"3s\"\n",
                upstream.address
            )
        })
        .collect();
    let edge = Setup::new(upstreams[0].address)
        .more_routes(&routes)
        .start();
    for (number, (kind, body, expected)) in answers.iter().enumerate() {
        let request = list_at(&format!("/{number}"), "tools/list", "1", "", &[]);
        assert_eq!(ask(&edge, &request).0, "MISS", "{kind}");
        assert_eq!(ask(&edge, &request).0, *expected, "{kind} {body}");
    }
    // What passes must be readable for notices of changes to be seen.
    let asked = upstreams[0].received();
    assert!(asked.contains("accept-encoding: identity\r\n"), "{asked}");
    // A body in pieces is the same question, and the connection goes on.
    let request = list_at("/0", "tools/list", "1", "", &[]);
    assert_eq!(
        ask(&edge, &list_at("/0", "tools/list", "1", "", &["X-Y: z"])).0,
        "MISS"
    );
    let (head, body) = request.split_at(request.find("\r\n\r\n").expect("a head") + 4);
    let mut client = edge.plain();
    for _ in 0..2 {
        let refreshed = wait_until(LIMIT, || ask(&edge, &request).0 == "MISS");
        assert!(refreshed, "its time is never over");
        client.send(head);
        for piece in body.as_bytes().chunks(50) {
            std::thread::sleep(Duration::from_millis(5));
            client.send(piece);
        }
        let response = client.response(false);
        assert_eq!(response.header("x-cache"), Some("HIT"));
        assert_eq!(response.json()["result"]["tools"], json!([]));
    }
}
