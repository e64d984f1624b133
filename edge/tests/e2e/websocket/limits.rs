//! How long a WebSocket may be idle or live, what a slow reader costs, and its end in a drain.

use std::io::{Read, Write};
use std::time::{Duration, Instant};

use nix::sys::signal::Signal;

use super::raw::{opening, switching};
use crate::support::{Client, Edge, End, Setup, light, rss_bytes, wait_until};

const LIMIT: Duration = Duration::from_secs(10);

fn echo(mut stream: std::net::TcpStream) {
    let mut chunk = [0; 1024];
    while let Ok(read @ 1..) = stream.read(&mut chunk) {
        if stream.write_all(&chunk[..read]).is_err() {
            return;
        }
    }
}

fn open(edge: &Edge) -> Client {
    let mut client = edge.tls();
    client.send(opening("/"));
    client.read_until("\r\n\r\n", LIMIT);
    client
}

fn with_timeouts(keys: &str) -> Edge {
    Setup::new(switching(echo))
        .section("timeouts", &format!("drain = \"1s\"\n{keys}"))
        .start()
}

#[test]
fn an_idle_one_is_closed_and_a_busy_one_is_not() {
    let _machine = light();
    let edge = with_timeouts("websocket_idle = \"700ms\"");
    let (mut idle, mut busy) = (open(&edge), open(&edge));
    assert!(wait_until(LIMIT, || {
        edge.metrics().sum("edge_streams", &[]) == 2.0
    }));
    let start = Instant::now();
    for _ in 0..5 {
        std::thread::sleep(Duration::from_millis(300));
        busy.send("x");
        busy.read_until("x", LIMIT);
    }
    // Nothing came of it, so Close may be said; the other one sent what is no frame.
    let close = b"\x88\x13\x03\xe9idle for too long".to_vec();
    assert_eq!(idle.read_to_end(LIMIT), (close, End::Clean));
    assert_eq!(busy.read_to_end(LIMIT), (Vec::new(), End::Clean));
    let lived = start.elapsed();
    assert!(
        lived > Duration::from_millis(2100),
        "closed after {lived:?}"
    );
    let line = edge.log_line(|line| line["error"] == "websocket_idle" && line["bytes_in"] == 5);
    assert_eq!(line["status"], 101);
    assert_eq!(line["bytes_out"], 5);
    assert!(line["duration_ms"].as_f64().expect("a number") > 2000.0);
    assert!(wait_until(LIMIT, || {
        edge.metrics().sum("edge_streams", &[]) == 0.0
    }));
}

#[test]
fn an_old_one_is_closed_however_busy() {
    let _machine = light();
    let edge = with_timeouts("websocket_age = \"1s\"");
    let mut client = open(&edge);
    let start = Instant::now();
    while client.try_send(b"x").is_ok() && client.skip(1, Duration::from_millis(50)) > 0 {
        assert!(start.elapsed() < LIMIT, "it lives on");
        std::thread::sleep(Duration::from_millis(20));
    }
    assert!(start.elapsed() > Duration::from_millis(900));
    edge.log_line(|line| line["error"] == "websocket_age");
}

#[test]
fn a_slow_reader_stops_the_server() {
    let _machine = light();
    const TOTAL: usize = 64 * 1024 * 1024;
    let edge = Setup::new(switching(|mut stream| {
        // The first connection costs what every later one uses too.
        let _ = stream.read(&mut [0]);
        let piece = vec![b'x'; 1024 * 1024];
        for _ in 0..TOTAL / piece.len() {
            if stream.write_all(&piece).is_err() {
                return;
            }
        }
    }))
    .start();
    let mut client = open(&edge);
    let before = rss_bytes(edge.process.pid());
    client.send("x");
    std::thread::sleep(Duration::from_millis(1500));
    let grown = rss_bytes(edge.process.pid()).saturating_sub(before);
    // Mostly what the allocator keeps.
    assert!(
        grown < 16 * 1024 * 1024,
        "{grown} bytes held for a client that reads nothing"
    );
    let (rest, end) = client.read_to_end(Duration::from_secs(20));
    assert_eq!((rest.len(), end), (TOTAL, End::Clean));
}

#[test]
fn a_drain_waits_for_them_and_then_closes_them() {
    let _machine = light();
    let mut edge = with_timeouts("");
    let mut client = open(&edge);
    edge.process.signal(Signal::SIGTERM);
    let start = Instant::now();
    while start.elapsed() < Duration::from_millis(600) {
        client.send("x");
        client.read_until("x", LIMIT);
        std::thread::sleep(Duration::from_millis(100));
    }
    let (_, end) = client.read_to_end(LIMIT);
    assert_eq!(end, End::Clean);
    assert!(edge.process.wait(LIMIT).success());
}
