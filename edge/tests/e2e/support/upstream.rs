//! Upstreams: the demo server, and a scripted one that records what reaches it.

use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::process::Command;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use super::bins;
use super::process::Process;
use super::system::free_port;

/// The demo upstream of the `bench` crate.
pub(crate) struct Demo {
    pub(crate) address: SocketAddr,
    pub(crate) process: Process,
}

impl Demo {
    /// Starts it on the loopback address.
    pub(crate) fn start() -> Demo {
        Demo::start_at(([127, 0, 0, 1], free_port()).into(), None)
    }

    /// Starts it, inside a network namespace if one is given.
    pub(crate) fn start_at(address: SocketAddr, netns: Option<&str>) -> Demo {
        let mut command = super::netns::command(netns, &bins::edge_demo());
        command.args(["--listen", &address.to_string()]);
        let mut process = Process::start("edge-demo", command);
        process.wait_for("listening on", Duration::from_secs(10));
        Demo { address, process }
    }

    /// Starts it on a Unix socket that everybody may use.
    pub(crate) fn start_unix(path: &Path) -> Demo {
        let mut command = Command::new(bins::edge_demo());
        command
            .arg("--listen")
            .arg(format!("unix:{}", path.display()));
        let mut process = Process::start("edge-demo", command);
        process.wait_for("listening on", Duration::from_secs(10));
        let everybody = std::os::unix::fs::PermissionsExt::from_mode(0o777);
        std::fs::set_permissions(path, everybody).expect("we own it");
        let nowhere = SocketAddr::from(([127, 0, 0, 1], 0));
        Demo {
            address: nowhere,
            process,
        }
    }
}

/// What a scripted upstream does after it has read a request head.
#[derive(Clone, Debug)]
pub(crate) enum Answer {
    /// Sends the bytes and waits for the next request.
    Keep(Vec<u8>),
    /// Sends the bytes and closes.
    Close(Vec<u8>),
    /// Sends the first bytes in answer to the first request of a connection, the others in answer to
    /// the second, and closes it like this.
    Then(Vec<u8>, Vec<u8>, Farewell),
    /// Sends the bytes and resets the connection.
    Reset(Vec<u8>),
    /// Sends the bytes one by one, and closes.
    Slowly(Vec<u8>),
    /// Sends the bytes, then neither speaks nor closes nor reads.
    Hold(Vec<u8>),
    /// Answers requests for `/good` and no others.
    OnlyGood,
    /// Answers with the first bytes where the target begins so, else with the others.
    Either(&'static str, Vec<u8>, Vec<u8>),
    /// Answers 425 to what came in early data (RFC 8470), and 200 to everything else.
    TooEarly,
    /// Sends the same bytes again and again, at this interval, until the peer closes.
    Repeat(Vec<u8>, Duration),
}

/// How a connection is closed.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Farewell {
    Fin,
    Rst,
}

/// A scripted TCP server. It answers every request head it sees and records every byte.
pub(crate) struct Upstream {
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    answer: Answer,
    stop: AtomicBool,
    connections: AtomicUsize,
    closed: AtomicUsize,
    received: Mutex<Vec<u8>>,
}

impl Upstream {
    /// Starts one that treats every request alike.
    pub(crate) fn start(answer: Answer) -> Upstream {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback address can be bound");
        let address = listener
            .local_addr()
            .expect("a bound socket has an address");
        let shared = Arc::new(Shared {
            answer,
            stop: AtomicBool::new(false),
            connections: AtomicUsize::new(0),
            closed: AtomicUsize::new(0),
            received: Mutex::default(),
        });
        let for_threads = Arc::clone(&shared);
        std::thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if for_threads.stop.load(SeqCst) {
                    return;
                }
                for_threads.connections.fetch_add(1, SeqCst);
                let shared = Arc::clone(&for_threads);
                std::thread::spawn(move || {
                    shared.serve(stream);
                    shared.closed.fetch_add(1, SeqCst);
                });
            }
        });
        Upstream { address, shared }
    }

    /// One that answers 200 with a body and keeps the connection.
    pub(crate) fn ok() -> Upstream {
        Upstream::start(Answer::Keep(
            b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok".to_vec(),
        ))
    }

    /// Everything received so far, all connections together.
    pub(crate) fn received(&self) -> String {
        String::from_utf8_lossy(
            &self
                .shared
                .received
                .lock()
                .expect("nothing panics while holding it"),
        )
        .into_owned()
    }

    /// Connections accepted so far.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(SeqCst)
    }

    /// Connections ended so far, by either side.
    pub(crate) fn closed(&self) -> usize {
        self.shared.closed.load(SeqCst)
    }
}

