//! The server behind all of them: what it answers is in the path, what reached it is kept.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use crate::support::wait_until;

/// Accepts the key of RFC 6455 §1.3.
const SWITCH: &str = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\
    Connection: Upgrade\r\nSec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

/// One request as it arrived.
#[derive(Clone, Debug, Default)]
pub(super) struct Seen {
    pub(super) line: String,
    pub(super) fields: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
    pub(super) is_chunked: bool,
}

/// The server. Dropping it closes every connection.
pub(super) struct Origin {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
}

#[derive(Default)]
struct Shared {
    stop: AtomicBool,
    /// Event streams wait for this after their first event.
    release: AtomicBool,
    last: Mutex<Option<Seen>>,
    open: AtomicUsize,
}

impl Origin {
    pub(super) fn start() -> Origin {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback address can be bound");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared::default());
        let for_threads = Arc::clone(&shared);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if for_threads.stop.load(SeqCst) {
                    return;
                }
                let shared = Arc::clone(&for_threads);
                shared.open.fetch_add(1, SeqCst);
                std::thread::spawn(move || {
                    shared.serve(stream);
                    shared.open.fetch_sub(1, SeqCst);
                });
            }
        });
        Origin { address, shared }
    }

    /// The request that reached it since the last call.
    pub(super) fn take(&self) -> Option<Seen> {
        let mut last = self.shared.last.lock().expect("no thread panics with it");
        last.take()
    }

    /// Closes every connection and takes no more.
    pub(super) fn stop(&self) {
        self.shared.stop.store(true, SeqCst);
        // Wakes the accepting thread; when that fails the listener is gone already.
        let _ = TcpStream::connect(self.address);
        let gone = wait_until(Duration::from_secs(10), || {
            self.shared.open.load(SeqCst) == 0 && TcpStream::connect(self.address).is_err()
        });
        assert!(gone, "connections of the origin end");
    }

    /// Lets event streams go on, or makes the next ones wait.
    pub(super) fn release(&self, go_on: bool) {
        self.shared.release.store(go_on, SeqCst);
    }
}

