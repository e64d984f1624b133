//! Tokens of a real authorization server on routes that know nothing of MCP.

use std::time::Duration;

use crate::support::{Answer, Edge, Issuer, Response, Setup, Upstream, light, wait_until};

const LIMIT: Duration = Duration::from_secs(5);
const AUDIENCE: &str = "https://api.example.com";

fn get(path: &str, token: &str) -> String {
    let token = match token {
        "" => String::new(),
        token => format!("Authorization: Bearer {token}\r\n"),
    };
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{token}\r\n")
}

fn ask(edge: &Edge, path: &str, token: &str) -> Response {
    edge.plain().exchange(get(path, token))
}

/// The table of a route, or of a host.
fn jwt(place: &str, issuer: &Issuer, keys: &str) -> String {
    format!("[{place}.jwt]\nissuer = \"{}\"\n{keys}\n", issuer.url())
}

#[test]
fn any_route_asks_for_tokens_and_tells_the_upstream_what_they_say() {
    let _machine = light();
    let issuer = Issuer::start();
    let upstream = Upstream::ok();
    let api = jwt(
        "host.route",
        &issuer,
        &format!("audiences = [\"{AUDIENCE}\"]\nscopes = [\"mcp\"]"),
    );
    let told = jwt(
        "host.route",
        &issuer,
        "resource = \"https://r.example/told\"",
    );
    let edge = Setup::new(upstream.address)
        .more_routes(&format!(
            "[[host.route]]\npath = \"/api\"\nupstream = \"origin\"\n\
             request_headers = [\"X-User: {{user}}\", \"X-Client: {{claim:client_id}}\", \
             \"X-None: {{claim:none_such}}\"]\n{api}\
             [[host.route]]\npath = \"/told\"\nrespond = \"hello\"\n{told}"
        ))
        .start();
    let challenge = |response: &Response| {
        assert!(!response.text().contains("jsonrpc"), "{}", response.text());
        let challenge = response.header("www-authenticate").unwrap_or_default();
        (response.status, challenge.to_owned())
    };
    let expected = |status, text: &str| (status, text.to_owned());
    assert_eq!(
        challenge(&ask(&edge, "/api", "")),
        expected(401, "Bearer realm=\"edge\", scope=\"mcp\"")
    );
    let invalid = expected(
        401,
        "Bearer realm=\"edge\", error=\"invalid_token\", scope=\"mcp\"",
    );
    assert_eq!(challenge(&ask(&edge, "/api", "nonsense")), invalid);
    assert_eq!(
        challenge(&ask(&edge, "/told", "")),
        expected(
            401,
            "Bearer resource_metadata=\"https://r.example/.well-known/oauth-protected-resource/told\""
        )
    );
    let metadata = ask(&edge, "/.well-known/oauth-protected-resource/told", "");
    assert_eq!(metadata.json()["resource"], "https://r.example/told");
    edge.log_line(|line| line["status"] == 401 && line["error"] == "no_credentials");
    edge.log_line(|line| line["status"] == 401 && line["error"] == "token_invalid");

    // The keys come a moment after the start.
    let good = issuer.token(AUDIENCE, "mcp");
    assert!(wait_until(LIMIT, || ask(&edge, "/api", &good).status == 200));
    let elsewhere = issuer.token("https://other.example", "mcp");
    assert_eq!(challenge(&ask(&edge, "/api", &elsewhere)), invalid);
    edge.log_line(|line| line["error"] == "token_audience");
    let scopeless = issuer.token(AUDIENCE, "mcp:read");
    assert_eq!(
        challenge(&ask(&edge, "/api", &scopeless)),
        expected(
            403,
            "Bearer realm=\"edge\", error=\"insufficient_scope\", scope=\"mcp\""
        )
    );
    let told = issuer.token("https://r.example/told", "mcp");
    assert!(wait_until(LIMIT, || ask(&edge, "/told", &told).text() == "hello"));

    // What a client says under the names of what the edge proves is not passed on.
    let forged = format!(
        "GET /api/forged HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {good}\r\n\
         X-User: root\r\nX-Client: root\r\nX-None: root\r\n\r\n"
    );
    assert_eq!(edge.plain().exchange(forged).status, 200);
    let received = upstream.received();
    let seen = received.split("GET /api/forged").nth(1).expect("it came");
    assert!(seen.contains("x-user: e2e\r\n"), "{seen}");
    assert!(seen.contains("x-client: e2e\r\n"), "{seen}");
    assert!(!seen.contains("root"), "{seen}");
    edge.log_line(|line| line["user"] == "e2e" && line["status"] == 200);
}

