//! Files first, and what is none goes to the upstream: `try_files $uri @app` of nginx.

use std::process::Command;
use std::time::Duration;

use super::peer::Nginx;
use super::{ask, folder};
use crate::support::{Client, Edge, Process, Response, Setup, Upstream, edge_binary, light};

/// A folder in front of an upstream.
fn in_front_of(upstream: &Upstream, keys: &str) -> Edge {
    let setup = Setup::new(upstream.address);
    folder(&setup.dir.path().join("www"));
    setup.route(keys).start()
}

fn told(response: &Response) -> (u16, String) {
    match response.status {
        200 => (200, response.text()),
        // Pages of errors are everybody's own.
        status => (
            status,
            response.header("location").unwrap_or_default().to_owned(),
        ),
    }
}

#[test]
fn what_is_no_file_goes_to_the_upstream_as_behind_nginx() {
    let _machine = light();
    for (keys, theirs) in [
        ("files = \"www\"", "try_files $uri @app;"),
        (
            "files = { root = \"www\", try = [\"{path}/index.html\", \"{path}\"] }",
            "try_files $uri/index.html $uri @app;",
        ),
    ] {
        let upstream = Upstream::ok();
        let edge = in_front_of(&upstream, keys);
        let nginx = Nginx::with(
            edge.dir(),
            &format!(
                "location / {{ {theirs} }}\n\
                 location @app {{ proxy_pass http://{}; }}",
                upstream.address
            ),
        );
        for line in [
            "GET /",
            "GET /?x=1",
            "HEAD /a.txt",
            "GET /a.txt",
            "GET /a.txt?v=2",
            "GET /a%20b%C3%BC.txt",
            "GET /empty.txt",
            "GET /sub",
            "GET /sub/",
            "GET /sub/app.js",
            "GET /sub/none.js",
            "GET /bare",
            "GET /bare/",
            "GET /api/things",
            "GET /a.txt/",
            "GET /in.txt",
            "OPTIONS /api",
            "POST /api",
            "DELETE /api/things/1",
        ] {
            let own = ask(&mut edge.plain(), line, &["Content-Length: 0"]);
            let theirs = ask(
                &mut Client::plain(nginx.address),
                line,
                &["Content-Length: 0"],
            );
            assert_eq!(told(&own), told(&theirs), "{keys}: {line}");
        }
    }
}

/// nginx asks for files with any method, and refuses POST of one.
#[test]
fn requests_that_change_something_are_for_the_upstream() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = in_front_of(&upstream, "files = \"www\"");
    for line in ["POST /a.txt", "PUT /a.txt", "OPTIONS /a.txt"] {
        let answer = ask(&mut edge.plain(), line, &["Content-Length: 0"]);
        assert_eq!(answer.text(), "ok", "{line}");
        assert!(upstream.received().contains(line), "{line}");
    }
}

#[test]
fn what_is_never_sent_as_a_file_is_not_sent_before_an_upstream_either() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = in_front_of(
        &upstream,
        "files = { root = \"www\", try = [\"{path}\", \"{path}/\"] }",
    );
    for path in [
        "/.env",
        "/sub/.git/config",
        "/out.txt",
        "/etc/hosts",
        "/loop",
        "/fifo",
        "/bare/",
        "/%2e%2e/outside.txt",
        "/sub%2f..%2f..%2foutside.txt",
    ] {
        let answer = ask(&mut edge.plain(), &format!("GET {path}"), &[]);
        let is_upstreams = answer.status == 200 && answer.text() == "ok";
        assert!(
            is_upstreams || answer.status == 400,
            "{path}: {} {}",
            answer.status,
            answer.text()
        );
    }
    // It is there, and its owner keeps it to himself.
    assert_eq!(ask(&mut edge.plain(), "GET /secret.txt", &[]).status, 403);
    let moved = ask(&mut edge.plain(), "GET /sub", &[]);
    assert_eq!(told(&moved), (301, "/sub/".to_owned()));
}

/// Guards, field rules and the prefix hold for both.
#[test]
fn the_rest_of_the_route_holds_for_files_too() {
    let _machine = light();
    let upstream = Upstream::ok();
    let setup = Setup::new(upstream.address);
    folder(&setup.dir.path().join("www"));
    let edge = setup
        .more_routes(&format!(
            "[[host.route]]\npath = \"/app\"\nstrip_prefix = true\nfiles = \"www\"\n\
             upstream = \"http://{0}\"\nresponse_headers = [\"X-Route: app\"]\n\
             [[host.route]]\npath = \"/closed\"\nstrip_prefix = true\nfiles = \"www\"\n\
             upstream = \"http://{0}\"\nallow = [\"192.0.2.0/24\"]\n",
            upstream.address
        ))
        .start();
    let file = ask(&mut edge.plain(), "GET /app/a.txt", &[]);
    assert_eq!(file.body, super::TEXT);
    let passed = ask(&mut edge.plain(), "GET /app/b.txt", &[]);
    assert_eq!(passed.text(), "ok");
    assert!(upstream.received().contains("GET /b.txt "));
    for answer in [file, passed] {
        assert_eq!(answer.header("x-route"), Some("app"));
    }
    assert_eq!(ask(&mut edge.plain(), "GET /closed/a.txt", &[]).status, 403);
    let line = edge.log_line(|line| line["path"] == "/app/a.txt");
    assert_eq!(line["status"], 200);
    assert!(line["upstream"].is_null(), "{line}");

    let mut command = Command::new(edge_binary());
    command
        .args(["routes", "http://localhost/app/x", "--config"])
        .arg(edge.file("edge.toml"));
    let (code, text, _) = Process::run("edge routes", command, Duration::from_secs(5));
    assert_eq!(code, 0, "{text}");
    assert!(text.contains("www, what is none: upstream"), "{text}");
}
