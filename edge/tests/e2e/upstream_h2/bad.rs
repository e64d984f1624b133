//! Servers that break the rules of HTTP/2 (RFC 9113): an error that says so, or a stream that visibly
//! breaks off, and never a hang.

mod table;

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::Server;
use crate::support::{Edge, H2, Setup, light, rss_bytes};
use table::{HEADERS, PING, Row, SETTINGS, frame, table};

const LIMIT: Duration = Duration::from_secs(10);

const PREFACE: usize = 24;

/// Listens, and treats every connection alike.
fn start(row: &Row) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback address can be bound");
    let address = listener
        .local_addr()
        .expect("a bound socket has an address");
    let (first, then, closes) = (row.first.clone(), row.then.clone(), row.closes);
    std::thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            let (first, then) = (first.clone(), then.clone());
            std::thread::spawn(move || serve(stream, &first, &then, closes));
        }
    });
    address
}

/// `None` when there is nothing more to do.
fn serve(mut stream: TcpStream, first: &[u8], then: &[u8], closes: bool) -> Option<()> {
    stream.write_all(first).ok()?;
    stream.read_exact(&mut [0; PREFACE]).ok()?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).ok()?;
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]);
        let mut payload = vec![0; length as usize];
        stream.read_exact(&mut payload).ok()?;
        match (head[3], head[4]) {
            (SETTINGS, 0) => stream.write_all(&frame(SETTINGS, 1, 0, &[])).ok()?,
            (PING, 0) => stream.write_all(&frame(PING, 1, 0, &payload)).ok()?,
            (HEADERS, _) => {
                let number = [head[5], head[6], head[7], head[8]];
                // It may have ended the connection before all of it was sent.
                let _ = stream.write_all(&on_stream(then, number));
                if closes {
                    return None;
                }
            }
            _ => {}
        }
    }
}

/// Frames of stream 1 as frames of another.
fn on_stream(frames: &[u8], number: [u8; 4]) -> Vec<u8> {
    let mut frames = frames.to_vec();
    let mut at = 0;
    while let Some(&[_, a, b, _, _, ref id @ ..]) = frames.get(at..at + 9) {
        let is_first = id == [0, 0, 0, 1];
        let length = usize::from(a) << 8 | usize::from(b);
        if is_first {
            frames[at + 5..at + 9].copy_from_slice(&number);
        }
        at += 9 + length;
    }
    frames
}

fn behind(rows: &[Row]) -> Edge {
    let mut setup = Setup::new("127.0.0.1:1");
    for (at, row) in rows.iter().enumerate() {
        let route = format!("[[host.route]]\npath = \"/{at}\"\nupstream = \"row{at}\"\n");
        let upstream = format!(
            "servers = [\"{}\"]\nprotocol = \"h2\"\nresponse_timeout = \"700ms\"\n\
             connect_timeout = \"700ms\"",
            start(row)
        );
        setup = setup
            .more_routes(&route)
            .section(&format!("upstream.row{at}"), &upstream);
    }
    setup.start()
}

#[test]
fn what_servers_must_not_do_is_told_and_harms_nobody() {
    let _machine = light();
    let rows = table();
    let mut edge = behind(&rows);
    let before = rss_bytes(edge.process.pid());
    let mut wrong = Vec::new();
    for (at, row) in rows.iter().enumerate() {
        let mut client = edge.plain();
        client.send(format!(
            "POST /{at} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 5\r\n\r\nhello"
        ));
        let (status, body) = match client.final_response_within(LIMIT) {
            Ok(response) => (response.status, response.text()),
            Err(reason) if reason.contains("TimedOut") => (1, reason),
            Err(reason) => (0, reason),
        };
        let right = row.statuses.contains(&status) && (status != 200 || body == row.body);
        if !right {
            let (name, wanted) = (&row.name, &row.statuses);
            wrong.push(format!("{name}: wanted {wanted:?}, got {status} {body:?}"));
        }
        edge.assert_healthy();
    }
    assert!(
        wrong.is_empty(),
        "{} of {} wrong:\n{}",
        wrong.len(),
        rows.len(),
        wrong.join("\n")
    );
    let growth = rss_bytes(edge.process.pid()).saturating_sub(before);
    assert!(growth < 64 << 20, "bad servers cost {} KiB", growth / 1024);
}

/// A connection that breaks with many streams on it has failed once.
#[test]
fn the_end_of_a_connection_is_one_failure() {
    let _machine = light();
    let good = Server::start(&[]);
    let listener = TcpListener::bind("127.0.0.1:0").expect("the loopback address can be bound");
    let bad = listener
        .local_addr()
        .expect("a bound socket has an address");
    std::thread::spawn(move || {
        while let Ok((mut stream, _)) = listener.accept() {
            let _ = stream.write_all(&frame(SETTINGS, 0, 0, &[]));
            let (mut held, mut chunk, mut answered) = (Vec::new(), [0; 4096], false);
            while let Ok(n @ 1..) = stream.read(&mut chunk) {
                held.extend_from_slice(&chunk[..n]);
                if requests(&held, &mut stream, &mut answered) >= 8 {
                    break;
                }
            }
        }
    });
    let servers = format!(
        "servers = [\"{bad}\", \"{}\"]\nprotocol = \"h2\"\npolicy = \"round_robin\"\neject_after = 4",
        good.address
    );
    let edge = Setup::new(bad).upstream(&servers).start();
    let mut h2 = H2::connect(edge.https, edge.authority());
    // Not idempotent: they are not sent again.
    let begun: Vec<_> = (0..16).map(|_| h2.begin("/never")).collect();
    let failed = || edge.metrics().sum("edge_upstream_errors_total", &[]);
    h2.run_until(LIMIT, || failed() >= 8.0);
    assert_eq!(failed(), 8.0);
    let up = edge.metrics().sum("edge_server_up", &[]);
    assert_eq!(
        up, 2.0,
        "one connection has broken, and {up} servers are up"
    );
    drop(begun);
}

/// How many HEADERS frames came; SETTINGS and PING are answered.
fn requests(held: &[u8], stream: &mut TcpStream, answered: &mut bool) -> usize {
    let mut at = PREFACE;
    let mut seen = 0;
    while let Some(head) = held.get(at..at + 9) {
        let length = u32::from_be_bytes([0, head[0], head[1], head[2]]) as usize;
        let Some(payload) = held.get(at + 9..at + 9 + length) else {
            break;
        };
        if (head[3], head[4]) == (PING, 0) && !*answered {
            let pong = [frame(SETTINGS, 1, 0, &[]), frame(PING, 1, 0, payload)];
            *answered = stream.write_all(&pong.concat()).is_ok();
        }
        seen += usize::from(head[3] == HEADERS);
        at += 9 + length;
    }
    seen
}
