//! Connections that HAProxy passes on, with the PROXY protocol in front.

mod out;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

use crate::support::{
    ALPN_H1, Client, Edge, End, Process, Setup, Upstream, free_port, light, wait_until,
};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// Far beyond every deadline.
const PATIENCE: Duration = Duration::from_secs(15);
/// Another address of this machine: a client that is not the proxy.
const CLIENT: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 9));

/// `edge` that expects headers on both of its sockets, from 127.0.0.1 alone.
fn start(upstream: &Upstream) -> Edge {
    let [http, https] = [free_port(), free_port()].map(|port| SocketAddr::new(LOOPBACK, port));
    Setup::new(upstream.address)
        .http_at(http)
        .https_at(https)
        .listen(&format!(
            "redirect = false\nproxy_protocol = [\"{http}\", \"{https}\"]"
        ))
        .section("forwarding", "trusted = [\"127.0.0.1\"]")
        .section("timeouts", "drain = \"1s\"\nhandshake = \"1s\"")
        .start()
}

/// HAProxy in front of both sockets; where it listens for them.
fn haproxy(edge: &Edge, version: &str) -> (Process, SocketAddr, SocketAddr) {
    let [plain, tls] = [free_port(), free_port()].map(|port| SocketAddr::new(LOOPBACK, port));
    let config = format!(
        "defaults\n  mode tcp\n  timeout connect 5s\n  timeout client 30s\n  timeout server 30s\n\
         listen plain\n  bind {plain}\n  server edge {} {version}\n\
         listen tls\n  bind {tls}\n  server edge {} {version} check inter 200ms\n",
        edge.http, edge.https
    );
    let file = edge.file("haproxy.cfg");
    std::fs::write(&file, config).expect("our own directory");
    let mut command = Command::new("haproxy");
    command.arg("-db").arg("-f").arg(&file);
    let process = Process::start("haproxy", command);
    let listens = wait_until(Duration::from_secs(10), || {
        [plain, tls]
            .iter()
            .all(|addr| std::net::TcpStream::connect(addr).is_ok())
    });
    assert!(listens, "{}", process.output());
    (process, plain, tls)
}

#[test]
fn clients_behind_haproxy_are_known_by_their_address() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = start(&upstream);
    for version in [
        "send-proxy",
        "send-proxy-v2",
        "send-proxy-v2 proxy-v2-options unique-id,crc32c",
    ] {
        let (_haproxy, plain, tls) = haproxy(&edge, version);
        let get = "GET /x HTTP/1.1\r\nHost: localhost\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n";
        let before = upstream
            .received()
            .matches("x-forwarded-for: 127.0.0.9\r\n")
            .count();
        let connect = |addr| {
            Client::plain_from(CLIENT, addr, Duration::from_secs(5)).expect("HAProxy listens")
        };
        let mut client = connect(plain);
        for _ in 0..2 {
            assert_eq!(client.exchange(get).status, 200, "{version}");
        }
        let roots = edge.authority().roots();
        let mut client = connect(tls).into_tls(&roots, ALPN_H1).expect("a handshake");
        assert_eq!(client.exchange(get).status, 200, "{version}");
        let sent = upstream.received();
        let told = sent.matches("x-forwarded-for: 127.0.0.9\r\n").count();
        assert_eq!(told - before, 3, "{version}: {sent}");
    }
    let line = edge.log_line(|line| line["client"] == "127.0.0.9" && line["tls"] == "TLSv1.3");
    assert_ne!(line["client_port"], 0);
}

#[test]
fn headers_are_expected_of_trusted_proxies_and_nobody_else() {
    let _machine = light();
    let upstream = Upstream::ok();
    let edge = start(&upstream);
    let get = "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n";
    let header = "PROXY TCP4 192.0.2.7 192.0.2.1 1000 80\r\n";

    // In pieces, and with the request behind it in one.
    let mut client = edge.plain();
    client.send(&header[..9]);
    std::thread::sleep(Duration::from_millis(50));
    client.send(format!("{}{get}", &header[9..]));
    assert_eq!(client.response(false).status, 200);
    assert!(
        upstream
            .received()
            .contains("x-forwarded-for: 192.0.2.7\r\n")
    );
    // A health check of the proxy's own.
    let mut client = edge.plain();
    client.send(b"\r\n\r\n\0\r\nQUIT\n\x20\0\0\0");
    assert_eq!(client.exchange(get).status, 200);
    assert!(
        upstream
            .received()
            .contains("x-forwarded-for: 127.0.0.1\r\n")
    );

    let before = upstream.received().len();
    for (what, bytes) in [
        ("no header", get.to_owned()),
        (
            "a wrong one",
            header.replace("192.0.2.7", "192.0.2.777") + get,
        ),
        ("two", format!("{header}{header}{get}")),
    ] {
        let mut client = edge.plain();
        client.send(bytes);
        let (answer, end) = client.read_to_end(PATIENCE);
        assert_ne!(end, End::TimedOut, "{what}");
        assert!(!answer.starts_with(b"HTTP/1.1 200"), "{what}");
    }
    // Half of one, and silence.
    let mut client = edge.plain();
    client.send("PROXY TCP4 192.0");
    let (answer, end) = client.read_to_end(PATIENCE);
    assert!(
        end != End::TimedOut && answer.is_empty(),
        "{end:?} {answer:?}"
    );
    // Somebody who is not trusted, with a header that would do.
    let mut client =
        Client::plain_from(CLIENT, edge.http, Duration::from_secs(5)).expect("it listens");
    // It may be closed before all of this is written.
    let _ = client.try_send(format!("{header}{get}").as_bytes());
    let (answer, end) = client.read_to_end(PATIENCE);
    assert!(
        end != End::TimedOut && answer.is_empty(),
        "{end:?} {answer:?}"
    );
    assert_eq!(upstream.received().len(), before, "none of these went on");
}