impl Drop for Upstream {
    fn drop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        // Wakes the accepting thread; when that fails the listener is gone already.
        let _ = TcpStream::connect(self.address);
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        stream
            .set_nodelay(true)
            .expect("TCP sockets have TCP_NODELAY");
        stream
            .set_read_timeout(Some(Duration::from_millis(100)))
            .expect("the time-out is not zero");
        let mut unanswered = Vec::new();
        let mut is_first = true;
        while self.read_into(&mut stream, &mut unanswered) {
            while let Some(end) = memchr::memmem::find(&unanswered, b"\r\n\r\n") {
                let head: Vec<u8> = unanswered.drain(..end + 4).collect();
                if !self.answer(&mut stream, &head, is_first) {
                    return;
                }
                is_first = false;
            }
        }
    }

    /// Whether to go on with this connection.
    fn answer(&self, stream: &mut TcpStream, head: &[u8], is_first: bool) -> bool {
        match &self.answer {
            Answer::OnlyGood if head.starts_with(b"GET /good ") => stream
                .write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\ngood")
                .is_ok(),
            Answer::OnlyGood => true,
            Answer::Either(target, those, others) => {
                let target = format!(" {target}");
                let bytes = match memchr::memmem::find(head, target.as_bytes()) {
                    Some(_) => those,
                    None => others,
                };
                stream.write_all(bytes).is_ok()
            }
            Answer::TooEarly => {
                let is_early = memchr::memmem::find(head, b"arly-Data: 1").is_some()
                    || memchr::memmem::find(head, b"arly-data: 1").is_some();
                let status = if is_early { "425 Too Early" } else { "200 OK" };
                let answer = format!("HTTP/1.1 {status}\r\nContent-Length: 0\r\n\r\n");
                stream.write_all(answer.as_bytes()).is_ok()
            }
            Answer::Keep(bytes) => stream.write_all(bytes).is_ok(),
            Answer::Close(bytes) => {
                let _ = stream.write_all(bytes);
                false
            }
            Answer::Then(first, ..) if is_first => stream.write_all(first).is_ok(),
            Answer::Then(_, second, farewell) => {
                let _ = stream.write_all(second);
                if matches!(farewell, Farewell::Rst) {
                    reset_at_close(stream);
                }
                false
            }
            Answer::Reset(bytes) => {
                let _ = stream.write_all(bytes);
                reset_at_close(stream);
                false
            }
            Answer::Slowly(bytes) => {
                for byte in bytes {
                    let _ = stream.write_all(&[*byte]);
                    std::thread::sleep(Duration::from_millis(3));
                }
                false
            }
            Answer::Hold(bytes) => {
                let _ = stream.write_all(bytes);
                self.hold();
                false
            }
            Answer::Repeat(bytes, interval) => {
                stream
                    .set_read_timeout(Some(*interval))
                    .expect("the time-out is not zero");
                while stream.write_all(bytes).is_ok() && self.read_into(stream, &mut Vec::new()) {}
                false
            }
        }
    }

    fn hold(&self) {
        while !self.stop.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(20));
        }
    }

    /// Reads once and records; false when the peer has closed or the test is over.
    fn read_into(&self, stream: &mut TcpStream, unanswered: &mut Vec<u8>) -> bool {
        let mut chunk = [0; 64 * 1024];
        match stream.read(&mut chunk) {
            Ok(0) => false,
            Ok(read) => {
                self.received
                    .lock()
                    .expect("nothing panics while holding it")
                    .extend_from_slice(&chunk[..read]);
                unanswered.extend_from_slice(&chunk[..read]);
                true
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                !self.stop.load(SeqCst)
            }
            Err(_) => false,
        }
    }
}

fn reset_at_close(stream: &TcpStream) {
    let socket = socket2::SockRef::from(stream);
    let now = Some(Duration::ZERO);
    socket.set_linger(now).expect("TCP sockets have SO_LINGER");
}
