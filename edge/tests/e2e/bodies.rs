//! Request bodies: bounded, read whole where a route wants that, and never for ever; responses that
//! come bit by bit.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering::SeqCst};
use std::time::{Duration, Instant};

use crate::support::{
    Answer, Client, Edge, H2, Setup, Upstream, h2_request, light, rss_bytes, wait_until,
};

const LIMIT: Duration = Duration::from_secs(20);
const MEBIBYTE: usize = 1024 * 1024;

/// A server that reads a body of known length slowly and answers how long it was and its sum.
struct Slow {
    address: SocketAddr,
    connections: Arc<AtomicUsize>,
}

impl Slow {
    fn start(pause_per_mebibyte: Duration) -> Slow {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback address");
        let address = listener.local_addr().expect("it is bound");
        let connections = Arc::<AtomicUsize>::default();
        let counter = Arc::clone(&connections);
        std::thread::spawn(move || {
            for stream in listener.incoming().take(100).flatten() {
                counter.fetch_add(1, SeqCst);
                std::thread::spawn(move || serve(stream, pause_per_mebibyte));
            }
        });
        Slow {
            address,
            connections,
        }
    }

    fn connections(&self) -> usize {
        self.connections.load(SeqCst)
    }
}

fn serve(mut stream: TcpStream, pause: Duration) {
    let (mut head, mut byte) = (Vec::new(), [0]);
    while !head.ends_with(b"\r\n\r\n") {
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8_lossy(&head).to_ascii_lowercase();
    let length = head
        .lines()
        .find_map(|line| line.strip_prefix("content-length: "))
        .map_or(0, |length| length.parse().expect("a number"));
    let (mut left, mut sum) = (length, 0u64);
    let mut chunk = vec![0; MEBIBYTE];
    while left > 0 {
        let piece = left.min(MEBIBYTE);
        if stream.read_exact(&mut chunk[..piece]).is_err() {
            return;
        }
        sum += chunk[..piece].iter().map(|&b| u64::from(b)).sum::<u64>();
        left -= piece;
        std::thread::sleep(pause);
    }
    let body = format!("{length} {sum}");
    let answer = format!(
        "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    // The client may have gone.
    let _ = stream.write_all(answer.as_bytes());
}

/// Bytes that differ, and their sum.
fn content(bytes: usize) -> (Vec<u8>, u64) {
    let content: Vec<u8> = (0..bytes).map(|i| (i % 251) as u8).collect();
    let sum = content.iter().map(|&b| u64::from(b)).sum();
    (content, sum)
}

fn buffered(server: &Slow) -> Edge {
    Setup::new(server.address)
        .route("buffer_request = true\nmax_body = \"60MiB\"")
        .start()
}

fn head(length: usize) -> String {
    format!("POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: {length}\r\n\r\n")
}

#[test]
fn a_large_upload_waits_in_a_file_for_a_slow_server() {
    let _machine = light();
    const BYTES: usize = 50_000_000;
    let server = Slow::start(Duration::from_millis(20));
    let edge = buffered(&server);
    let (content, sum) = content(BYTES);
    assert_eq!(edge.tls().exchange(head(3) + "abc").text(), "3 294");
    let before = rss_bytes(edge.process.pid());
    let mut client = edge.tls();
    client.send(head(BYTES));
    client.send(&content[..BYTES / 2]);
    std::thread::sleep(Duration::from_millis(200));
    assert_eq!(server.connections(), 1, "asked before the body was whole");
    client.send(&content[BYTES / 2..]);
    let grown = rss_bytes(edge.process.pid()).saturating_sub(before);
    let response = client.response_within(false, LIMIT).expect("an answer");
    assert_eq!(response.text(), format!("{BYTES} {sum}"));
    assert!(grown < 24 * MEBIBYTE as u64, "{grown} bytes of memory");
    // Nothing of it is left open.
    let files = std::fs::read_dir(format!("/proc/{}/fd", edge.process.pid())).expect("procfs");
    let deleted = files
        .flatten()
        .filter_map(|file| std::fs::read_link(file.path()).ok())
        .filter(|target| target.to_string_lossy().ends_with(" (deleted)"))
        .count();
    assert_eq!(deleted, 0);
}

#[test]
fn a_body_that_was_read_whole_has_a_length() {
    let _machine = light();
    let server = Slow::start(Duration::ZERO);
    let edge = buffered(&server);
    for bytes in [1, 70_000, 300_000] {
        let (content, sum) = content(bytes);
        let mut client = edge.plain();
        client.send("POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n");
        for piece in content.chunks(10_000) {
            client.send(format!("{:x}\r\n", piece.len()));
            client.send(piece);
            client.send("\r\n");
        }
        client.send("0\r\n\r\n");
        assert_eq!(client.response(false).text(), format!("{bytes} {sum}"));
        let mut client = H2::connect(edge.https, edge.authority());
        let response = client.post("/", &[], &content);
        assert_eq!(response.text(), format!("{bytes} {sum}"));
    }
}

#[test]
fn a_request_that_asks_to_pass_as_it_comes_is_not_read_whole() {
    let _machine = light();
    let server = Slow::start(Duration::ZERO);
    let edge = buffered(&server);
    for (field, connects) in [
        ("", false),
        ("Incremental: ?0\r\n", false),
        ("Incremental: ?1\r\n", true),
    ] {
        let before = server.connections();
        let mut client = edge.plain();
        client.send(format!(
            "POST / HTTP/1.1\r\nHost: localhost\r\n{field}Content-Length: 10\r\n\r\nhalf "
        ));
        let patience = if connects {
            LIMIT
        } else {
            Duration::from_secs(1)
        };
        let asked = wait_until(patience, || server.connections() > before);
        assert_eq!(asked, connects, "{field:?}");
        client.send("whole");
        assert_eq!(client.response(false).status, 200);
    }
}

#[test]
fn a_client_that_gives_up_reaches_no_server() {
    let _machine = light();
    let server = Slow::start(Duration::ZERO);
    let edge = buffered(&server);
    let mut client = edge.tls();
    client.send(head(200_000));
    client.send(vec![b'x'; 150_000]);
    drop(client);
    let line = edge.log_line(|line| line["error"] == "client_gone");
    assert_eq!(line["status"], 499);
    assert_eq!(server.connections(), 0);
}

#[test]
fn bodies_beyond_the_bound_are_answered_413() {
    let _machine = light();
    // It answers nothing before it has the whole body.
    let silent = Upstream::start(Answer::Hold(Vec::new()));
    let server = Slow::start(Duration::ZERO);
    let edge = Setup::new(server.address)
        .route("max_body = \"1MiB\"")
        .more_routes(
            "[[host.route]]\npath = \"/whole\"\nupstream = \"origin\"\nmax_body = 1000\n\
             buffer_request = true\n\
             [[host.route]]\npath = \"/silent\"\nupstream = \"silent\"\nmax_body = 1000\n",
        )
        .section(
            "upstream.silent",
            &format!("servers = [\"{}\"]", silent.address),
        )
        .start();
    assert_eq!(edge.plain().exchange(head(3) + "abc").status, 200);
    let connections = server.connections();
    // By its length: before any of it has come.
    for client in [&mut edge.plain(), &mut edge.tls()] {
        client.send(head(MEBIBYTE + 1));
        let response = client.response_within(false, LIMIT).expect("an answer");
        assert_eq!(response.status, 413);
    }
    assert_eq!(server.connections(), connections);
    // By what comes.
    let chunked = "Host: localhost\r\nTransfer-Encoding: chunked\r\n\r\n";
    let mut client = edge.plain();
    client.send(format!("POST /whole HTTP/1.1\r\n{chunked}3e9\r\n"));
    client.send([b'x'; 1001]);
    assert_eq!(
        client
            .response_within(false, LIMIT)
            .expect("an answer")
            .status,
        413
    );
    let mut client = edge.plain();
    client.send(format!("POST /silent HTTP/1.1\r\n{chunked}3e9\r\n"));
    client.send([b'x'; 1001]);
    assert_eq!(
        client
            .response_within(false, LIMIT)
            .expect("an answer")
            .status,
        413
    );
    let mut client = H2::connect(edge.https, edge.authority());
    let body = bytes::Bytes::from(vec![b'x'; 2000]);
    let response = client
        .exchange(h2_request("POST", "/whole", &[]), Some(body), LIMIT)
        .expect("an answer");
    assert_eq!(response.status, 413);
    edge.log_line(|line| line["error"] == "body_too_large");
}

#[test]
fn a_body_that_trickles_is_answered_408() {
    let _machine = light();
    let server = Slow::start(Duration::ZERO);
    let edge = Setup::new(server.address)
        .section("bounds", "body_rate = 1000")
        .more_routes(
            "[[host.route]]\npath = \"/whole\"\nupstream = \"origin\"\nbuffer_request = true\n\
             [[host.route]]\npath = \"/mcp\"\nupstream = \"origin\"\nmcp = true\n",
        )
        .start();
    let trickle = |path: &str, piece: usize| {
        let mut client = edge.tls();
        let head = head(1_000_000).replace("POST /", &format!("POST {path}"));
        client.send(head);
        let start = Instant::now();
        while start.elapsed() < Duration::from_secs(12) {
            // The start of a JSON message, too.
            if client.try_send(&vec![b' '; piece]).is_err() {
                break;
            }
            if let Ok(response) = client.response_within(false, Duration::from_millis(100)) {
                return Some((response.status, start.elapsed()));
            }
        }
        None
    };
    std::thread::scope(|scope| {
        let slow = ["/", "/whole", "/mcp"].map(|path| scope.spawn(move || trickle(path, 10)));
        let enough = scope.spawn(|| trickle("/whole", 300));
        for slow in slow {
            let (status, after) = slow.join().expect("no panic").expect("an answer");
            assert_eq!(status, 408);
            assert!(after > Duration::from_secs(9), "after {after:?}");
        }
        assert_eq!(enough.join().expect("no panic"), None, "fast enough");
    });
    edge.log_line(|line| line["error"] == "body_timeout" && line["status"] == 408);
}

/// A server that sends a head and a word, and another word when told to.
fn in_two_steps(fields: &'static str, told: Arc<AtomicUsize>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback address");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for mut stream in listener.incoming().take(10).flatten() {
            let told = Arc::clone(&told);
            std::thread::spawn(move || {
                let _ = stream.read(&mut [0; 4096]);
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\n{fields}\r\none");
                let _ = stream.write_all(head.as_bytes());
                wait_until(LIMIT, || told.load(SeqCst) > 0);
                let _ = stream.write_all(b"two");
            });
        }
    });
    address
}

#[test]
fn what_comes_is_passed_on_at_once() {
    let _machine = light();
    for fields in ["", "X-Accel-Buffering: no\r\n", "Incremental: ?1\r\n"] {
        let told = Arc::<AtomicUsize>::default();
        let server = in_two_steps(fields, Arc::clone(&told));
        // Once it has begun, a response without length may take as long as it likes.
        let edge = Setup::new(server)
            .upstream(&format!(
                "servers = [\"{server}\"]\nresponse_timeout = \"500ms\""
            ))
            .start();
        let mut client: Client = edge.tls();
        client.send("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n");
        let start = client.read_until("one", LIMIT);
        let field = fields.trim_end().to_ascii_lowercase();
        assert!(start.to_ascii_lowercase().contains(&field), "{start}");
        std::thread::sleep(Duration::from_secs(1));
        told.store(1, SeqCst);
        client.read_until("two", LIMIT);
        client.read_until("0\r\n\r\n", LIMIT);
    }
}
