//! A server that answers with its name, can be stopped and started again, and counts.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicU16, AtomicUsize, Ordering::SeqCst};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// The server. Dropping it stops it.
pub(super) struct Named {
    pub(super) address: SocketAddr,
    shared: Arc<Shared>,
    accepting: Option<JoinHandle<()>>,
}

struct Shared {
    name: &'static str,
    delay: Duration,
    stop: AtomicBool,
    /// What `/health` answers; 0 closes without an answer.
    health: AtomicU16,
    checks: AtomicUsize,
    /// Answer nothing but close.
    broken: AtomicBool,
    now: AtomicUsize,
    most: AtomicUsize,
    open: Mutex<Vec<TcpStream>>,
}

impl Named {
    pub(super) fn start(name: &'static str) -> Named {
        Named::start_slow(name, Duration::ZERO)
    }

    /// One that takes its time for every answer.
    pub(super) fn start_slow(name: &'static str, delay: Duration) -> Named {
        Named::start_at(name, delay, ([127, 0, 0, 1], 0).into())
    }

    pub(super) fn start_at(name: &'static str, delay: Duration, address: SocketAddr) -> Named {
        let mut server = Named {
            address,
            shared: Arc::new(Shared {
                name,
                delay,
                stop: AtomicBool::new(false),
                health: AtomicU16::new(200),
                checks: AtomicUsize::new(0),
                broken: AtomicBool::new(false),
                now: AtomicUsize::new(0),
                most: AtomicUsize::new(0),
                open: Mutex::default(),
            }),
            accepting: None,
        };
        server.restart();
        server
    }

    /// Refuses connections and ends those there are.
    pub(super) fn stop(&mut self) {
        self.shared.stop.store(true, SeqCst);
        // Wakes the accepting thread, which takes its listener along.
        let _ = TcpStream::connect(self.address);
        if let Some(accepting) = self.accepting.take() {
            accepting.join().expect("it does not panic");
        }
        for stream in self.shared.open.lock().expect("nobody panics").drain(..) {
            // The peer may have closed it.
            let _ = stream.shutdown(std::net::Shutdown::Both);
        }
    }

    /// Listens on the same port again.
    pub(super) fn restart(&mut self) {
        self.shared.stop.store(false, SeqCst);
        let socket = socket2::Socket::new(socket2::Domain::IPV4, socket2::Type::STREAM, None)
            .expect("a socket");
        socket.set_reuse_address(true).expect("a TCP socket");
        socket.bind(&self.address.into()).expect("the port is free");
        socket.listen(128).expect("it is bound");
        let listener: std::net::TcpListener = socket.into();
        self.address = listener.local_addr().expect("it is bound");
        let shared = Arc::clone(&self.shared);
        self.accepting = Some(std::thread::spawn(move || {
            for stream in listener.incoming() {
                let Ok(stream) = stream else { return };
                if shared.stop.load(SeqCst) {
                    return;
                }
                let copy = stream.try_clone().expect("descriptors are left");
                shared.open.lock().expect("nobody panics").push(copy);
                let shared = Arc::clone(&shared);
                std::thread::spawn(move || shared.serve(stream));
            }
        }));
    }

    /// What `/health` answers from now on.
    pub(super) fn set_health(&self, status: u16) {
        self.shared.health.store(status, SeqCst);
    }

    /// Whether requests are answered by closing the connection.
    pub(super) fn set_broken(&self, broken: bool) {
        self.shared.broken.store(broken, SeqCst);
    }

    /// Health checks so far.
    pub(super) fn checks(&self) -> usize {
        self.shared.checks.load(SeqCst)
    }

    /// The most requests under way at the same time.
    pub(super) fn most_at_once(&self) -> usize {
        self.shared.most.load(SeqCst)
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Shared {
    fn serve(&self, mut stream: TcpStream) {
        let mut received = Vec::new();
        let mut chunk = [0; 4096];
        while let Ok(read @ 1..) = stream.read(&mut chunk) {
            received.extend_from_slice(&chunk[..read]);
            while let Some(end) = memchr::memmem::find(&received, b"\r\n\r\n") {
                let head: Vec<u8> = received.drain(..end + 4).collect();
                if !self.answer(&mut stream, &head) {
                    let _ = stream.shutdown(std::net::Shutdown::Both);
                    return;
                }
            }
        }
    }

    fn answer(&self, stream: &mut TcpStream, head: &[u8]) -> bool {
        if head.starts_with(b"GET /health ") {
            self.checks.fetch_add(1, SeqCst);
            let status = self.health.load(SeqCst);
            let answer = format!("HTTP/1.1 {status} X\r\nContent-Length: 0\r\n\r\n");
            return status != 0 && stream.write_all(answer.as_bytes()).is_ok();
        }
        if self.broken.load(SeqCst) {
            return false;
        }
        let now = self.now.fetch_add(1, SeqCst) + 1;
        self.most.fetch_max(now, SeqCst);
        std::thread::sleep(self.delay);
        self.now.fetch_sub(1, SeqCst);
        let name = self.name;
        let answer = format!(
            "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{name}",
            name.len()
        );
        stream.write_all(answer.as_bytes()).is_ok()
    }
}
