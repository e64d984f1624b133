//! The kernel program on a native-XDP veth between two namespaces: floods, bans, and what must stay untouched.

use std::io::{Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, TcpListener};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::RootCertStore;

use crate::support::{
    ACK, ALPN_H1, Client, Demo, Edge, Flood, Pair, SYN, Setup, heavy, inside, wait_until,
};

const CALLER: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 2);
const FLOODER: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 3);
const ABUSER: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 4);

const HTTPS: SocketAddrV4 = SocketAddrV4::new(Pair::HOST, 443);
const SSH: SocketAddrV4 = SocketAddrV4::new(Pair::HOST, 22);

/// Longer than the first retransmission of a SYN, so that one lost packet is not taken for silence.
const NO_ANSWER: Duration = Duration::from_millis(1500);

/// Added to three times the quiet p99. Generator, kernel, proxy, upstream and caller share two
/// processors here: a caller may wait for two turns of the scheduler, 3 ms each, that no shield can give back.
const FLOOR: Duration = Duration::from_millis(6);

/// Namespaces with `edge`, its upstream and a stand-in for SSH in the host's.
struct Scene {
    edge: Edge,
    _demo: Demo,
    // Last: the namespaces go when nothing runs in them any more.
    pair: Pair,
}

impl Scene {
    fn new(name: &str, limit: &str) -> Scene {
        let pair = Pair::new(name, 4);
        let upstream = SocketAddr::from(([127, 0, 0, 1], 8000));
        let demo = Demo::start_at(upstream, Some(&pair.host));
        let edge = Setup::new(upstream)
            .inside(&pair.host, Pair::HOST)
            .section(
                "shield",
                "mode = \"native\"\ninterfaces = [\"veth-h\"]\nrequired = true\n\
                 packets = \"20000/s\"\npackets_burst = 20000\nconnections = \"100/s\"\nconnections_burst = 200",
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
    fn ssh_answers(&self, source: Ipv4Addr) -> bool {
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
    fn https_answers(&self, source: Ipv4Addr, limit: Duration) -> bool {
        inside(&self.pair.client, move || {
            Client::plain_from(source.into(), HTTPS.into(), limit).is_some()
        })
    }

    /// Calls tools for a while: latencies of the calls, and of the connections made on the way.
    fn call_tools(&self, time: Duration) -> Vec<Duration> {
        let roots = self.edge.authority().roots();
        inside(&self.pair.client, move || call_tools(&roots, time))
    }

    /// Packets that the kernel has dropped for these reasons.
    fn dropped(&self, verdicts: &[&str]) -> f64 {
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

fn connect(roots: &Arc<RootCertStore>) -> Client {
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

fn p99(mut latencies: Vec<Duration>) -> Duration {
    latencies.sort_unstable();
    latencies[latencies.len() * 99 / 100]
}

#[test]
fn a_flood_costs_the_other_clients_nothing() {
    let _machine = heavy();
    let mut scene = Scene::new("edge-e2e-flood", "requests = \"off\"");
    let attached = scene.edge.metrics().sum(
        "edge_shield_attached",
        &["mode=\"native\"", "interface=\"veth-h\""],
    );
    assert_eq!(attached, 1.0);
    scene.call_tools(Duration::from_secs(1));
    let quiet = scene.call_tools(Duration::from_secs(4));
    let calls = quiet.len();
    let quiet = p99(quiet);
    // A SYN beyond the packet rate never gets as far as the other limit.
    for (name, flags, verdicts) in [
        ("SYN", SYN, &["connection_rate", "packet_rate"][..]),
        ("ACK", ACK, &["packet_rate"]),
    ] {
        let before = scene.dropped(verdicts);
        let flood = Flood::start(&scene.pair.client, FLOODER, HTTPS, flags);
        let start = Instant::now();
        let latencies = scene.call_tools(Duration::from_secs(4));
        // SSH is not guarded: the flooder itself still gets through.
        assert!(scene.ssh_answers(FLOODER) && scene.ssh_answers(CALLER));
        let seconds = start.elapsed().as_secs_f64();
        let sent = flood.stop() as f64;
        let calls_flooded = latencies.len();
        let flooded = p99(latencies);
        let dropped = scene.dropped(verdicts) - before;
        println!(
            "{name} flood of {:.0} packets a second, {:.1} % dropped; p99 of a call {quiet:?} quiet ({calls} calls), \
             {flooded:?} flooded ({calls_flooded} calls)",
            sent / seconds,
            100.0 * dropped / sent,
        );
        assert!(sent / seconds > 50_000.0, "{sent} packets are no flood");
        let admitted = if flags == SYN {
            200.0 + 100.0 * (seconds + 1.0)
        } else {
            20_000.0 * (seconds + 2.0)
        };
        assert!(
            dropped >= sent - admitted && dropped <= sent,
            "{dropped} of {sent} dropped as {verdicts:?}"
        );
        assert!(
            flooded <= 3 * quiet + FLOOR,
            "p99 {quiet:?} quiet, {flooded:?} under the {name} flood"
        );
        scene.edge.assert_healthy();
    }
    assert_eq!(
        scene.dropped(&["banned"]),
        0.0,
        "the kernel bans nobody on its own"
    );
}

#[test]
fn ignoring_429_ends_in_the_kernel_until_the_ban_expires() {
    let _machine = heavy();
    let limit = "requests = \"5/s\"\nburst = 5\n[limit.penalty]\nrefused = 20\nwithin = \"60s\"\nban = \"4s\"";
    let scene = Scene::new("edge-e2e-ban", limit);
    let roots = scene.edge.authority().roots();
    assert!(scene.https_answers(ABUSER, NO_ANSWER));
    // Goes on whatever it is told, until nothing comes back.
    let refusals = inside(&scene.pair.client, move || {
        let client =
            Client::plain_from(ABUSER.into(), HTTPS.into(), NO_ANSWER).expect("not banned yet");
        let mut client = client.into_tls(&roots, ALPN_H1).expect("not banned yet");
        let mut refusals = 0;
        for _ in 0..500 {
            if client
                .try_send(b"GET /headers HTTP/1.1\r\nHost: localhost\r\n\r\n")
                .is_err()
            {
                break;
            }
            match client.response_within(false, NO_ANSWER) {
                Ok(response) if response.status == 429 => refusals += 1,
                Ok(response) => assert_eq!(response.status, 200),
                Err(_) => break,
            }
        }
        refusals
    });
    let banned_at = Instant::now();
    assert!(
        (20..500).contains(&refusals),
        "{refusals} refusals and no ban"
    );
    let listed = |scene: &Scene| scene.edge.command(&["bans"]);
    let (code, list) = listed(&scene);
    assert!(
        code == 0 && list.contains(&ABUSER.to_string()),
        "{code} {list}"
    );
    assert!(!list.contains(&CALLER.to_string()), "{list}");
    assert!(
        !scene.https_answers(ABUSER, NO_ANSWER),
        "a banned address must get no SYN-ACK"
    );
    assert!(
        scene.ssh_answers(ABUSER),
        "the ban is for guarded ports only"
    );
    assert!(
        scene.https_answers(CALLER, NO_ANSWER),
        "the ban is for one address only"
    );
    assert!(scene.dropped(&["banned"]) >= 1.0);
    let (seen, reason) = (scene.edge.metrics(), "origin=\"limit\"");
    assert!(
        seen.sum("edge_bans_total", &[reason]) >= 1.0,
        "{}",
        seen.text
    );

    // New attempts, not retransmissions, so that the moment of the expiry shows.
    let free = wait_until(Duration::from_secs(8), || {
        scene.https_answers(ABUSER, Duration::from_millis(200))
    });
    let after = banned_at.elapsed();
    assert!(free, "still banned after {after:?}");
    // The ban began with the last answer, up to NO_ANSWER before `banned_at`.
    let on_time = Duration::from_millis(2200)..Duration::from_millis(5000);
    assert!(
        on_time.contains(&after),
        "a ban of 4 s ended {after:?} after the client gave up"
    );
    let gone = wait_until(Duration::from_secs(3), || {
        !listed(&scene).1.contains(&ABUSER.to_string())
    });
    assert!(gone, "{:?}", listed(&scene));
}

#[test]
fn bans_by_hand() {
    let _machine = heavy();
    let scene = Scene::new("edge-e2e-hand", "requests = \"off\"");
    let address = ABUSER.to_string();
    let run = |arguments: &[&str]| {
        let (code, output) = scene.edge.command(arguments);
        assert_eq!(code, 0, "edge {arguments:?}: {output}");
        output
    };
    assert!(!run(&["bans"]).contains(&address));
    run(&["ban", &address, "--for", "10m"]);
    assert!(run(&["bans"]).contains(&address));
    assert!(!scene.https_answers(ABUSER, NO_ANSWER));
    assert!(scene.https_answers(CALLER, NO_ANSWER) && scene.ssh_answers(ABUSER));
    // A connection that stands already is cut off too.
    let roots = scene.edge.authority().roots();
    let silent = {
        let mut client = inside(&scene.pair.client, move || connect(&roots));
        let get = "GET /headers HTTP/1.1\r\nHost: localhost\r\n\r\n";
        assert_eq!(client.exchange(get).status, 200);
        run(&["ban", &CALLER.to_string(), "--for", "1m"]);
        client.send(get);
        client.response_within(false, NO_ANSWER)
    };
    assert!(silent.is_err(), "{silent:?}");
    run(&["unban", &address]);
    assert!(!run(&["bans"]).contains(&address));
    assert!(scene.https_answers(ABUSER, NO_ANSWER));
    run(&["ban", &address, "--for", "2s"]);
    assert!(!scene.https_answers(ABUSER, Duration::from_millis(500)));
    std::thread::sleep(Duration::from_millis(1600));
    assert!(
        scene.https_answers(ABUSER, NO_ANSWER),
        "a ban of two seconds after more than two seconds"
    );

    let (code, output) = scene
        .edge
        .command(&["ban", "not-an-address", "--for", "1m"]);
    assert_eq!(code, 2, "{output}");
}
