//! Large bodies, and what fails on the way of one.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use super::path::Path;
use super::{LIMIT, run};
use crate::support::{
    Answer, Demo, Edge, Pair, Process, Setup, Upstream, heavy, ip, is_soak, light, peer,
    peer_inside, rss_bytes, run_driver, wait_until,
};

const PATTERN: &[u8; 26] = b"abcdefghijklmnopqrstuvwxyz";

/// A server that compares what it is sent with the pattern, and says how long it was.
fn comparing() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port is free");
    let address = listener.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            std::thread::spawn(move || compare(stream));
        }
    });
    address
}

fn compare(mut stream: TcpStream) {
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        match stream.read(&mut byte) {
            Ok(1) => head.push(byte[0]),
            _ => return,
        }
    }
    let head = String::from_utf8(head).expect("a head is text");
    let length = head.to_ascii_lowercase();
    let (_, length) = length.split_once("content-length: ").expect("it is known");
    let length = length.split("\r\n").next().unwrap_or_default();
    let length: usize = length.parse().expect("a number");
    let expected = PATTERN.repeat(5000);
    let (mut buffer, mut at) = (vec![0; 1 << 16], 0);
    while at < length {
        let Ok(read @ 1..) = stream.read(&mut buffer) else {
            return;
        };
        if buffer[..read] != expected[at % 26..at % 26 + read] {
            let _ = stream.write_all(b"HTTP/1.1 422 Changed\r\nContent-Length: 0\r\n\r\n");
            return;
        }
        at += read;
    }
    let text = at.to_string();
    let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n", text.len());
    let _ = stream.write_all((head + &text).as_bytes());
}

/// An edge where uploads go to a server that compares them, and everything else to the demo.
fn both_ways() -> (Demo, Edge) {
    let demo = Demo::start();
    let edge = Setup::new(demo.address)
        .top("workers = 2")
        .more_routes("[[host.route]]\npath = \"/upload\"\nupstream = \"comparing\"\n")
        .section(
            "upstream.comparing",
            &format!("servers = [\"{}\"]", comparing()),
        )
        .start();
    (demo, edge)
}

fn start(edge: &Edge, name: &str, url: &str, more: &[&str]) -> Process {
    let ca = edge.file("ca.pem").display().to_string();
    let arguments = [&[name, url, &ca], more].concat();
    Process::start(name, peer("h3_faults.py", &arguments))
}

/// A download from the first, and an upload to the second.
fn both(edge: &Edge, urls: [String; 2], megabytes: &str, limit: Duration) {
    let seconds = limit.as_secs().to_string();
    let rows = ["down", "up"].into_iter().zip(urls);
    let rows = rows.map(|(name, url)| start(edge, name, &url, &[megabytes, &seconds]));
    let rows: Vec<_> = rows.collect();
    for mut row in rows {
        let (code, stdout, stderr) = row.finish(limit + LIMIT);
        assert_eq!(code, 0, "{stdout}\n{stderr}");
    }
}

/// At the same time, for most of it is the client's own work. `EDGE_BULK_MB` is another size.
#[test]
fn a_hundred_megabytes_each_way() {
    let _machine = heavy();
    let (_demo, mut edge) = both_ways();
    let megabytes = std::env::var("EDGE_BULK_MB").unwrap_or_else(|_| "100".into());
    both(&edge, [edge.url(), edge.url()], &megabytes, 3 * LIMIT);
    let metrics = edge.metrics();
    let per_call = |direction: &str| {
        let label = format!("direction=\"{direction}\"");
        metrics.sum("edge_quic_datagrams_total", &[&label])
            / metrics.sum("edge_quic_system_calls_total", &[&label])
    };
    assert!(per_call("out") > 3.0, "{} a call", per_call("out"));
    edge.assert_healthy();
}