/// By whom a token speaks for, on routes of either kind; nobody is counted who has proved nothing.
#[test]
fn limits_count_by_subjects_and_claims_that_are_proved() {
    let _machine = light();
    let issuer = Issuer::start();
    let upstream = Upstream::ok();
    let table = jwt("host", &issuer, &format!("resource = \"{AUDIENCE}\""));
    let route = |path: &str, keys: &str| {
        format!("[[host.route]]\npath = \"{path}\"\nupstream = \"origin\"\n{keys}\n")
    };
    let rate = "requests = \"1/h\"\nburst = 2\nshared = true";
    let edge = Setup::new(upstream.address)
        .section("limits.user", &format!("key = \"user\"\n{rate}"))
        .section(
            "limits.client",
            &format!("key = \"claim:client_id\"\n{rate}"),
        )
        .hosts(&format!(
            "[[host]]\nnames = [\"tokens.localhost\"]\n{table}{}{}{}{}",
            route("/free", ""),
            route("/user", "limits = [\"user\"]"),
            route("/mcp", "mcp = true\nlimits = [\"user\"]"),
            route("/claim", "limits = [\"client\"]"),
        ))
        .start();
    let ask = |path: &str, token: &str| {
        let request = get(path, token).replace("localhost", "tokens.localhost");
        edge.plain().exchange(request).status
    };
    let token = |client: &str| issuer.token_of(client, AUDIENCE, "mcp");
    let (first, second, other) = (token("e2e"), token("e2e"), token("other"));
    assert!(wait_until(LIMIT, || ask("/free", &first) == 200));
    for _ in 0..4 {
        assert_eq!(ask("/user", "nonsense"), 401, "and not counted");
        assert_eq!(ask("/mcp", "nonsense"), 401, "and not counted");
    }
    // Two tokens of one subject, on two routes that share a count.
    assert_eq!([ask("/user", &first), ask("/mcp", &second)], [200, 200]);
    assert_eq!([ask("/user", &second), ask("/mcp", &first)], [429, 429]);
    assert_eq!([ask("/mcp", &other), ask("/user", &other)], [200, 200]);
    let claims = [&first, &second, &first].map(|token| ask("/claim", token));
    assert_eq!(claims, [200, 200, 429]);
    assert_eq!(ask("/claim", &other), 200);
}

