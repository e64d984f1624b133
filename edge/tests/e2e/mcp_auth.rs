//! Tokens of a real authorization server, on a route that asks for them.

use std::time::Duration;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{Issuer, Setup, Upstream, free_port, light, rpc, tool_call, wait_until};

const LIMIT: Duration = Duration::from_secs(5);
const RESOURCE: &str = "https://mcp.example.com/mcp";
const METADATA: &str = "https://mcp.example.com/.well-known/oauth-protected-resource/mcp";

#[test]
fn tokens_are_asked_for_checked_and_their_scopes_heeded() {
    let _machine = light();
    let issuer = Issuer::start();
    let upstream = Upstream::ok();
    let route = format!(
        "[host.route.mcp]\nhealth = \"/health\"\n[host.route.jwt]\nissuer = \"{}\"\n\
         resource = \"{RESOURCE}\"\nscopes = [\"mcp\"]\n\
         [[host.route.mcp.tool]]\nname = \"search\"\nscopes = [\"mcp:search\"]",
        issuer.url()
    );
    let edge = Setup::new(upstream.address).route(&route).start();
    let ask = |authorization: &[&str], tool: &str| {
        let response = edge
            .plain()
            .exchange(rpc("/mcp", authorization, &tool_call(7, tool)));
        let challenge = response
            .header("www-authenticate")
            .unwrap_or_default()
            .to_owned();
        if response.status != 200 {
            assert_eq!(response.json()["id"], 7, "{}", response.text());
            assert!(response.json()["error"]["code"].is_number());
        }
        (response.status, challenge)
    };
    let with = |token: &str, tool: &str| ask(&[&format!("Authorization: Bearer {token}")], tool);

    let whole = format!("Bearer resource_metadata=\"{METADATA}\", scope=\"mcp\"");
    assert_eq!(ask(&[], "add"), (401, whole));
    let invalid =
        format!("Bearer error=\"invalid_token\", resource_metadata=\"{METADATA}\", scope=\"mcp\"");
    assert_eq!(with("nonsense", "add"), (401, invalid.clone()));
    assert_eq!(
        ask(&["Authorization: Basic YTpi"], "add"),
        (401, invalid.clone())
    );

    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
    for path in [
        "/.well-known/oauth-protected-resource/mcp",
        "/.well-known/oauth-protected-resource",
    ] {
        let response = edge.plain().exchange(get(path));
        assert_eq!(response.status, 200, "{path}");
        let document: Value = response.json();
        assert_eq!(document["resource"], RESOURCE);
        assert_eq!(
            document["authorization_servers"],
            serde_json::json!([issuer.url()])
        );
    }
    assert_eq!(
        edge.plain().exchange(get("/health")).status,
        200,
        "health is open"
    );
    assert!(!upstream.received().contains("POST"));

    // The keys come a moment after the start.
    let good = issuer.token(RESOURCE, "mcp");
    assert!(wait_until(LIMIT, || with(&good, "add").0 == 200));
    assert!(
        upstream.received().contains(&good),
        "the server may want to read it too"
    );
    assert_eq!(
        ask(&[&format!("authorization: bearer {good}")], "add").0,
        200
    );
    let twice = format!("Authorization: Bearer {good}");
    assert_eq!(ask(&[&twice, &twice], "add").0, 401);
    let cut = &good[..good.len() - 4];
    assert_eq!(with(cut, "add"), (401, invalid.clone()));
    let elsewhere = issuer.token("https://other.example/mcp", "mcp");
    assert_eq!(with(&elsewhere, "add"), (401, invalid));
    let scopeless = issuer.token(RESOURCE, "mcp:search");
    let (status, challenge) = with(&scopeless, "add");
    assert_eq!(status, 403);
    assert!(
        challenge.contains("error=\"insufficient_scope\"") && challenge.contains("scope=\"mcp\""),
        "{challenge}"
    );
    let (status, challenge) = with(&good, "search");
    assert_eq!(status, 403);
    assert!(
        challenge.contains("scope=\"mcp mcp:search\""),
        "{challenge}"
    );
    let searching = issuer.token(RESOURCE, "mcp mcp:search");
    assert_eq!(with(&searching, "search").0, 200);

    // A reload keeps the keys: nobody is refused while they are fetched.
    edge.process.signal(Signal::SIGHUP);
    for _ in 0..50 {
        assert_eq!(with(&good, "add").0, 200);
        std::thread::sleep(Duration::from_millis(10));
    }
    edge.log_line(|line| line["status"] == 401 && line["error"] == "token");
    let log = std::fs::read_to_string(edge.file("access.log")).expect("a log");
    assert!(!log.contains(&good) && !log.contains("Bearer"));
}

