//! Drives the origin binary over sockets.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

/// Of every answer to a call.
const HEAD_BYTES: usize = 73;

struct Origin {
    child: Child,
    address: String,
}

impl Origin {
    fn start() -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_bench-origin"))
            .args(["--listen", "127.0.0.1:0"])
            .stdout(Stdio::piped())
            .spawn()
            .expect("the origin starts");
        let mut line = String::new();
        BufReader::new(child.stdout.take().expect("stdout is piped"))
            .read_line(&mut line)
            .expect("it says where it listens");
        let address = line.strip_prefix("listening on http://");
        let address = address.expect("the announced form").trim_end().to_owned();
        Self { child, address }
    }

    fn connect(&self) -> TcpStream {
        let socket = TcpStream::connect(&self.address).expect("a connection");
        let timeout = Some(Duration::from_secs(10));
        socket.set_read_timeout(timeout).expect("a timeout");
        socket
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

#[test]
fn calls_are_answered_with_their_own_nonce_however_they_arrive() {
    let origin = Origin::start();
    let mut socket = origin.connect();
    let call = |nonce: &str| {
        let body = format!(
            r#"{{"jsonrpc":"2.0","id":"{nonce}","method":"{}"}}"#,
            "q".repeat(147)
        );
        format!("POST /mcp HTTP/1.1\r\nHost: x\r\nContent-Length: 200\r\n\r\n{body}")
    };
    // Two at once, the third in two pieces.
    let (a, b, c) = (
        call("0000000000000001"),
        call("0000000000000002"),
        call("0000000000000003"),
    );
    let (first, second) = c.split_at(100);
    write!(socket, "{a}{b}{first}").expect("sent");
    for nonce in 1..=3 {
        if nonce == 3 {
            socket.write_all(second.as_bytes()).expect("sent");
        }
        let mut answer = vec![0; HEAD_BYTES + 1024];
        socket.read_exact(&mut answer).expect("an answer");
        let text = String::from_utf8(answer).expect("text");
        let (head, body) = text.split_once("\r\n\r\n").expect("a head");
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n"), "{head}");
        assert!(head.ends_with("Content-Length: 1024"), "{head}");
        assert_eq!(body.len(), 1024);
        assert!(
            body.starts_with(&format!(
                r#"{{"jsonrpc":"2.0","id":"000000000000000{nonce}","result":"#
            )),
            "{body}"
        );
    }
}

#[test]
fn streams_tick_beside_each_other() {
    let origin = Origin::start();
    let streams: Vec<_> = (0..8)
        .map(|_| {
            let mut socket = origin.connect();
            write!(socket, "GET /sse?interval_ms=10 HTTP/1.1\r\n\r\n").expect("sent");
            socket
        })
        .collect();
    for socket in streams {
        let lines = BufReader::new(socket)
            .lines()
            .map(|line| line.expect("a line"));
        let events: Vec<_> = lines
            .filter(|line| line.starts_with("data: "))
            .take(5)
            .collect();
        for (seq, event) in events.iter().enumerate() {
            assert!(
                event.starts_with(&format!("data: {{\"seq\":{seq},")),
                "{event}"
            );
        }
    }
}

#[test]
fn what_it_does_not_speak_ends_the_connection() {
    let origin = Origin::start();
    let mut socket = origin.connect();
    socket
        .write_all(b"DELETE / HTTP/1.1\r\n\r\n")
        .expect("sent");
    let mut rest = Vec::new();
    socket.read_to_end(&mut rest).expect("an end");
    assert!(rest.is_empty());
}
