//! Spans of sampled exchanges, as a collector gets them.

use std::net::TcpListener;
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::support::{
    Answer, Process, Setup, Upstream, free_port, light, modern, peer, rpc, tool_call, wait_until,
};

const LIMIT: Duration = Duration::from_secs(20);
const TRACE: &str = "0af7651916cd43dd8448eb211c80319c";
const PARENT: &str = "b7ad6b7169203331";

struct Collector {
    port: u16,
    process: Process,
}

impl Collector {
    fn start() -> Collector {
        let port = free_port();
        let command = peer("otlp_collector.py", &[&port.to_string()]);
        let mut process = Process::start("otlp_collector.py", command);
        process.wait_for("listening on", LIMIT);
        Collector { port, process }
    }

    fn spans(&self) -> Vec<Value> {
        let output = self.process.stdout();
        let lines = output.lines().filter(|line| line.starts_with('{'));
        lines
            .map(|line| serde_json::from_str(line).expect("JSON"))
            .collect()
    }

    /// The one span for which an attribute has this value.
    fn span(&self, attribute: &str, value: &str) -> Value {
        let is_it = |span: &Value| span["attributes"][attribute] == value;
        let found = || self.spans().into_iter().find(is_it);
        assert!(
            wait_until(LIMIT, || found().is_some()),
            "no span with {attribute} {value}\n{}",
            self.process.output()
        );
        found().expect("it was there")
    }
}

fn section(port: u16, more: &str) -> String {
    format!("endpoint = \"http://127.0.0.1:{port}/v1/traces\"\n{more}")
}

/// What the last request that came upstream said of its trace: version, trace, span, flags.
fn told(upstream: &Upstream) -> Vec<String> {
    let received = upstream.received().to_lowercase();
    let line = received
        .lines()
        .rfind(|line| line.starts_with("traceparent: "));
    let value = line
        .expect("there is one")
        .trim_start_matches("traceparent: ");
    value.split('-').map(str::to_owned).collect()
}

#[test]
fn sampled_exchanges_reach_a_collector() {
    let _machine = light();
    let collector = Collector::start();
    let upstream = Upstream::ok();
    let mut edge = Setup::new(upstream.address)
        .section("trace", &section(collector.port, "service = \"tools\""))
        .route("mcp = true")
        .more_routes("[[host.route]]\npath = \"/broken\"\nrespond = \"no\"\nstatus = 503\n")
        .start();
    let send = |tool: &str, more: &[&str]| {
        let mut lines = modern(tool).to_vec();
        lines.extend(more.iter().map(|&line| line.to_owned()));
        let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
        let request = rpc("/mcp?access=secret", &lines, &tool_call(1, tool));
        assert_eq!(edge.plain().exchange(request).status, 200);
        told(&upstream)
    };

    let sent = send("first", &["User-Agent: e2e"]);
    let span = collector.span("gen_ai.tool.name", "first");
    assert_eq!([&span["trace"], &span["span"]], [&sent[1], &sent[2]]);
    assert_eq!((&span["parent"], &span["kind"]), (&"".into(), &2.into()));
    assert_eq!(span["name"], "POST /");
    assert_eq!(span["resource"]["service.name"], "tools");
    let attributes = &span["attributes"];
    for (name, value) in [
        ("http.request.method", "POST"),
        ("url.path", "/mcp"),
        ("url.scheme", "http"),
        ("http.route", "/"),
        ("client.address", "127.0.0.1"),
        ("network.protocol.version", "1.1"),
        ("user_agent.original", "e2e"),
        ("edge.upstream", "origin"),
        ("edge.server", &upstream.address.to_string()),
        ("mcp.method.name", "tools/call"),
        ("edge.mcp.era", "modern"),
        ("edge.mcp.class", "call"),
    ] {
        assert_eq!(attributes[name], value, "{name} in {span}");
    }
    assert_eq!(attributes["http.response.status_code"], 200);
    assert!(
        attributes["edge.request_id"]
            .as_str()
            .is_some_and(|id| id.len() == 36)
    );
    assert!(
        span["ms"]
            .as_f64()
            .is_some_and(|ms| (0.0..5000.0).contains(&ms))
    );
    let now = std::time::SystemTime::UNIX_EPOCH
        .elapsed()
        .expect("it has begun");
    let age = now.as_secs_f64() - span["ended"].as_f64().expect("a number");
    assert!((0.0..60.0).contains(&age), "{age} s ago");
    assert!(!span.to_string().contains("secret"), "{span}");

    // A trace that came goes on; its parent is who sent it, and the server's is the edge.
    let parent = format!("traceparent: 00-{TRACE}-{PARENT}-01");
    let sent = send("second", &[&parent, "tracestate: a=1"]);
    let span = collector.span("gen_ai.tool.name", "second");
    assert_eq!([&span["trace"], &span["span"]], [&sent[1], &sent[2]]);
    assert_eq!([&span["trace"], &span["parent"]], [TRACE, PARENT]);
    assert_eq!(span["state"], "a=1");
    assert!(upstream.received().contains("tracestate: a=1"));

    // One that nobody records passes as it is.
    let sent = send("third", &[&format!("traceparent: 00-{TRACE}-{PARENT}-00")]);
    assert_eq!(sent[1..], [TRACE, PARENT, "00"]);

    // What the edge answers itself; an error is what the server's side did wrong.
    let get = |path: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");
        edge.plain().exchange(request).status
    };
    assert_eq!(get("/broken"), 503);
    let span = collector.span("url.path", "/broken");
    assert_eq!(
        (&span["error"], &span["name"]),
        (&true.into(), &"GET /broken".into())
    );

    // The last ones go when the process ends.
    send("last", &[]);
    edge.process.signal(Signal::SIGTERM);
    edge.process.wait(LIMIT);
    collector.span("gen_ai.tool.name", "last");
    let third = |span: &Value| span["attributes"]["gen_ai.tool.name"] == "third";
    assert!(!collector.spans().iter().any(third));
    assert_eq!(collector.spans().len(), 4);
}