/// Whatever happens to packets, what they carry arrives whole and unchanged.
/// IPv6 asks links for no more than 1280 bytes; what is larger disappears without a word.
#[test]
fn a_link_that_carries_less_than_it_seems() {
    let _machine = heavy();
    let pair = Pair::new("mtu", 1);
    let upstream = SocketAddr::from(([127, 0, 0, 1], 8000));
    let _demo = Demo::start_at(upstream, Some(&pair.host));
    let mut edge = Setup::new(upstream)
        .inside(&pair.host, Pair::HOST)
        .section("shield", "mode = \"native\"\ninterfaces = [\"veth-h\"]")
        .start();
    let ca = edge.file("ca.pem").display().to_string();
    let url = format!("https://{}:443", Pair::HOST);
    for mtu in [1500, 1472, 1280] {
        ip(&format!("-n {} link set veth-c mtu {mtu}", pair.client));
        let command = peer_inside(&pair.client, "h3_scenarios.py", &["bulk", &url, &ca, "3"]);
        run_driver("bulk", command, LIMIT);
    }
    edge.assert_healthy();
}

#[test]
fn a_path_that_loses_doubles_reorders_and_spoils_packets() {
    let _machine = light();
    let (_demo, mut edge) = both_ways();
    let paths = [1, 2].map(|seed| Path::to(edge.https, seed));
    let megabytes = if is_soak() { "50" } else { "4" };
    both(&edge, paths.each_ref().map(Path::url), megabytes, LIMIT);
    for path in paths {
        let seen = path.seen();
        assert!(seen.iter().all(|&count| count > 10), "{seen:?}");
    }
    edge.assert_healthy();
}

/// Nothing says that they have gone, and nothing of them stays longer than the idle timeout.
#[test]
fn clients_that_vanish_within_a_body_are_forgotten() {
    let _machine = heavy();
    let demo = Demo::start();
    let mut edge = Setup::new(demo.address)
        .top("workers = 2")
        .section("quic", "idle_timeout = \"3s\"\nkeep_alive = \"1s\"")
        .start();
    let mut before = 0;
    for round in 0..3 {
        let mut clients = start(&edge, "vanishing", &edge.url(), &["10"]);
        clients.wait_for("gone", LIMIT);
        let sum = |name: &str, labels: &[&str]| edge.metrics().sum(name, labels);
        let open = || {
            sum("edge_connections", &["protocol=\"h3\""])
                + sum("edge_http3_streams", &[])
                + sum("edge_upstream_connections", &[])
        };
        // The idle timeout, and three probes beyond it (RFC 9000 §10.1).
        assert!(
            wait_until(Duration::from_secs(8), || open() == 0.0),
            "{}",
            open()
        );
        assert!(clients.is_running(), "{}", clients.output());
        clients.signal(nix::sys::signal::Signal::SIGKILL);
        let now = rss_bytes(edge.process.pid());
        match round {
            0 => before = now,
            _ => assert!(now < before + (8 << 20), "{before} B, then {now}"),
        }
    }
    for path in ["/bytes", "/echo"] {
        let line = edge.log_line(|line| line["path"] == path);
        assert_eq!(line["error"], "client_gone", "{line}");
    }
    edge.assert_healthy();
}

#[test]
fn a_server_that_resets_within_an_upload() {
    let _machine = light();
    let upstream = Upstream::start(Answer::Reset(Vec::new()));
    let mut edge = Setup::new(upstream.address).start();
    let seen = run("h3_faults.py", &edge, "cut", &[]);
    // H3_NO_ERROR: it may stop sending, and the answer counts (RFC 9114 §4.1).
    assert_eq!(
        seen,
        serde_json::json!([[502, 0x100], [502, 0x100], [502, 0x100]])
    );
    edge.assert_healthy();
}

#[test]
fn a_client_that_stops_reading_loses_its_stream() {
    let _machine = light();
    let demo = Demo::start();
    let mut edge = Setup::new(demo.address)
        .section("timeouts", "send = \"1s\"")
        .start();
    let seen = run("h3_faults.py", &edge, "stalling", &[]);
    assert_eq!(seen["code"], 0x102, "{seen}");
    let line = edge.log_line(|line| line["path"] == "/bytes");
    assert_eq!(line["error"], "send_timeout", "{line}");
    edge.assert_healthy();
}
