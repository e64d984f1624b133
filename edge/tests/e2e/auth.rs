//! Who may ask: services that are asked about every request; passwords and keys.

mod credentials;

use std::time::Duration;

use serde_json::Value;

use crate::support::{Answer, Process, Setup, Upstream, free_port, light, node_script, wait_until};

/// A service that is asked about requests, written for Node.
struct Service {
    port: u16,
    process: Process,
}

impl Service {
    fn start() -> Service {
        let port = free_port();
        let command = node_script("auth_service.mjs", &[&port.to_string()]);
        let mut process = Process::start("auth", command);
        process.wait_for("listening on", Duration::from_secs(40));
        Service { port, process }
    }

    /// Every question with this token so far.
    fn asked(&self, token: &str) -> Vec<Value> {
        let output = self.process.stdout();
        let lines = output.lines().filter(|line| line.starts_with('{'));
        let questions = lines.map(|line| serde_json::from_str(line).expect("JSON"));
        let wanted = format!("Bearer {token}");
        questions
            .filter(|question: &Value| question["headers"]["authorization"] == wanted)
            .collect()
    }

    /// A table for a route, with more keys.
    fn table(&self, keys: &str) -> String {
        let port = self.port;
        format!(
            "[host.route.auth_request]\nupstream = \"127.0.0.1:{port}\"\npath = \"/verify?app=1\"\n{keys}\n"
        )
    }
}

fn get(path: &str, token: &str) -> String {
    let token = match token {
        "" => String::new(),
        token => format!("Authorization: Bearer {token}\r\n"),
    };
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{token}\r\n")
}

#[test]
fn a_service_decides_and_tells_both_sides() {
    let _machine = light();
    let service = Service::start();
    let upstream = Upstream::ok();
    let table = service.table(
        "request_headers = [\"Authorization\", \"X-Tenant\"]\nupstream_headers = [\"X-User\", \"X-Admin\"]\n\
         user_header = \"X-User\"\nrefusal_headers = [\"WWW-Authenticate\", \"Set-Cookie\", \"X-Reason\"]\n\
         timeout = \"1s\"",
    );
    let edge = Setup::new(upstream.address)
        .route(&format!(
            "request_headers = [\"X-Named: {{user}}\"]\n{table}"
        ))
        .more_routes("[[host.route]]\npath = \"/open\"\nupstream = \"origin\"\n")
        .start();
    let mut client = edge.plain();

    let refused = client.exchange(get("/a", ""));
    assert_eq!(refused.status, 401);
    assert_eq!(
        refused.header("www-authenticate"),
        Some("Bearer realm=\"auth\"")
    );
    assert_eq!(refused.header("set-cookie"), Some("login=1"));
    assert_eq!(refused.header("x-inside"), None);
    let forbidden = client.exchange(get("/a", "forbidden"));
    assert_eq!(
        (forbidden.status, forbidden.header("x-reason")),
        (403, Some("not yours"))
    );
    assert_eq!(client.exchange(get("/a", "teapot")).status, 502);
    assert_eq!(client.exchange(get("/a", "nowhere")).status, 502);
    // Where people log in, and what the service wants to find again when they come back.
    let elsewhere = client.exchange(get("/a", "moved"));
    assert_eq!(
        (elsewhere.status, elsewhere.header("location")),
        (302, Some("https://login.example/?rd=/a"))
    );
    assert_eq!(elsewhere.header("set-cookie"), Some("csrf=1"));
    assert_eq!(client.exchange(get("/a", "slow")).status, 504);
    assert_eq!(upstream.received(), "", "none of these went on");
    assert_eq!(client.exchange(get("/open", "")).status, 200);
    for (status, error) in [
        (302, "auth_denied"),
        (401, "auth_denied"),
        (403, "auth_denied"),
        (502, "auth_answer"),
        (504, "auth_timeout"),
    ] {
        edge.log_line(|line| line["status"] == status && line["error"] == error);
    }

    let post = "POST /a/b?c=d HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer alice\r\n\
                X-User: mallory\r\nX_User: mallory\r\nx-admin: yes\r\nX-Tenant: t\r\nCookie: c=1\r\n\
                X-Original-URI: /open\r\nContent-Length: 5\r\n\r\nhello";
    assert_eq!(client.exchange(post).status, 200);
    let line = edge.log_line(|line| line["user"] == "alice");
    assert_eq!(line["status"], 200);
    let request_id = line["request_id"].as_str().expect("there is one");
    let received = upstream.received();
    assert!(wait_until(Duration::from_secs(3), || {
        upstream.received().ends_with("hello")
    }));
    let sent = received.to_ascii_lowercase();
    assert_eq!(sent.matches("x-user: alice\r\n").count(), 1, "{sent}");
    assert!(sent.contains("x-named: alice\r\n"), "{sent}");
    assert!(
        sent.contains(&format!("x-request-id: {request_id}\r\n")),
        "{sent}"
    );
    for gone in ["mallory", "x-admin", "x-role"] {
        assert!(!sent.contains(gone), "{gone} in {sent}");
    }
    let questions = service.asked("alice");
    let [question] = &questions[..] else {
        panic!("{questions:?}")
    };
    let fields = &question["headers"];
    assert_eq!(question["method"], "GET");
    assert_eq!(question["url"], "/verify?app=1");
    assert_eq!(question["body"], 0);
    for (name, value) in [
        ("x-original-method", "POST"),
        ("x-original-uri", "/a/b?c=d"),
        ("x-forwarded-method", "POST"),
        ("x-forwarded-uri", "/a/b?c=d"),
        ("x-forwarded-for", "127.0.0.1"),
        ("x-forwarded-proto", "http"),
        ("x-forwarded-host", "localhost"),
        ("x-request-id", request_id),
        ("x-tenant", "t"),
        ("host", "localhost"),
    ] {
        assert_eq!(fields[name], value, "{name} in {fields}");
    }
    assert_eq!(fields["cookie"], Value::Null, "it was not asked for");
    // A connection is used again, also after an answer too long to be read.
    assert_eq!(client.exchange(get("/a", "long")).status, 200);
    assert_eq!(client.exchange(get("/a", "alice")).status, 200);

    drop(service);
    assert_eq!(client.exchange(get("/a", "alice")).status, 502);
    edge.log_line(|line| line["error"] == "auth_unavailable");
}

