//! Two namespaces joined by a native-XDP veth: clients with several addresses, and the host they call.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::RootCertStore;

use crate::support::{ALPN_H1, Client, Demo, Edge, Pair, Setup, inside};

/// Calls tools all the time and must not notice anything.
pub(super) const CALLER: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 2);

/// The guarded port.
pub(super) const HTTPS: SocketAddrV4 = SocketAddrV4::new(Pair::HOST, 443);
const SSH: SocketAddrV4 = SocketAddrV4::new(Pair::HOST, 22);

/// Longer than the first retransmission of a SYN, so that one lost packet is not taken for silence.
pub(super) const NO_ANSWER: Duration = Duration::from_millis(1500);

/// Namespaces with `edge`, its upstream and a stand-in for SSH in the host's.
pub(super) struct Scene {
    pub(super) edge: Edge,
    _demo: Demo,
    // Last: the namespaces go when nothing runs in them any more.
    pub(super) pair: Pair,
}

impl Scene {
    pub(super) fn new(name: &str, limit: &str) -> Scene {
        Scene::with(name, limit, "")
    }

    /// With more keys for the shield.
    pub(super) fn with(name: &str, limit: &str, more: &str) -> Scene {
        Scene::of(Pair::new(name, 4), limit, more, |setup| setup)
    }

    /// Between these namespaces, with changes to the rest of the configuration.
    pub(super) fn of(
        pair: Pair,
        limit: &str,
        more: &str,
        change: impl FnOnce(Setup) -> Setup,
    ) -> Scene {
        let upstream = SocketAddr::from(([127, 0, 0, 1], 8000));
        let demo = Demo::start_at(upstream, Some(&pair.host));
        let setup = Setup::new(upstream);
        // Empty, for a scene that names it.
        std::fs::write(setup.dir.path().join("deny.txt"), "").expect("our own directory");
        let edge = change(setup)
            .inside(&pair.host, Pair::HOST)
            .section(
                "shield",
                &format!(
                    "mode = \"native\"\ninterfaces = [\"veth-h\"]\nrequired = true\n\
                     packets = \"20000/s\"\npackets_burst = 20000\nconnections = \"100/s\"\n\
                     connections_burst = 200\n{more}"
                ),
            )
            .section("limit", limit)
            .start();
        inside(&pair.host, || {
            let listener =
                TcpListener::bind(SocketAddr::from(SSH)).expect("nobody else is in the namespace");
            std::thread::spawn(move || {
                while let Ok((mut stream, _)) = listener.accept() {
                    let _ = stream.write_all(b"SSH-2.0-stand-in\r\n");
                }
            });
        });
        Scene {
            edge,
            _demo: demo,
            pair,
        }
    }

    /// Whether the SSH stand-in greets this source.
    pub(super) fn ssh_answers(&self, source: Ipv4Addr) -> bool {
        inside(&self.pair.client, move || {
            let client = Client::plain_from(source.into(), SSH.into(), NO_ANSWER);
            client.is_some_and(|client| {
                let mut greeting = [0; 7];
                client
                    .socket()
                    .set_read_timeout(Some(NO_ANSWER))
                    .expect("not zero");
                client.socket().read_exact(&mut greeting).is_ok() && &greeting == b"SSH-2.0"
            })
        })
    }

    /// Whether a SYN of this source to the guarded port is answered.
    pub(super) fn https_answers(&self, source: Ipv4Addr, limit: Duration) -> bool {
        inside(&self.pair.client, move || {
            Client::plain_from(source.into(), HTTPS.into(), limit).is_some()
        })
    }

    /// Calls tools for a while: latencies of the calls, and of the connections made on the way.
    pub(super) fn call_tools(&self, time: Duration) -> Vec<Duration> {
        let roots = self.edge.authority().roots();
        inside(&self.pair.client, move || call_tools(&roots, time))
    }

    /// Packets that the kernel has dropped for these reasons.
    pub(super) fn dropped(&self, verdicts: &[&str]) -> f64 {
        let page = self.edge.metrics();
        let of = |verdict| {
            page.sum(
                "edge_shield_packets_total",
                &[&format!("verdict=\"{verdict}\"")],
            )
        };
        verdicts.iter().map(of).sum()
    }
}

/// A TLS connection of the caller's.
pub(super) fn connect(roots: &Arc<RootCertStore>) -> Client {
    let client = Client::plain_from(IpAddr::V4(CALLER), HTTPS.into(), NO_ANSWER)
        .expect("the caller's SYN is answered");
    client
        .into_tls(roots, ALPN_H1)
        .expect("the caller's handshake succeeds")
}

/// One tool call after the other, a new connection for every hundredth.
fn call_tools(roots: &Arc<RootCertStore>, time: Duration) -> Vec<Duration> {
    let body = "{\"jsonrpc\":\"2.0\",\"id\":1,\"method\":\"tools/call\",\"params\":{\"name\":\"add\",\
                \"arguments\":{\"a\":1,\"b\":2},\"_meta\":{\"io.modelcontextprotocol/protocolVersion\":\"2026-07-28\",\
                \"io.modelcontextprotocol/clientInfo\":{\"name\":\"caller\",\"version\":\"1\"},\
                \"io.modelcontextprotocol/clientCapabilities\":{}}}}";
    let request = format!(
        "POST /mcp HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n\
         Accept: application/json, text/event-stream\r\nMCP-Protocol-Version: 2026-07-28\r\n\
         Mcp-Method: tools/call\r\nMcp-Name: add\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    );
    let start = Instant::now();
    let mut latencies = Vec::new();
    let mut client = connect(roots);
    while start.elapsed() < time {
        if latencies.len() % 100 == 99 {
            client = connect(roots);
        }
        let sent = Instant::now();
        let response = client.exchange(&request);
        latencies.push(sent.elapsed());
        assert_eq!(response.status, 200, "{}", response.text());
        assert!(
            response.text().contains("\"text\":\"3\""),
            "{}",
            response.text()
        );
        std::thread::sleep(Duration::from_millis(1));
    }
    latencies
}

/// The latency that one call in a hundred exceeds.
pub(super) fn p99(mut latencies: Vec<Duration>) -> Duration {
    latencies.sort_unstable();
    latencies[latencies.len() * 99 / 100]
}