impl Drop for Origin {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        let tick = Duration::from_millis(50);
        stream
            .set_read_timeout(Some(tick))
            .expect("the time-out is not zero");
        let mut buffer = Vec::new();
        while let Some(seen) = self.request(&mut stream, &mut buffer) {
            let mut line = seen.line.split(' ');
            let (method, target) = (line.next().unwrap_or(""), line.next().unwrap_or(""));
            let path = target.split('?').next().unwrap_or("");
            let what = path.rsplit('/').next().unwrap_or("").to_owned();
            let is_head = method == "HEAD";
            let upgrades = seen
                .fields
                .iter()
                .any(|(name, _)| name.eq_ignore_ascii_case("upgrade"));
            let body = seen.body.clone();
            *self.last.lock().expect("no thread panics with it") = Some(seen);
            if !self.answer(&mut stream, &what, is_head, upgrades, &body) {
                return;
            }
        }
    }

    /// Reads one request whole; `None` at the end.
    fn request(&self, stream: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
        loop {
            if let Some((seen, used)) = parse(buffer) {
                buffer.drain(..used);
                return Some(seen);
            }
            let mut chunk = [0; 65536];
            match stream.read(&mut chunk) {
                Ok(0) => return None,
                Ok(n) => buffer.extend_from_slice(&chunk[..n]),
                Err(error) if error.kind() == std::io::ErrorKind::WouldBlock => {
                    if self.stop.load(SeqCst) {
                        return None;
                    }
                }
                Err(_) => return None,
            }
        }
    }

    /// Whether the connection goes on.
    fn answer(
        &self,
        stream: &mut TcpStream,
        what: &str,
        is_head: bool,
        upgrades: bool,
        body: &[u8],
    ) -> bool {
        let mut send = |text: &str| stream.write_all(text.as_bytes()).is_ok();
        match what {
            "close" => false,
            "garbage" => {
                send("this is not HTTP\r\n");
                false
            }
            "cut" => {
                send("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nhello");
                false
            }
            "until-close" => {
                send("HTTP/1.1 200 OK\r\nConnection: close\r\n\r\nhello");
                false
            }
            "silent" => {
                // Longer than any of them waits.
                wait_until(Duration::from_secs(6), || self.stop.load(SeqCst));
                false
            }
            "bad-request" => send("HTTP/1.1 400 Bad Request\r\nContent-Length: 3\r\n\r\nno\n"),
            "error" => send("HTTP/1.1 500 Oops\r\nContent-Length: 3\r\n\r\nno\n"),
            "no-content" => send("HTTP/1.1 204 No Content\r\n\r\n"),
            "not-modified" => send("HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\n\r\n"),
            "moved" => send(
                "HTTP/1.1 302 Found\r\nLocation: https://mcp.example.com/there\r\nContent-Length: 0\r\n\r\n",
            ),
            "fields" => send(
                "HTTP/1.1 200 OK\r\nContent-Length: 3\r\nServer: origin\r\nX-Powered-By: tests\r\n\
                 Set-Cookie: a=1\r\nSet-Cookie: b=2\r\nX-Frame-Options: SAMEORIGIN\r\n\
                 X-Mixed-Case: Yes\r\nDate: Sun, 06 Nov 1994 08:49:37 GMT\r\nVia: 1.1 inner\r\n\
                 Cache-Control: no-store\r\nETag: W/\"x\"\r\nKeep-Alive: timeout=5\r\n\
                 Connection: X-Hop\r\nX-Hop: gone\r\nProxy-Authenticate: Basic\r\n\r\nok\n",
            ),
            "chunked" => send(
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: X-Sum\r\n\r\n\
                 3\r\nabc\r\n3\r\ndef\r\n0\r\nX-Sum: 6\r\n\r\n",
            ),
            "hints" => send(
                "HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n\
                 HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nok\n",
            ),
            "accel" => send(
                "HTTP/1.1 200 OK\r\nX-Accel-Redirect: /health/ok\r\nContent-Length: 3\r\n\r\nno\n",
            ),
            "events" | "events-accel" => {
                let accel = match what {
                    "events-accel" => "X-Accel-Buffering: no\r\n",
                    _ => "",
                };
                send(&format!(
                    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\n{accel}\
                     Connection: close\r\n\r\ndata: one\n\n"
                ));
                wait_until(Duration::from_secs(8), || self.release.load(SeqCst));
                send("data: two\n\n");
                false
            }
            "socket" if upgrades => {
                send(SWITCH);
                let mut frame = [0; 64];
                // Time-outs are ticks; the test sends one frame.
                wait_until(Duration::from_secs(5), || {
                    stream.read(&mut frame).is_ok_and(|n| {
                        let _ = stream.write_all(&frame[..n]);
                        true
                    })
                });
                false
            }
            "echo" => {
                send(&format!(
                    "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n",
                    body.len()
                )) && (is_head || stream.write_all(body).is_ok())
            }
            _ => {
                send("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: 3\r\n\r\n")
                    && (is_head || stream.write_all(b"ok\n").is_ok())
            }
        }
    }
}

/// The request at the start of `bytes`, if it is all there.
fn parse(bytes: &[u8]) -> Option<(Seen, usize)> {
    let head = memchr::memmem::find(bytes, b"\r\n\r\n")?;
    let text = String::from_utf8_lossy(&bytes[..head]).into_owned();
    let mut lines = text.split("\r\n");
    let line = lines.next()?.to_owned();
    let fields: Vec<(String, String)> = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name.to_owned(), value.trim().to_owned()))
        .collect();
    let find = |wanted: &str| {
        let mut found = fields.iter();
        found
            .find(|(name, _)| name.eq_ignore_ascii_case(wanted))
            .map(|(_, value)| value.clone())
    };
    let mut rest = &bytes[head + 4..];
    let is_chunked = find("transfer-encoding").is_some();
    let mut body = Vec::new();
    if is_chunked {
        loop {
            let httparse::Status::Complete((used, size)) = httparse::parse_chunk_size(rest).ok()?
            else {
                return None;
            };
            let size = usize::try_from(size).expect("tests send less");
            if rest.len() < used + size + 2 {
                return None;
            }
            body.extend_from_slice(&rest[used..used + size]);
            rest = &rest[used + size + 2..];
            if size == 0 {
                break;
            }
        }
    } else {
        let length = find("content-length").map_or(0, |text| text.parse().unwrap_or(0));
        if rest.len() < length {
            return None;
        }
        body = rest[..length].to_vec();
        rest = &rest[length..];
    }
    let seen = Seen {
        line,
        fields,
        body,
        is_chunked,
    };
    Some((seen, bytes.len() - rest.len()))
}
