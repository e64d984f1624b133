//! Where requests go: hosts, routes, rewriting, redirects, and what no spelling of a path gets past.

use std::time::Duration;

use crate::support::{Client, Demo, Edge, End, H2, Process, Setup, Upstream, edge_binary, light};

const LIMIT: Duration = Duration::from_secs(10);

fn get(path: &str) -> String {
    format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n")
}

/// The request line that reached the upstream.
fn reached(client: &mut Client, path: &str) -> String {
    let response = client.exchange(get(path));
    assert_eq!(response.status, 200, "{path}: {}", response.text());
    let seen = response.json();
    seen["target"].as_str().expect("the demo says").to_owned()
}

const ROUTES: &str = r#"
[[host.route]]
path = "/api"
methods = ["GET", "POST"]
upstream = "origin"
strip_prefix = true

[[host.route]]
regex = "^/u/([0-9]+)/(.*)$"
upstream = "origin"
rewrite = "/headers?user={1}&rest={2}"

[[host.route]]
path = "/go"
redirect = "https://new.example{rest}?from={host}&q={header:X-Q}"
status = 308

[[host.route]]
exact = "/teapot"
respond = "short and stout"
status = 418
content_type = "text/x-tea"

[[host.route]]
path = "/admin"
respond = 403

[[host.route]]
path = "/versioned"
headers = ["X-Api: 2"]
respond = "two"

[[host.route]]
path = "/versioned"
respond = "one"
"#;

fn start() -> (Demo, Edge) {
    let demo = Demo::start();
    let edge = Setup::new(demo.address)
        .more_routes(ROUTES)
        .hosts("[[host]]\nnames = [\"old.localhost\"]\nredirect = \"https://localhost{uri}\"\n")
        .start();
    (demo, edge)
}

#[test]
fn routes_rewrite_redirect_and_respond() {
    let _machine = light();
    let (_demo, edge) = start();
    let mut client = edge.tls();
    assert_eq!(reached(&mut client, "/headers?a=1"), "/headers?a=1");
    assert_eq!(reached(&mut client, "/api/headers?a=%2f"), "/headers?a=%2f");
    assert_eq!(reached(&mut client, "//api/headers"), "/headers");
    assert_eq!(reached(&mut client, "/u/42/x"), "/headers?user=42&rest=x");

    let response = client.exchange(
        "POST /go/a//b HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nX-Q: a\tb/?&\u{e9}\r\n\r\n{}",
    );
    assert_eq!(response.status, 308);
    assert_eq!(
        response.header("location"),
        Some("https://new.example/a//b?from=localhost&q=a%09b%2F%3F%26%C3%A9")
    );
    let response = client.exchange(get("/teapot"));
    assert_eq!(
        (response.status, response.text()),
        (418, "short and stout".to_owned())
    );
    assert_eq!(response.header("content-type"), Some("text/x-tea"));
    assert_eq!(
        client.exchange(get("/teapot/x")).status,
        404,
        "exact: the demo answers"
    );

    let response = client.exchange("DELETE /api/x HTTP/1.1\r\nHost: localhost\r\n\r\n");
    assert_eq!(
        response.status, 404,
        "the demo answers: the route / takes it"
    );
    let version =
        |fields: &str| format!("GET /versioned HTTP/1.1\r\nHost: localhost\r\n{fields}\r\n");
    assert_eq!(client.exchange(version("x-api: 2\r\n")).text(), "two");
    assert_eq!(client.exchange(version("x-api: 3\r\n")).text(), "one");

    let mut plain = edge.plain();
    let response = plain.exchange("GET /a?b HTTP/1.1\r\nHost: old.localhost\r\n\r\n");
    assert_eq!(response.status, 307);
    assert_eq!(response.header("location"), Some("https://localhost/a?b"));
    let log = edge.log_line(|line| line["status"] == 308);
    assert_eq!(log["route"], "/go", "{log}");
}

const OWN: &str = r#"
[[host.route]]
exact = "/beacon"
respond = 204
response_headers = ["Cache-Control: max-age=60"]

[[host.route]]
exact = "/data"
respond = "{}"
response_headers = ["Content-Type: application/json"]

[[host.route]]
regex = "\\.php$"
respond = 444
"#;

#[test]
fn answers_of_the_edge_itself_and_none_at_all() {
    let _machine = light();
    let edge = Setup::new("127.0.0.1:1").more_routes(OWN).start();
    let mut client = edge.tls();
    // Rules set what the edge would say otherwise.
    let response = client.exchange(get("/beacon"));
    assert_eq!((response.status, response.text()), (204, String::new()));
    assert_eq!(response.header("cache-control"), Some("max-age=60"));
    let response = client.exchange(get("/data"));
    assert_eq!(response.header("content-type"), Some("application/json"));
    // No answer at all, over any protocol.
    let mut scanner = edge.tls();
    scanner.send(get("/wp-login.php"));
    let (answer, end) = scanner.read_to_end(LIMIT);
    assert_eq!(answer, b"");
    assert_ne!(end, End::TimedOut);
    let mut h2 = H2::connect(edge.https, edge.authority());
    assert!(h2.get_within("/wp-login.php", LIMIT).is_err());
    assert_eq!(
        h2.get_within("/data", LIMIT).map(|answer| answer.status),
        Ok(200)
    );
    let line = edge.log_line(|line| line["path"] == "/wp-login.php");
    assert_eq!(line["status"], 444);
}

