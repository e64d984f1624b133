//! What becomes of the connections that a client has when it is banned.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::penalties::{END_HEADERS, END_STREAM, HEADERS, SETTINGS, frame};
use super::scene::{CALLER, HTTPS, NO_ANSWER, Scene};
use crate::support::{ALPN_H1, Client, End, Pair, Process, heavy, inside, peer_inside};

const ABUSER: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 3);
const OTHER: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 4);

/// From the ban to the end of what is open.
const AT_ONCE: Duration = Duration::from_secs(1);

/// One event, and then none for longer than the test takes.
const QUIET: &str = "/sse?interval_ms=120000";

fn connect(scene: &Scene, from: Ipv4Addr, to: impl Into<SocketAddr>) -> Client {
    let to = to.into();
    inside(&scene.pair.client, move || {
        Client::plain_from(from.into(), to, NO_ANSWER).expect("not banned yet")
    })
}

/// `GET` of a path over HTTP/2 (RFC 7541 §6, Appendix A).
fn h2_get(path: &str) -> Vec<u8> {
    let mut block = [&[0x82, 0x87, 0x41, 9][..], b"localhost"].concat();
    block.extend([0x04, path.len() as u8]);
    block.extend(path.as_bytes());
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    bytes.extend(frame(HEADERS, END_HEADERS | END_STREAM, 1, &block));
    bytes
}

fn ban(scene: &Scene, addr: Ipv4Addr) -> Instant {
    let since = Instant::now();
    let (code, output) = scene
        .edge
        .command(&["ban", &addr.to_string(), "--for", "1h"]);
    assert_eq!(code, 0, "{output}");
    since
}

#[test]
fn a_ban_ends_what_the_client_has_open_and_nothing_else() {
    let _machine = heavy();
    let scene = Scene::new("closing", "requests = \"off\"");
    let roots = scene.edge.authority().roots();
    let http = SocketAddr::from((Pair::HOST, 80));
    let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: localhost\r\n\r\n");

    let streams = |from| {
        let mut plain = connect(&scene, from, http);
        plain.send(get(QUIET));
        let mut tls = connect(&scene, from, HTTPS)
            .into_tls(&roots, ALPN_H1)
            .expect("the handshake succeeds");
        tls.send(get(QUIET));
        let mut h2 = connect(&scene, from, HTTPS)
            .into_tls(&roots, &[b"h2"])
            .expect("the handshake succeeds");
        h2.send(h2_get(QUIET));
        let mut idle = connect(&scene, from, http);
        assert_eq!(idle.exchange(get("/headers")).status, 200);
        let mut clients = [("HTTP/1.1", plain), ("over TLS", tls), ("HTTP/2", h2)];
        for (name, client) in &mut clients {
            assert!(client.has_read("\"seq\":0", NO_ANSWER), "{name}: no event");
        }
        let [plain, tls, h2] = clients;
        [plain, tls, h2, ("idle", idle)]
    };
    let (expelled, mut others) = (streams(ABUSER), streams(OTHER));
    // A connection that has sent half a head.
    let mut waiting = connect(&scene, ABUSER, http);
    waiting.send("GET / HTTP/1.1\r\nHo");

    let since = ban(&scene, ABUSER);
    for (name, mut client) in expelled.into_iter().chain([("half a head", waiting)]) {
        let left = (since + AT_ONCE).saturating_duration_since(Instant::now());
        let (_, end) = client.read_to_end(left);
        assert_ne!(end, End::TimedOut, "{name} was left open");
    }

    for (name, client) in &mut others[..3] {
        let (_, end) = client.read_to_end(Duration::from_millis(300));
        assert_eq!(end, End::TimedOut, "{name} of somebody else was closed");
    }
    assert_eq!(others[3].1.exchange(get("/headers")).status, 200);
    // What was under way is in the log.
    scene.edge.log_line(|line| {
        line["client"] == ABUSER.to_string() && line["path"] == "/sse" && line["protocol"] == "h2"
    });
}

#[test]
fn a_ban_ends_a_quic_connection() {
    let _machine = heavy();
    let scene = Scene::new("closing-quic", "requests = \"off\"");
    let ca = scene.edge.file("ca.pem").display().to_string();
    let url = format!("https://{}:{}", HTTPS.ip(), HTTPS.port());
    let command = peer_inside(
        &scene.pair.client,
        "h3_scenarios.py",
        &["expelled", &url, &ca],
    );
    let mut client = Process::start("expelled", command);
    client.wait_for("waiting", Duration::from_secs(20));
    let since = ban(&scene, CALLER);
    let (code, stdout, stderr) = client.finish(Duration::from_secs(20));
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    // With room for the end of the interpreter.
    assert!(since.elapsed() < 3 * AT_ONCE, "{:?}", since.elapsed());
    let heard: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(heard["code"], 0x107, "{heard}");
}