#[test]
fn answers_stand_for_requests_that_are_alike() {
    let _machine = light();
    let service = Service::start();
    let upstream = Upstream::ok();
    let cached = "cache = \"1m\"\ncache_key = [\"header:Authorization\"]";
    let routes = format!(
        "[[host.route]]\npath = \"/strict\"\nupstream = \"origin\"\n{}\
         [[host.route]]\npath = \"/short\"\nupstream = \"origin\"\n{}",
        service.table("cache = \"1m\"\nupstream_headers = [\"X-User\"]"),
        service.table("cache = \"50ms\"\ncache_key = [\"header:Authorization\"]"),
    );
    let edge = Setup::new(upstream.address)
        .route(&service.table(&format!("{cached}\nupstream_headers = [\"X-User\"]")))
        .more_routes(&routes)
        .start();
    let mut client = edge.plain();
    let mut ask = |path: &str, token: &str| client.exchange(get(path, token)).status;

    for path in ["/a", "/b", "/b?c"] {
        assert_eq!(ask(path, "alice"), 200);
        assert_eq!(ask(path, "forbidden"), 403);
    }
    assert_eq!(service.asked("alice").len(), 1, "one answer for all paths");
    assert_eq!(service.asked("forbidden").len(), 1, "a refusal stands too");
    let told = upstream.received().matches("x-user: alice\r\n").count();
    assert_eq!(told, 3, "the upstream is told every time");
    for path in ["/strict/a", "/strict/a", "/strict/b"] {
        assert_eq!(ask(path, "bob"), 200);
    }
    assert_eq!(service.asked("bob").len(), 2, "one for each path");
    for token in ["fresh", "cookie", "teapot"] {
        let status = if token == "teapot" { 502 } else { 200 };
        assert_eq!([ask("/a", token), ask("/a", token)], [status; 2]);
        assert_eq!(service.asked(token).len(), 2, "{token} is not for keeping");
    }
    assert_eq!(ask("/short", "carol"), 200);
    std::thread::sleep(Duration::from_millis(100));
    assert_eq!(ask("/short", "carol"), 200);
    assert_eq!(service.asked("carol").len(), 2, "it had expired");

    // Many at once while nobody knows the answer yet: one question.
    let mut clients: Vec<_> = (0..12).map(|_| edge.plain()).collect();
    for client in &mut clients {
        client.send(get("/a", "later"));
    }
    for client in &mut clients {
        assert_eq!(client.response(false).status, 200);
    }
    assert_eq!(service.asked("later").len(), 1);
}

#[test]
fn a_host_asks_for_all_its_routes_and_a_dead_connection_is_replaced() {
    let _machine = light();
    let upstream = Upstream::ok();
    // Says that it keeps the connection, and closes it.
    let service = Upstream::start(Answer::Close(
        b"HTTP/1.1 204 No Content\r\nX-User: u\r\n\r\n".to_vec(),
    ));
    let service_address = service.address;
    let hosts = format!(
        "[[host]]\nnames = [\"all.localhost\"]\n\
         auth_request = {{ upstream = \"{service_address}\", upstream_headers = [\"X-User\"] }}\n\
         [[host.route]]\nupstream = \"origin\"\n\
         [[host.route]]\npath = \"/open\"\nauth_request = \"off\"\nupstream = \"origin\"\n\
         [[host.route]]\npath = \"/fixed\"\nrespond = \"fixed\"\n"
    );
    let edge = Setup::new(upstream.address).hosts(&hosts).start();
    let mut client = edge.plain();
    let mut ask = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: all.localhost\r\nX-User: m\r\n\r\n");
        client.exchange(request).status
    };
    assert_eq!([ask("/"), ask("/"), ask("/fixed")], [200; 3]);
    assert_eq!(service.received().matches("GET / HTTP/1.1").count(), 3);
    assert_eq!(upstream.received().matches("x-user: u\r\n").count(), 2);
    assert_eq!(ask("/open"), 200);
    assert_eq!(service.received().matches("GET / HTTP/1.1").count(), 3);
}
