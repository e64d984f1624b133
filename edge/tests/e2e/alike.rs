//! What a route is told to do, over HTTP/1.1, HTTP/2 and HTTP/3 alike: curl and aioquic ask.

use std::time::Duration;

use serde_json::{Value, json};

use crate::cache::origin::{Origin, ok};
use crate::support::{Edge, Setup, light, peer, run_driver};

const LIMIT: Duration = Duration::from_secs(120);
const VIAS: [&str; 3] = ["h1", "h2", "h3"];

/// A request, and what each protocol has to answer: the status, and beginnings of fields, of which none
/// means that the field must not be there.
struct Case {
    request: Value,
    status: u64,
    fields: Vec<(&'static str, &'static str)>,
}

fn case(
    method: &str,
    path: &str,
    more: Value,
    status: u64,
    fields: &[(&'static str, &'static str)],
) -> Case {
    let mut request = json!({"method": method, "path": path});
    if let (Value::Object(request), Value::Object(more)) = (&mut request, more) {
        request.extend(more);
    }
    Case {
        request,
        status,
        fields: fields.to_vec(),
    }
}

fn get(path: &str, fields: Value, status: u64, told: &[(&'static str, &'static str)]) -> Case {
    case("GET", path, json!({"fields": fields}), status, told)
}