/// Scopes of methods, of tools, and of a tool within a method: what is missing is told at once.
#[test]
fn scopes_of_methods_and_of_tools() {
    let _machine = light();
    let issuer = Issuer::start();
    let upstream = Upstream::ok();
    let route = format!(
        "[host.route.jwt]\nissuer = \"{}\"\nresource = \"{RESOURCE}\"\nscopes = [\"mcp\"]\n\
         [[host.route.mcp.method]]\nname = \"tools/call\"\nscopes = [\"mcp:call\"]\n\
         [[host.route.mcp.method]]\nname = \"resources/*\"\nscopes = [\"mcp:read\"]\n\
         [[host.route.mcp.tool]]\nname = \"search\"\nscopes = [\"mcp:search\"]",
        issuer.url()
    );
    let edge = Setup::new(upstream.address).route(&route).start();
    let ask = |token: &str, method: &str, name: &str, modern: bool| {
        let body = match name {
            "" => format!(r#"{{"jsonrpc":"2.0","id":7,"method":"{method}"}}"#),
            name => format!(
                r#"{{"jsonrpc":"2.0","id":7,"method":"{method}","params":{{"name":"{name}","uri":"{name}"}}}}"#
            ),
        };
        let mut headers = vec![format!("Authorization: Bearer {token}")];
        if modern {
            headers.push("MCP-Protocol-Version: 2026-07-28".to_owned());
            headers.push(format!("Mcp-Method: {method}"));
            headers.extend((!name.is_empty()).then(|| format!("Mcp-Name: {name}")));
        }
        let headers: Vec<&str> = headers.iter().map(String::as_str).collect();
        let response = edge.plain().exchange(rpc("/mcp", &headers, &body));
        let challenge = response.header("www-authenticate").unwrap_or_default();
        // 503 as long as the keys are being fetched.
        if ![200, 503].contains(&response.status) {
            assert_eq!(
                response.json()["error"]["code"],
                -32003,
                "{}",
                response.text()
            );
            assert_eq!(response.json()["id"], 7);
        }
        (response.status, challenge.to_owned())
    };
    let lacks = |scopes: &str| {
        let challenge = format!(
            "Bearer error=\"insufficient_scope\", resource_metadata=\"{METADATA}\", scope=\"{scopes}\""
        );
        (403, challenge)
    };
    let good = (200, String::new());
    let [plain, calling, searching, reading] = [
        "mcp",
        "mcp mcp:call",
        "mcp mcp:call mcp:search",
        "mcp mcp:read",
    ]
    .map(|scope| issuer.token(RESOURCE, scope));
    assert!(wait_until(LIMIT, || ask(&plain, "tools/list", "", false) == good));
    for modern in [false, true] {
        let ask = |token: &str, method: &str, name: &str| ask(token, method, name, modern);
        assert_eq!(ask(&plain, "tools/list", ""), good);
        assert_eq!(ask(&plain, "tools/call", "add"), lacks("mcp mcp:call"));
        assert_eq!(
            ask(&plain, "tools/call", "search"),
            lacks("mcp mcp:call mcp:search")
        );
        assert_eq!(ask(&calling, "tools/call", "add"), good);
        assert_eq!(
            ask(&calling, "tools/call", "search"),
            lacks("mcp mcp:call mcp:search")
        );
        assert_eq!(ask(&searching, "tools/call", "search"), good);
        // What is called `search` elsewhere is no tool.
        assert_eq!(ask(&plain, "prompts/get", "search"), good);
        assert_eq!(
            ask(&plain, "resources/read", "file:///a"),
            lacks("mcp mcp:read")
        );
        assert_eq!(
            ask(&calling, "resources/templates/list", ""),
            lacks("mcp mcp:read")
        );
        assert_eq!(ask(&reading, "resources/read", "file:///a"), good);
    }
    let refused = || {
        let reason = ["reason=\"scope\""];
        edge.metrics().sum("edge_mcp_refused_total", &reason)
    };
    assert!(wait_until(LIMIT, || refused() == 10.0), "{}", refused());
}

/// Without keys nobody gets in, and everybody is told to come back.
#[test]
fn an_issuer_that_cannot_be_reached_lets_nobody_in() {
    let _machine = light();
    let upstream = Upstream::ok();
    let route = format!(
        "[host.route.jwt]\nissuer = \"http://127.0.0.1:{}\"\nresource = \"{RESOURCE}\"",
        free_port()
    );
    let edge = Setup::new(upstream.address).route(&route).start();
    // A token as good as any: who signed it cannot be known.
    let token = "eyJhbGciOiJSUzI1NiIsImtpZCI6ImsifQ.eyJleHAiOjk5OTk5OTk5OTl9.c2ln";
    let call = rpc(
        "/mcp",
        &[&format!("Authorization: Bearer {token}")],
        &tool_call(1, "add"),
    );
    for _ in 0..3 {
        let response = edge.plain().exchange(&call);
        assert!([401, 503].contains(&response.status), "{}", response.status);
    }
    assert_eq!(upstream.received(), "");
}

/// A key that is not known is looked for, and what was signed with one that is withdrawn is refused,
/// although it was good a moment ago.
#[test]
fn keys_of_the_issuer_change() {
    let _machine = light();
    let issuer = Issuer::start();
    let upstream = Upstream::ok();
    let route = format!(
        "[host.route.jwt]\nissuer = \"{}\"\nresource = \"{RESOURCE}\"",
        issuer.url()
    );
    let edge = Setup::new(upstream.address)
        .top("workers = 2")
        .route(&route)
        .start();
    let with = |token: &str| {
        let authorization = format!("Authorization: Bearer {token}");
        let call = rpc("/mcp", &[&authorization], &tool_call(1, "add"));
        edge.plain().exchange(call).status
    };
    let old = issuer.token(RESOURCE, "mcp");
    assert!(wait_until(LIMIT, || with(&old) == 200));
    let port = issuer.port;
    drop(issuer);
    let issuer = Issuer::start_at(port);
    let new = issuer.token(RESOURCE, "mcp");
    // It is asked at most every ten seconds.
    let patience = Duration::from_secs(30);
    assert!(wait_until(patience, || with(&new) == 200));
    for _ in 0..20 {
        assert_eq!((with(&old), with(&new)), (401, 200));
    }
}

#[test]
fn a_limit_counts_by_a_claim_and_the_log_names_the_subject() {
    let _machine = light();
    let issuer = Issuer::start();
    let upstream = Upstream::ok();
    let route = |key: &str| {
        format!(
            "request_headers = [\"X-User: {{user}}\"]\n[host.route.jwt]\nissuer = \"{}\"\n\
             resource = \"{RESOURCE}\"\n[host.route.mcp.limit]\nkey = \"{key}\"\n\
             calls = \"1/h\"\ncalls_burst = 2",
            issuer.url()
        )
    };
    for key in ["claim:sub", "claim:client_id", "claim:none_such"] {
        let edge = Setup::new(upstream.address).route(&route(key)).start();
        let call = |token: &str| {
            let authorization = format!("Authorization: Bearer {token}");
            let request = rpc("/mcp", &[&authorization], &tool_call(7, "add"));
            edge.plain().exchange(request).status
        };
        // The keys may not have come yet.
        let first = issuer.token(RESOURCE, "mcp");
        assert!(wait_until(LIMIT, || call(&first) == 200));
        assert_eq!(call(&issuer.token(RESOURCE, "mcp")), 200, "another token");
        assert_eq!(call(&issuer.token(RESOURCE, "mcp")), 429, "and another");
        let other = issuer.token_of("other", RESOURCE, "mcp");
        // Without the claim it is the address that counts, and all come from one.
        let expected = if key == "claim:none_such" { 429 } else { 200 };
        assert_eq!(call(&other), expected, "{key}");
        edge.log_line(|line| line["user"] == "e2e" && line["status"] == 200);
        if expected == 200 {
            edge.log_line(|line| line["user"] == "other");
        }
    }
    assert!(upstream.received().contains("x-user: e2e\r\n"));
}
