//! What is limited by method, tool and parameter, and what is not.

use std::time::Duration;

use serde_json::Value;

use super::{LEGACY, MODERN, error_of, server};
use crate::support::{Answer, Setup, Upstream, light, modern, rpc, tool_call};

pub(super) const LIMITS: &str = "
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

/// A server of old does not compare headers with bodies: what says that it listens and calls a tool
/// instead is counted as a call, also by the limit per address.
#[test]
fn a_call_that_says_it_is_a_stream_is_counted_as_a_call() {
    let _machine = light();
    let upstream = Upstream::ok();
    let calls = "[host.route.mcp.limit]\ncalls = \"1/h\"\ncalls_burst = 2\nopens = \"100/s\"";
    let listens = [MODERN, "Mcp-Method: subscriptions/listen"];
    let listen = r#"{"jsonrpc":"2.0","id":1,"method":"subscriptions/listen","params":{}}"#;
    let twice = listen.replace("}}", r#"},"method":"tools/call"}"#);
    let far = listen.replace("{}", &format!("{{\"a\":\"{}\"}}", "a".repeat(70_000)));
    for body in [&tool_call(1, "add"), &twice, &far, "", "[]"] {
        let edge = Setup::new(upstream.address).route(calls).start();
        let ask = |body: &str| error_of(&edge, &rpc("/mcp", &listens, body)).0;
        for _ in 0..10 {
            assert_eq!(ask(listen), 200);
        }
        let answers: Vec<u16> = (0..3).map(|_| ask(body)).collect();
        assert_eq!(
            answers.last(),
            Some(if body == "[]" { &400 } else { &429 }),
            "{body}"
        );
    }
    let edge = Setup::new(upstream.address)
        .section("limit", "requests = \"1/h\"\nburst = 1")
        .route("mcp = true")
        .start();
    let ask = |body: &str| error_of(&edge, &rpc("/mcp", &listens, body));
    let lie = tool_call(5, "add");
    assert_eq!([listen, listen, &lie].map(|body| ask(body).0), [200; 3]);
    let (status, error, retry_after) = ask(&lie);
    assert_eq!((status, &error["id"]), (429, &5.into()), "{error}");
    assert!(retry_after.is_some());
    assert_eq!(ask(listen).0, 200);
    let packed = [&listens[..], &["Content-Encoding: gzip"]].concat();
    assert_eq!(error_of(&edge, &rpc("/mcp", &packed, listen)).0, 415);
}

/// Browsers ask whether they may ask before each call, and show no token with it.
#[test]
fn preflights_are_not_counted_as_calls() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .route("[host.route.mcp.limit]\nkey = \"token\"\ncalls = \"1/h\"\ncalls_burst = 1")
        .start();
    let mut client = edge.plain();
    let mut ask = |method: &str, fields: &str| {
        let request = format!("{method} /mcp HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        client.exchange(request).status
    };
    let preflight = "Origin: https://app.example\r\nAccess-Control-Request-Method: POST\r\n";
    for _ in 0..5 {
        assert_eq!(ask("OPTIONS", preflight), 200);
    }
    assert_eq!([ask("OPTIONS", ""), ask("OPTIONS", "")], [200, 429]);
    assert_eq!(ask("OPTIONS", preflight), 200);
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