/// Asks all of them and compares; what was answered, by case and protocol.
fn ask(edge: &Edge, cases: &[Case]) -> Vec<Vec<Value>> {
    let requests: Vec<&Value> = cases.iter().map(|case| &case.request).collect();
    let ca = edge.file("ca.pem").display().to_string();
    let arguments = [&edge.url(), &ca, &json!(requests).to_string()];
    let told = run_driver(
        "alike.py",
        peer("alike.py", &arguments.map(String::as_str)),
        LIMIT,
    );
    let told: Vec<Vec<Value>> = serde_json::from_value(told).expect("a list for each request");
    let mut wrong = Vec::new();
    for (case, answers) in cases.iter().zip(&told) {
        for (via, answer) in VIAS.iter().zip(answers) {
            let is_told = |(name, start): &(&str, &str)| match answer["fields"][*name].as_str() {
                Some(value) => !start.is_empty() && value.starts_with(start),
                None => start.is_empty(),
            };
            if answer["status"] != case.status || !case.fields.iter().all(is_told) {
                wrong.push(format!("{via} {}\n  {answer}", case.request));
            }
        }
        let bodies = || answers.iter().map(|answer| &answer["body"]);
        if bodies().any(|body| *body != answers[0]["body"]) {
            let bodies: Vec<_> = bodies().collect();
            wrong.push(format!("{}: other bodies, {}", case.request, json!(bodies)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    told
}

/// A server of applications, and the service that says who may ask.
fn origin() -> Origin {
    Origin::start(|head, number| {
        let path = head.split(' ').nth(1).unwrap_or_default();
        let answer = match path {
            "/auth" if head.contains("x-let: in\r\n") => ok("X-User: ann\r\n", ""),
            "/auth" => "HTTP/1.1 403 Forbidden\r\nX-Reason: no\r\nContent-Length: 0\r\n\r\n".into(),
            "/cached" => ok("Cache-Control: max-age=60\r\nETag: \"c\"\r\n", "kept"),
            "/squeezed" => ok("Content-Type: text/plain\r\n", &"text ".repeat(2000)),
            "/broken" => "HTTP/1.1 500 Oh\r\nContent-Length: 3\r\n\r\nown".into(),
            "/traced" => {
                let sent = |name: &str| {
                    let lines = head.lines().filter(|line| line.starts_with(name));
                    lines.count().to_string()
                };
                let told = [sent("traceparent: "), sent("x-request-id: mine")].join(" ");
                ok("", &told)
            }
            _ => ok(&format!("X-Number: {number}\r\n"), "fine"),
        };
        (Duration::ZERO, answer)
    })
}

fn start(origin: &Origin) -> Edge {
    let setup = Setup::new(origin.address);
    let root = setup.dir.path().join("files");
    std::fs::create_dir(&root).expect("our own directory");
    std::fs::write(root.join("digits"), "0123456789").expect("our own directory");
    std::fs::write(setup.dir.path().join("gone.html"), "<p>gone").expect("our own directory");
    let routes = [
        ("/squeezed", "compress = true"),
        ("/cached", "cache = true"),
        ("/traced", ""),
        ("/small", "max_body = \"1KiB\""),
        ("/whole", "max_body = \"1KiB\"\nbuffer_request = true"),
        ("/slow", "buffer_request = true"),
        ("/limited", "limits = [\"few\"]"),
        ("/networks", "deny = [\"127.0.0.0/8\"]"),
        (
            "/private",
            "auth_request = { upstream = \"origin\", path = \"/auth\", request_headers = [\"X-Let\"], \
             refusal_headers = [\"X-Reason\"] }",
        ),
    ];
    let routes = routes.map(|(path, keys)| {
        format!("[[host.route]]\npath = \"{path}\"\nupstream = \"origin\"\n{keys}\n")
    });
    let others = "[[host.route]]\npath = \"/files\"\nfiles = \"files\"\nstrip_prefix = true\n\
                  [[host.route]]\npath = \"/moved\"\nredirect = \"https://other.test{uri}\"\nstatus = 308\n\
                  [[host.route]]\npath = \"/none\"\nrespond = 404\n";
    let edge = setup
        .more_routes(&(routes.concat() + others))
        .section("forwarding", "traceparent = true")
        .section(
            "limits.few",
            "key = \"header:X-Who\"\nrequests = \"1/h\"\nburst = 1\nheaders = true",
        )
        .section("bounds", "body_rate = 1000")
        .start();
    of_host(
        &edge,
        "error_pages = [\"404: gone.html\", \"5xx: gone.html\"]",
    );
    edge
}

/// Adds to what is said of the host.
fn of_host(edge: &Edge, line: &str) {
    let key = "key = \"localhost.key\"\n";
    edge.rewrite(&edge.config().replace(key, &format!("{key}{line}\n")));
    edge.reload();
}

#[test]
fn what_routes_do_does_not_depend_on_the_protocol() {
    let _machine = light();
    let origin = origin();
    let mut edge = start(&origin);
    let coding = json!([["Accept-Encoding", "br"]]);
    let range = |text: &str| json!([["Range", text]]);
    let body = |length: usize| json!({"body": "x".repeat(length)});
    let long = json!({"body": "x", "stays": true, "fields": [["Content-Length", "5000"]]});
    let told = ask(
        &edge,
        &[
            get(
                "/squeezed",
                coding,
                200,
                &[("content-encoding", "br"), ("content-length", "")],
            ),
            get(
                "/files/digits",
                range("bytes=2-4"),
                206,
                &[("content-range", "bytes 2-4/10")],
            ),
            get(
                "/files/digits",
                range("bytes=-3"),
                206,
                &[("content-range", "bytes 7-9/10")],
            ),
            get(
                "/files/digits",
                range("bytes=10-"),
                416,
                &[("content-range", "bytes */10")],
            ),
            get("/files/none", json!([]), 404, &[]),
            get("/broken", json!([]), 500, &[("content-type", "")]),
            get(
                "/none",
                json!([]),
                404,
                &[("content-type", "text/html"), ("content-length", "7")],
            ),
            case(
                "PUT",
                "/files/digits",
                body(3),
                405,
                &[("allow", "GET, HEAD")],
            ),
            get("/networks", json!([]), 403, &[]),
            get(
                "/moved?a=b",
                json!([]),
                308,
                &[("location", "https://other.test/moved?a=b")],
            ),
            get("/private", json!([["X-Let", "in"]]), 200, &[]),
            get(
                "/private",
                json!([["X-Let", "out"]]),
                403,
                &[("x-reason", "no")],
            ),
            get("/traced", json!([["X-Request-Id", "mine"]]), 200, &[]),
            // Said before any of it is read, and when it turns out so.
            case("PUT", "/small", long.clone(), 413, &[]),
            case("PUT", "/whole", body(1025), 413, &[]),
            case("PUT", "/whole", long, 413, &[]),
            case("PUT", "/whole", body(1024), 200, &[]),
            case(
                "PUT",
                "/slow",
                json!({"body": "x", "stays": true}),
                408,
                &[],
            ),
        ],
    );
    let text = |case: usize| {
        told[case][0]["body"]
            .as_str()
            .unwrap_or_default()
            .to_owned()
    };
    let hex = |text: &str| text.bytes().map(|b| format!("{b:02x}")).collect::<String>();
    assert_eq!(text(1), hex("234"));
    assert_eq!(text(5), hex("own"), "an upstream speaks for itself");
    assert_eq!(text(6), hex("<p>gone"));

    // Each protocol has a client of its own here.
    let who = json!([["X-Who", "{via}"]]);
    ask(
        &edge,
        &[get(
            "/limited",
            who.clone(),
            200,
            &[
                ("ratelimit", "\"few\";r=0"),
                ("ratelimit-policy", "\"few\""),
            ],
        )],
    );
    ask(
        &edge,
        &[get(
            "/limited",
            who,
            429,
            &[("retry-after", "3"), ("ratelimit", "\"few\";r=0")],
        )],
    );

    // What one protocol has stored, the others are given.
    let stored = json!([["If-None-Match", "\"c\""]]);
    ask(
        &edge,
        &[get("/cached", json!([]), 200, &[("etag", "\"c\"")])],
    );
    let before = origin.asked();
    ask(&edge, &[get("/cached", json!([]), 200, &[])]);
    ask(&edge, &[get("/cached", stored, 304, &[("etag", "\"c\"")])]);
    assert_eq!(origin.asked(), before);

    of_host(&edge, "maintenance = { retry_after = \"7m\" }");
    let closed = get("/traced", json!([]), 503, &[("retry-after", "420")]);
    ask(&edge, &[closed]);
    assert_eq!(origin.asked(), before);
    edge.assert_healthy();
}