#[test]
fn no_spelling_of_a_path_gets_past_its_route() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address).more_routes(ROUTES).start();
    for path in [
        "/admin",
        "/admin/",
        "/admin/x",
        "//admin",
        "///admin//x",
        "/%61dmin",
        "/%61%64%6d%69%6e",
        "/./admin",
        "/x/../admin",
        "/x/%2e%2e/admin",
        "/x/.%2E/admin",
        "/admin;a=b",
        "/;/admin",
        "/admin;/x",
        "/%2Fadmin",
        "/admin%2Fx",
        "/admin%5Cx",
    ] {
        let status = edge.plain().exchange(get(path)).status;
        assert!(matches!(status, 403), "{path}: {status}");
    }
    for path in [
        "/x/..;/admin",
        "/x/..;a=b/admin",
        "/x/..%2fadmin",
        "/x/..%5cadmin",
        "/x%2f..%2fadmin",
        "/x/%2e%2e%2fadmin",
        "/..\\admin",
        "/x\\..\\admin",
        "/../admin",
        "/admin%00",
        "/%00/admin",
        "/admin%",
        "/api/..%2Fadmin",
    ] {
        let status = edge.plain().exchange(get(path)).status;
        assert_eq!(status, 400, "{path}");
    }
    assert_eq!(upstream.received(), "", "nothing of this is the upstream's");
    // What merely looks like it is another path.
    for path in ["/administrator", "/x/admin", "/x//../admin", "/admin.html"] {
        assert_eq!(edge.plain().exchange(get(path)).status, 200, "{path}");
    }
}

#[test]
fn plain_http_goes_to_https_but_for_acme_and_unknown_hosts_go_nowhere() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address);
    // Where certbot writes with `--webroot -w acme`.
    let webroot = setup.dir.path().join("acme/.well-known/acme-challenge");
    std::fs::create_dir_all(&webroot).expect("our own folder");
    std::fs::write(webroot.join("token"), "proof").expect("our own folder");
    let edge = setup
        .listen("redirect = true\nunknown_host = \"close\"")
        .more_routes("[[host.route]]\npath = \"/.well-known/acme-challenge\"\nfiles = \"acme\"\n")
        .start();
    let response = edge.plain().exchange(get("/a?b"));
    assert_eq!(response.status, 301);
    let location = format!("{}/a?b", edge.url());
    assert_eq!(response.header("location"), Some(location.as_str()));
    let challenge = get("/.well-known/acme-challenge/token");
    assert_eq!(edge.plain().exchange(challenge).text(), "proof");
    let sneaky = get("/.well-known/acme-challenge/../../secret");
    assert_eq!(edge.plain().exchange(sneaky).status, 301);

    let mut client = edge.plain();
    client.send("GET / HTTP/1.1\r\nHost: other.example\r\n\r\n");
    let (bytes, _) = client.read_to_end(Duration::from_secs(3));
    assert_eq!(String::from_utf8_lossy(&bytes), "");
    let log = edge.log_line(|line| line["error"] == "unknown_host");
    assert_eq!(log["host"], "other.example");
}

#[test]
fn routes_are_explained() {
    let setup = Setup::new("127.0.0.1:9").more_routes(ROUTES);
    let file = setup.write().display().to_string();
    let ask = |arguments: &[&str]| {
        let mut command = std::process::Command::new(edge_binary());
        command
            .arg("routes")
            .args(arguments)
            .args(["--config", &file]);
        Process::run("edge routes", command, Duration::from_secs(5))
    };
    let (code, stdout, stderr) = ask(&["https://localhost/api/x?y", "--method", "POST"]);
    assert_eq!((code, stderr.as_str()), (0, ""));
    for line in [
        "request  POST /api/x?y",
        "host     localhost, one of localhost",
        "chosen",
        "would take it, but comes later",
        "outcome  upstream origin, asked for /x?y",
    ] {
        assert!(stdout.contains(line), "{line} in\n{stdout}");
    }
    let (code, stdout, _) = ask(&[
        "https://localhost/versioned",
        "--header",
        "X-Api: 2",
        "--json",
    ]);
    let told: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!((code, &told["outcome"]), (0, &"respond 200".into()));
    assert_eq!(told["routes"].as_array().map(Vec::len), Some(8));
    let (code, _, stderr) = ask(&["localhost/versioned"]);
    assert_eq!(code, 2);
    assert!(stderr.contains("is not a URL"), "{stderr}");
}