/// Browsers show no credentials when they ask whether a page may ask (Fetch, CORS preflight): those
/// requests reach the server, which says what pages may do, and no others do.
#[test]
fn pages_of_other_origins_may_ask_whether_they_may_ask() {
    let _machine = light();
    let upstream = Upstream::ok();
    let refusal = b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n";
    let service = Upstream::start(Answer::Keep(refusal.to_vec()));
    let nobody = "issuer = \"http://127.0.0.1:9\"\nresource = \"https://r.example/mcp\"";
    let setup = Setup::new(upstream.address);
    std::fs::write(setup.dir.path().join("users"), "").expect("our own folder");
    let edge = setup
        .more_routes(&format!(
            "[[host.route]]\npath = \"/api\"\nupstream = \"origin\"\nrequest_headers = [\"X-User: {{user}}\"]\n\
             [host.route.jwt]\n{nobody}\n\
             [[host.route]]\npath = \"/keys\"\nupstream = \"origin\"\n[host.route.api_keys]\n\
             keys = [\"a: sha256:{hash}\"]\n\
             [[host.route]]\npath = \"/any\"\nupstream = \"origin\"\nmcp = true\n[host.route.jwt]\n{nobody}\n\
             [[host.route]]\npath = \"/mcp\"\nupstream = \"origin\"\n\
             [host.route.mcp]\norigins = [\"https://app.example\"]\n[host.route.jwt]\n{nobody}\n\
             [[host.route]]\npath = \"/basic\"\nupstream = \"origin\"\nbasic_auth = {{ file = \"users\" }}\n\
             [[host.route]]\npath = \"/asked\"\nupstream = \"origin\"\n[host.route.auth_request]\n\
             upstream = \"{service}\"\npath = \"/\"\nupstream_headers = [\"X-User\"]\n",
            service = service.address,
            hash = "0".repeat(64),
        ))
        .start();
    let ask = |method: &str, path: &str, fields: &str| {
        let request = format!("{method} {path} HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
        edge.plain().exchange(request)
    };
    let page = "Origin: https://app.example\r\n";
    let wants =
        "Access-Control-Request-Method: POST\r\nAccess-Control-Request-Headers: authorization\r\n";
    let preflight = format!("{page}{wants}");
    for path in ["/api", "/keys", "/any", "/mcp", "/basic", "/asked"] {
        let forged = format!("{preflight}X-User: root\r\n");
        assert_eq!(ask("OPTIONS", path, &forged).status, 200, "{path}");
        for (method, fields) in [
            ("OPTIONS", ""),
            ("OPTIONS", page),
            ("OPTIONS", wants),
            ("GET", &preflight),
            ("DELETE", &preflight),
        ] {
            assert_eq!(
                ask(method, path, fields).status,
                401,
                "{method} {path} {fields}"
            );
        }
        let body = format!("{preflight}Content-Length: 1\r\n\r\nx");
        let request = format!("OPTIONS {path} HTTP/1.1\r\nHost: localhost\r\n{body}");
        assert_eq!(
            edge.plain().exchange(request).status,
            401,
            "{path} with a body"
        );
    }
    let received = upstream.received();
    assert_eq!(received.matches("OPTIONS ").count(), 6, "{received}");
    assert!(!received.contains("GET ") && !received.contains("DELETE "));
    for path in ["/api", "/asked"] {
        let asked = received.split(&format!("OPTIONS {path}")).nth(1);
        let asked = asked.expect("it came").split("OPTIONS ").next();
        assert!(!asked.expect("the first").contains("root"), "{received}");
    }
    let other = preflight.replace("app.example", "evil.example");
    assert_eq!(ask("OPTIONS", "/mcp", &other).status, 403);

    // A page that may ask can read why it gets nothing, or it could not get a token.
    let readable = |path: &str, fields: &str| {
        let answer = ask("GET", path, fields);
        let field = |name: &str| answer.header(name).unwrap_or_default().to_owned();
        assert!(answer.status >= 400);
        (
            field("access-control-allow-origin"),
            field("access-control-expose-headers").contains("WWW-Authenticate"),
        )
    };
    for (path, origin) in [("/mcp", "https://app.example"), ("/any", "*")] {
        assert_eq!(readable(path, page), (origin.to_owned(), true), "{path}");
        assert_eq!(readable(path, ""), (String::new(), false), "{path}");
    }
    // It is told where, and asks there with a field of its own.
    let path = "/.well-known/oauth-protected-resource/mcp";
    let wants = wants.replace("authorization", "mcp-protocol-version");
    let answer = ask("OPTIONS", path, &format!("{page}{wants}"));
    let allowed = answer.header("access-control-allow-headers");
    assert_eq!((answer.status, allowed), (204, Some("*")));
    assert_eq!(answer.header("access-control-allow-origin"), Some("*"));
    assert_eq!(ask("POST", path, "").status, 405);

    let evil = "Origin: https://evil.example\r\n";
    assert_eq!(readable("/mcp", evil), (String::new(), false));
}
