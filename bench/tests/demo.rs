//! Drives the demo binary over sockets: what it promises to the tests that stand on it.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, SystemTime};

use serde_json::Value;

struct Demo {
    child: Child,
    address: String,
}

impl Demo {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_edge-demo"))
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the demo starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout is piped"))
            .read_line(&mut line)
            .expect("it says where it listens");
        let address = line
            .strip_prefix("listening on http://")
            .expect("the announced form")
            .trim_end()
            .to_owned();
        Self { child, address }
    }

    /// Sends a request with `Connection: close` and returns what comes until the end.
    fn exchange(&self, request_line: &str, fields: &str, body: &str) -> String {
        let mut socket = self.send(
            request_line,
            &format!("Connection: close\r\n{fields}"),
            body,
        );
        let mut answer = String::new();
        socket.read_to_string(&mut answer).expect("an answer");
        answer
    }

    fn get(&self, target: &str) -> String {
        self.exchange(&format!("GET {target} HTTP/1.1"), "", "")
    }

    fn send(&self, request_line: &str, fields: &str, body: &str) -> TcpStream {
        let mut socket = TcpStream::connect(&self.address).expect("a connection");
        socket
            .set_read_timeout(Some(Duration::from_secs(10)))
            .expect("a timeout");
        let length = match body.len() {
            0 => String::new(),
            length => format!("Content-Length: {length}\r\n"),
        };
        write!(
            socket,
            "{request_line}\r\nHost: any.example\r\n{length}{fields}\r\n{body}"
        )
        .expect("the request is taken");
        socket
    }

    fn stats(&self) -> Value {
        serde_json::from_str(body_of(&self.get("/stats"))).expect("JSON")
    }
}