/// What an auth service is asked is a part of the request's span, and the service is told so.
#[test]
fn questions_to_an_auth_service_have_spans_of_their_own() {
    let _machine = light();
    let collector = Collector::start();
    let upstream = Upstream::ok();
    let service = Upstream::start(Answer::Keep(
        b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\n\r\n".to_vec(),
    ));
    let table = |address| {
        format!(
            "[host.route.auth_request]\nupstream = \"{address}\"\npath = \"/verify?key=secret\""
        )
    };
    let gone = format!("127.0.0.1:{}", free_port());
    let edge = Setup::new(upstream.address)
        .section("trace", &section(collector.port, ""))
        .route(&table(service.address.to_string()))
        .more_routes(&format!(
            "[[host.route]]\npath = \"/gone\"\nupstream = \"origin\"\n{}\n",
            table(gone)
        ))
        .start();
    let get = |path: &str, more: &str| {
        let request = format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n{more}\r\n");
        edge.plain().exchange(request).status
    };
    let parent = format!("traceparent: 00-{TRACE}-{PARENT}-01\r\n");
    assert_eq!(get("/one", &parent), 403);
    let request = collector.span("url.path", "/one");
    let question = collector.span("url.path", "/verify");
    assert_eq!(
        [&question["trace"], &question["parent"]],
        [&request["trace"], &request["span"]]
    );
    assert_eq!([&request["trace"], &request["parent"]], [TRACE, PARENT]);
    assert_eq!(
        (&question["kind"], &question["name"]),
        (&3.into(), &"GET /verify".into())
    );
    assert_eq!(question["attributes"]["http.response.status_code"], 403);
    assert_eq!(question["error"], true);
    let sent = told(&service);
    assert_eq!(
        [&question["trace"], &question["span"]],
        [&sent[1], &sent[2]]
    );
    assert!(
        question["ms"].as_f64() <= request["ms"].as_f64(),
        "{question} {request}"
    );
    assert!(!question.to_string().contains("secret"), "{question}");

    // One that is not there has a span as well, and no status.
    assert_eq!(get("/gone", ""), 502);
    let failed = |span: &Value| span["attributes"]["error.type"] == "upstream_connect";
    assert!(wait_until(LIMIT, || collector
        .spans()
        .iter()
        .any(|span| failed(span) && span["kind"] == 3)));
    // Nothing is recorded of what others do not record.
    let count = collector.spans().len();
    assert_eq!(get("/none", &parent.replace("-01\r", "-00\r")), 403);
    std::thread::sleep(Duration::from_millis(1500));
    assert_eq!(collector.spans().len(), count);
}

#[test]
fn one_in_so_many_traces_also_after_a_reload() {
    let _machine = light();
    let collector = Collector::start();
    let upstream = Upstream::ok();
    let edge = Setup::new(upstream.address)
        .section("trace", &section(collector.port, "sample = 4"))
        .start();
    let mut client = edge.plain();
    let mut ask = || {
        let response = client.exchange("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        assert_eq!(response.status, 200);
        told(&upstream)[3] == "01"
    };
    let sampled = (0..200).filter(|_| ask()).count();
    assert!((10..110).contains(&sampled), "{sampled} of 200");
    assert!(wait_until(LIMIT, || collector.spans().len() == sampled));
    let exported = || edge.metrics().sum("edge_trace_spans_total", &[]);
    assert!(wait_until(LIMIT, || exported() == sampled as f64));
    assert_eq!(
        edge.metrics().sum("edge_trace_spans_dropped_total", &[]),
        0.0
    );

    edge.rewrite(&edge.config().replace("sample = 4", "sample = 1000000"));
    edge.reload();
    let sampled = (0..100).filter(|_| ask()).count();
    assert!(sampled < 5, "{sampled} of 100 after the reload");
}

/// A collector that is not there loses spans; one that says nothing loses them and holds up nobody.
#[test]
fn a_collector_that_fails_slows_nothing() {
    let _machine = light();
    let upstream = Upstream::ok();
    let deaf = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let deaf_port = deaf.local_addr().expect("it is bound").port();
    for (port, has_lost) in [(free_port(), true), (deaf_port, false)] {
        let mut edge = Setup::new(upstream.address)
            .section("trace", &section(port, ""))
            .start();
        let mut client = edge.plain();
        let began = Instant::now();
        for _ in 0..300 {
            let response = client.exchange("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
            assert_eq!(response.status, 200);
        }
        // A request that waited for the collector would take ten seconds.
        assert!(began.elapsed() < Duration::from_secs(60));
        if has_lost {
            let lost = || edge.metrics().sum("edge_trace_spans_dropped_total", &[]);
            assert!(wait_until(LIMIT, || lost() == 300.0), "{} lost", lost());
            edge.process.wait_for("spans are being lost", LIMIT);
        }
        edge.process.signal(Signal::SIGTERM);
        assert!(edge.process.wait(LIMIT).success());
    }
}
