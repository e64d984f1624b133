//! A session that ends while calls of it are under way.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering::SeqCst};
use std::time::Duration;

use super::{ADD, LIMIT};
use crate::support::{Client, Setup, initialize, light, rpc, wait_until};

/// Issues one session, says so with every answer, and answers calls only when it is told to.
struct Slow {
    address: SocketAddr,
    calls: Arc<AtomicUsize>,
    speaks: Arc<AtomicBool>,
}

impl Slow {
    fn start() -> Slow {
        let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback address can be bound");
        let address = listener.local_addr().expect("it is bound");
        let calls = Arc::new(AtomicUsize::new(0));
        let speaks = Arc::new(AtomicBool::new(false));
        let (told, counted) = (Arc::clone(&speaks), Arc::clone(&calls));
        std::thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let (told, counted) = (Arc::clone(&told), Arc::clone(&counted));
                std::thread::spawn(move || serve(stream, &counted, &told));
            }
        });
        Slow {
            address,
            calls,
            speaks,
        }
    }
}

/// Whoever has gone in the meantime is no concern of its own.
fn serve(mut stream: TcpStream, calls: &AtomicUsize, told: &AtomicBool) -> Option<()> {
    let mut seen = Vec::new();
    let mut piece = [0; 4096];
    loop {
        let read = stream.read(&mut piece).ok().filter(|read| *read > 0)?;
        seen.extend_from_slice(&piece[..read]);
        let text = String::from_utf8_lossy(&seen).into_owned();
        let is_whole =
            text.ends_with('}') || text.starts_with("DELETE") && text.ends_with("\r\n\r\n");
        if !is_whole {
            continue;
        }
        let is_call = text.contains("tools/call");
        calls.fetch_add(is_call.into(), SeqCst);
        while is_call && !told.load(SeqCst) {
            std::thread::sleep(Duration::from_millis(5));
        }
        let status = if text.contains("\"id\"") || text.starts_with("DELETE") {
            "200 OK"
        } else {
            "202 Accepted"
        };
        let answer =
            format!("HTTP/1.1 {status}\r\nMcp-Session-Id: one\r\nContent-Length: 0\r\n\r\n");
        stream.write_all(answer.as_bytes()).ok()?;
        seen.clear();
    }
}

/// Its answer names the session once more, which does not bring it back.
#[test]
fn a_session_that_is_ended_during_a_call_stays_ended() {
    let _machine = light();
    let server = Slow::start();
    let edge = Setup::new(server.address)
        .top("workers = 2")
        .route("mcp = true")
        .start();
    let sessions = || edge.metrics().sum("edge_mcp_sessions", &[]);
    let id = initialize(&mut edge.plain()).unwrap_or_else(|r| panic!("{} {}", r.status, r.text()));
    assert!(wait_until(LIMIT, || sessions() == 1.0));
    let session = format!("Mcp-Session-Id: {id}");
    let mut callers: Vec<Client> = (0..4).map(|_| edge.plain()).collect();
    for caller in &mut callers {
        caller.send(rpc("/mcp", &[&session], ADD));
    }
    assert!(wait_until(LIMIT, || server.calls.load(SeqCst) == 4));
    let end = format!("DELETE /mcp HTTP/1.1\r\nHost: localhost\r\n{session}\r\n\r\n");
    assert_eq!(edge.plain().exchange(&end).status, 200);
    assert!(wait_until(LIMIT, || sessions() == 0.0));
    server.speaks.store(true, SeqCst);
    for caller in &mut callers {
        assert_eq!(
            caller
                .response_within(false, LIMIT)
                .expect("an answer")
                .status,
            200
        );
    }
    // The gauge follows once a second.
    std::thread::sleep(Duration::from_millis(1200));
    assert_eq!(sessions(), 0.0);
}