impl Drop for Demo {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn body_of(answer: &str) -> &str {
    answer.split_once("\r\n\r\n").expect("a whole head").1
}

fn now_us() -> u64 {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    since.expect("after 1970").as_micros() as u64
}

#[test]
fn plain_endpoints_answer_as_documented() {
    let demo = Demo::start();

    let headers = demo.exchange("PUT /headers?x=1 HTTP/1.1", "X-A: 1\r\nX-A: 2\r\n", "");
    let headers: Value = serde_json::from_str(body_of(&headers)).expect("JSON");
    assert_eq!(headers["method"], "PUT");
    assert_eq!(headers["target"], "/headers?x=1");
    assert_eq!(headers["headers"]["host"][0], "any.example");
    assert_eq!(headers["headers"]["x-a"], serde_json::json!(["1", "2"]));

    let echo = demo.exchange("POST /echo HTTP/1.1", "Content-Type: a/b\r\n", "hello");
    assert!(echo.contains("content-type: a/b\r\n"), "{echo}");
    assert_eq!(body_of(&echo), "hello");

    let bytes = demo.get("/bytes?n=70000");
    assert!(bytes.contains("content-length: 70000\r\n"));
    let body = body_of(&bytes).as_bytes();
    assert_eq!(body.len(), 70_000);
    assert!(body.iter().zip((b'a'..=b'z').cycle()).all(|(a, b)| *a == b));

    let chunked = demo.get("/bytes?n=5&chunked=1");
    assert!(chunked.contains("transfer-encoding: chunked\r\n"));
    assert_eq!(body_of(&chunked), "5\r\nabcde\r\n0\r\n\r\n");

    let started = now_us();
    demo.get("/slow?ms=100");
    assert!(now_us() - started >= 100_000);
    assert_eq!(body_of(&demo.get("/drip?n=3&ms=10")), "abc");

    let stats = demo.stats();
    assert_eq!(stats["requests"], 6);
    assert_eq!(stats["requests_by_path"]["/bytes"], 2);
    assert_eq!(stats["finished"], 6);
    assert_eq!(stats["aborted"], 0);
    assert_eq!(stats["streams_open"], 0);
}

#[test]
fn die_closes_where_it_was_told_to() {
    let demo = Demo::start();
    assert_eq!(demo.get("/die?when=before"), "");
    for (when, chunked, body) in [("head", 0, 0), ("head", 1, 0), ("body", 0, 500)] {
        let answer = demo.get(&format!("/die?when={when}&chunked={chunked}"));
        assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
        assert_eq!(answer.contains("content-length: 1000\r\n"), chunked == 0);
        assert_eq!(body_of(&answer).len(), body);
    }
    // The chunk is whole, the last one is missing.
    let answer = demo.get("/die?when=body&chunked=1");
    assert!(body_of(&answer).starts_with("1F4\r\nabc"), "{answer}");
    assert!(!answer.ends_with("0\r\n\r\n"), "{answer}");
    assert_eq!(demo.stats()["aborted"], 0);
}

#[test]
fn a_silent_stream_that_is_given_up_is_counted_at_once() {
    let demo = Demo::start();
    let socket = demo.send("GET /sse?silent_s=60 HTTP/1.1", "", "");
    let mut lines = BufReader::new(&socket)
        .lines()
        .map(|line| line.expect("a line"));
    let event = lines
        .find_map(|line| line.strip_prefix("data: ").map(str::to_owned))
        .expect("the first event");
    let event: Value = serde_json::from_str(&event).expect("JSON");
    assert_eq!(event["seq"], 0);
    assert!(now_us() - event["sent_us"].as_u64().expect("a time") < 2_000_000);
    assert_eq!(demo.stats()["streams_open"], 1);

    let closed_us = now_us();
    drop(lines);
    drop(socket);
    let deadline_us = closed_us + 5_000_000;
    let stats = loop {
        let stats = demo.stats();
        if stats["aborted"] == 1 {
            break stats;
        }
        assert!(now_us() < deadline_us, "never noticed: {stats}");
    };
    assert_eq!(stats["streams_open"], 0);
    let abort = &stats["aborts"][0];
    assert_eq!(abort["path"], "/sse");
    assert!(abort["at_us"].as_u64().expect("a time") + 1000 >= closed_us);
}

#[test]
fn tools_answer_in_both_eras() {
    let demo = Demo::start();
    let json = "Accept: application/json, text/event-stream\r\nContent-Type: application/json\r\n";

    let initialize = r#"{"jsonrpc":"2.0","id":1,"method":"initialize","params":{"protocolVersion":"2025-06-18","capabilities":{},"clientInfo":{"name":"t","version":"1"}}}"#;
    let fields = json.to_owned();
    let answer = read_until(
        &demo.send("POST /mcp HTTP/1.1", &fields, initialize),
        "edge-demo",
    );
    assert!(answer.contains("mcp-session-id: "), "{answer}");

    let call = r#"{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"count","arguments":{"n":2,"interval_ms":10},"_meta":{"progressToken":"p","io.modelcontextprotocol/protocolVersion":"2026-07-28","io.modelcontextprotocol/clientInfo":{"name":"t","version":"1"},"io.modelcontextprotocol/clientCapabilities":{}}}}"#;
    let fields = format!(
        "{json}MCP-Protocol-Version: 2026-07-28\r\nMcp-Method: tools/call\r\nMcp-Name: count\r\n"
    );
    let answer = demo.exchange("POST /mcp HTTP/1.1", &fields, call);
    assert!(!answer.contains("mcp-session-id: "), "{answer}");
    assert_eq!(
        answer.matches("notifications/progress").count(),
        2,
        "{answer}"
    );
    assert!(answer.contains("counted to 2"), "{answer}");
}

/// Reads until `mark` has come.
fn read_until(mut socket: &TcpStream, mark: &str) -> String {
    let mut answer = String::new();
    let mut piece = [0; 4096];
    while !answer.contains(mark) {
        let n = socket.read(&mut piece).expect("more of the answer");
        assert!(n > 0, "ended without {mark}: {answer}");
        answer.push_str(&String::from_utf8_lossy(&piece[..n]));
    }
    answer
}
