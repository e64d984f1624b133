//! From offences to bans that grow and are forgotten, in real time.

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::{Duration, Instant};

use super::scene::{CALLER, HTTPS, NO_ANSWER, Scene};
use crate::support::{ALPN_H1, Client, Pair, Process, heavy, inside, peer_inside, wait_until};

const ABUSER: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 4);

/// Sends a request until nothing comes back: how often something did.
fn offend_until_banned(scene: &Scene, request: &'static str) -> usize {
    let http = SocketAddr::from((Pair::HOST, 80));
    inside(&scene.pair.client, move || {
        let patience = Duration::from_millis(400);
        for answers in 0..50 {
            let Some(client) = Client::plain_from(ABUSER.into(), http, patience) else {
                return answers;
            };
            let mut socket = client.socket();
            // What was not answered must not be sent again when the ban is over.
            let at_once = Some(Duration::ZERO);
            socket2::SockRef::from(&socket)
                .set_linger(at_once)
                .expect("a socket");
            let _ = socket.set_read_timeout(Some(patience));
            let mut answer = [0; 12];
            if socket.write_all(request.as_bytes()).is_err()
                || socket.read_exact(&mut answer).is_err()
            {
                return answers;
            }
            assert_eq!(&answer, b"HTTP/1.1 400", "{}", answer.escape_ascii());
        }
        50
    })
}

fn only_ban(scene: &Scene) -> serde_json::Value {
    let (code, text) = scene.edge.command(&["bans", "--json"]);
    assert_eq!(code, 0, "{text}");
    let bans: serde_json::Value = serde_json::from_str(&text).expect("JSON");
    assert_eq!(bans.as_array().map(Vec::len), Some(1), "{text}");
    bans[0].clone()
}

#[test]
fn bans_grow_with_each_offence_and_are_forgotten() {
    let _machine = heavy();
    // Five points for a malformed request, all of ten for one that is framed twice.
    let limit = "requests = \"off\"\n[limit.penalty]\nrefused = 10\nwithin = \"2s\"\nban = \"1s\"\n\
                 ban_max = \"3s\"\nforget = \"2s\"\nmalformed = 5\nsmuggling = 10";
    let scene = Scene::new("grow", limit);
    let malformed = "GET / HTTP/1.1\r\nHost: a b\r\n\r\n";
    let smuggled = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\
                    Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n";

    let mut lengths = Vec::new();
    for (round, reason) in [(1, "malformed"), (2, "malformed"), (3, "smuggling")] {
        let request = if reason == "malformed" {
            malformed
        } else {
            smuggled
        };
        let answers = offend_until_banned(&scene, request);
        let since = Instant::now();
        assert!(answers < 10, "{answers} offences of weight without a ban");
        let ban = only_ban(&scene);
        assert_eq!(ban["count"], round, "{ban}");
        assert_eq!(
            (&ban["origin"], &ban["reason"]),
            (&"protocol".into(), &reason.into())
        );
        assert!(scene.https_answers(CALLER, NO_ANSWER), "others are served");
        let free = wait_until(Duration::from_secs(6), || {
            scene.https_answers(ABUSER, Duration::from_millis(100))
        });
        assert!(free, "still banned");
        lengths.push(since.elapsed().as_secs_f64());
    }
    // One second, two, and the longest. The ban began up to the patience of the abuser earlier.
    for (length, expected) in lengths.iter().zip([1.0, 2.0, 3.0]) {
        let range = expected - 0.9..expected + 0.7;
        assert!(range.contains(length), "{lengths:?}");
    }
    assert!(
        lengths[1] > lengths[0] + 0.5 && lengths[2] > lengths[1] + 0.5,
        "{lengths:?}"
    );

    std::thread::sleep(Duration::from_millis(2300));
    offend_until_banned(&scene, smuggled);
    assert_eq!(only_ban(&scene)["count"], 1, "what was before is forgotten");
    let page = scene.edge.metrics();
    assert!(page.sum("edge_bans_total", &["origin=\"protocol\""]) >= 4.0);
    assert_eq!(page.sum("edge_shield_bans", &[]), 1.0);
}

/// A frame of HTTP/2 (RFC 9113 §4.1).
pub(super) fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = &(payload.len() as u32).to_be_bytes()[1..];
    let stream = stream.to_be_bytes();
    [length, &[kind, flags], &stream, payload].concat()
}

pub(super) const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
pub(super) const SETTINGS: u8 = 4;
const CONTINUATION: u8 = 9;
pub(super) const END_STREAM: u8 = 1;
pub(super) const END_HEADERS: u8 = 4;

/// `GET https://localhost/` (RFC 7541 §6, Appendix A).
fn get() -> Vec<u8> {
    [&[0x82, 0x87, 0x84, 0x41, 9][..], b"localhost"].concat()
}

/// The preface of a client, and then requests that are given up at once.
fn resets() -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    for stream in (1..800).step_by(2) {
        bytes.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, &get()));
        bytes.extend(frame(RST_STREAM, 0, stream, &[0, 0, 0, 8]));
    }
    bytes
}

/// One request with a field of so many bytes.
fn long_head(length: usize) -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    let mut block = get();
    // A literal without indexing; the length as an integer with a prefix of seven bits (§5.1).
    block.extend([0x00, 1, b'x', 0x7f]);
    let mut rest = length - 127;
    while rest > 127 {
        block.push(rest as u8 | 0x80);
        rest >>= 7;
    }
    block.push(rest as u8);
    block.resize(block.len() + length, b'v');
    let mut pieces = block.chunks(16_384);
    let first = pieces.next().expect("it is long");
    bytes.extend(frame(HEADERS, END_STREAM, 1, first));
    let rest: Vec<&[u8]> = pieces.collect();
    for (index, piece) in rest.iter().enumerate() {
        let flags = if index + 1 == rest.len() {
            END_HEADERS
        } else {
            0
        };
        bytes.extend(frame(CONTINUATION, flags, 1, piece));
    }
    bytes
}

/// One request with a field that is none in HTTP/2 (RFC 9113 §8.2.2), and so many good ones
/// behind it.
fn connection_field(behind: u32) -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(SETTINGS, 0, 0, &[]));
    let field = [&[0x00, 10][..], b"connection", &[5], b"close"].concat();
    let block = [get(), field].concat();
    bytes.extend(frame(HEADERS, END_HEADERS | END_STREAM, 1, &block));
    for stream in (3..).step_by(2).take(behind as usize) {
        bytes.extend(frame(HEADERS, END_HEADERS | END_STREAM, stream, &get()));
    }
    bytes
}

/// Says something from an address, over TLS if a protocol is named, and reads until nothing comes.
fn say(scene: &Scene, from: Ipv4Addr, to: u16, alpn: Option<&'static [u8]>, bytes: Vec<u8>) {
    let roots = scene.edge.authority().roots();
    inside(&scene.pair.client, move || {
        let to = SocketAddr::from((Pair::HOST, to));
        let client = Client::plain_from(from.into(), to, NO_ANSWER).expect("not banned yet");
        let at_once = Some(Duration::ZERO);
        let mut client = match alpn {
            Some(alpn) => client.into_tls(&roots, &[alpn]).expect("not banned yet"),
            None => client,
        };
        // What was not answered must not be sent again when the ban is over.
        socket2::SockRef::from(client.socket())
            .set_linger(at_once)
            .expect("a socket");
        // The ban may come before all is sent.
        let _ = client.try_send(&bytes);
        client.read_to_end(Duration::from_millis(500));
    });
}

#[test]
fn every_offence_of_weight_ends_in_a_ban_that_names_it() {
    let _machine = heavy();
    // Each is all there is.
    let limit = "requests = \"off\"\n[limit.penalty]\nrefused = 10\nhandshake = 10\nmalformed = 10\n\
                 smuggling = 10\noversize = 10\nresets = 10\nauth = 10";
    let tokens = "[[host.route]]\npath = \"/tokens\"\nupstream = \"origin\"\n[host.route.mcp]\n\
                  [host.route.jwt]\nissuer = \"http://127.0.0.1:9\"\n\
                  resource = \"https://mcp.example.com/tokens\"\n\n\
                  [[host.route]]\npath = \"/passwords\"\nupstream = \"origin\"\n\
                  [host.route.basic_auth]\nfile = \"users\"\n\n\
                  [[host.route]]\npath = \"/keys\"\nupstream = \"origin\"\n\
                  [host.route.api_keys]\nfile = \"keys\"\n\n";
    let pair = Pair::new("offences", 14);
    let scene = Scene::of(pair, limit, "", |setup| {
        // A user whose password is another one.
        let users = "ann:$2y$05$c4WoMPo3SXsafkva.HHa6uXQZWr7oboPiC2bT/r7q1BB8I2s0BRqC\n";
        std::fs::write(setup.dir.path().join("users"), users).expect("our own directory");
        std::fs::write(setup.dir.path().join("keys"), "").expect("our own directory");
        setup.more_routes(tokens)
    });
    let text = |head: &str| head.as_bytes().to_vec();
    let long = format!(
        "GET / HTTP/1.1\r\nHost: localhost\r\nX: {}\r\n\r\n",
        "v".repeat(40_000)
    );
    let smuggled = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\
                    Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let guessed = "POST /tokens HTTP/1.1\r\nHost: localhost\r\nAuthorization: Basic eDp5\r\n\
                   Content-Length: 2\r\n\r\n{}";
    let no_password = "GET /passwords HTTP/1.1\r\nHost: localhost\r\n\
                       Authorization: Basic YW5uOmd1ZXNz\r\n\r\n";
    let no_key = "GET /keys HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer guess\r\n\r\n";
    let (h1, h2): (&[u8], &[u8]) = (ALPN_H1[0], b"h2");
    let offences = [
        (443, None, text("GET / HTTP/1.1\r\n\r\n"), "handshake"),
        (
            80,
            None,
            text("GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
            "malformed",
        ),
        (443, Some(h1), text(smuggled), "smuggling"),
        (80, None, text(&long), "oversize"),
        (443, Some(h2), long_head(40_000), "oversize"),
        // Of one without end nothing is answered but that it is too much.
        (443, Some(h2), long_head(100_000), "oversize"),
        (443, Some(h2), long_head(4_000_000), "oversize"),
        (443, Some(h2), connection_field(0), "malformed"),
        (443, Some(h2), connection_field(600), "malformed"),
        (443, Some(h2), resets(), "resets"),
        (443, Some(h1), text(guessed), "auth"),
        (443, Some(h1), text(no_password), "auth"),
        (80, None, text(no_key), "auth"),
    ];
    for (last, (port, alpn, bytes, reason)) in (3..).zip(offences) {
        let from = Ipv4Addr::new(10, 83, 0, last);
        say(&scene, from, port, alpn, bytes);
        let ban = || {
            let (code, text) = scene.edge.command(&["bans", "--json"]);
            assert_eq!(code, 0, "{text}");
            let bans: serde_json::Value = serde_json::from_str(&text).expect("JSON");
            let bans = bans.as_array().expect("a list").iter();
            bans.clone()
                .find(|ban| ban["addr"] == from.to_string())
                .cloned()
        };
        assert!(
            wait_until(Duration::from_secs(5), || ban().is_some()),
            "no ban for {reason} over {alpn:?}\n{}",
            scene.edge.process.output()
        );
        assert_eq!(ban().map(|ban| ban["reason"].clone()), Some(reason.into()));
        assert!(
            !scene.https_answers(from, Duration::from_millis(300)),
            "{reason}"
        );
        assert!(scene.https_answers(CALLER, NO_ANSWER), "others are served");
    }

    // Both long heads over HTTP/2 that were answered are requests like others, and so is what was
    // none and was reset.
    for (last, status) in [(7, 431), (8, 431), (10, 400), (11, 400)] {
        scene.edge.log_line(|line| {
            line["client"] == format!("10.83.0.{last}")
                && line["protocol"] == "h2"
                && line["status"] == status
        });
    }
    let h2 = ["route=\"none\"", "protocol=\"h2\"", "status_class=\"4xx\""];
    let page = scene.edge.metrics();
    assert_eq!(page.sum("edge_requests_total", &h2), 4.0, "{}", page.text);

    // Over QUIC the connection ends with a word about it.
    let ca = scene.edge.file("ca.pem").display().to_string();
    let url = format!("https://{}:{}", HTTPS.ip(), HTTPS.port());
    let arguments = ["offence", &url, &ca];
    let command = peer_inside(&scene.pair.client, "h3_scenarios.py", &arguments);
    let (code, stdout, stderr) = Process::run("offence", command, Duration::from_secs(30));
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    let heard: serde_json::Value = serde_json::from_str(&stdout).expect("JSON");
    assert_eq!(heard["code"], 0x107, "{heard}");
    assert!(!scene.https_answers(CALLER, Duration::from_millis(300)));
}

#[test]
fn this_machine_commits_no_offences_against_itself() {
    let _machine = heavy();
    let limit = "requests = \"off\"\n[limit.penalty]\nrefused = 1\nwithin = \"60s\"";
    let scene = Scene::new("own", limit);
    // By an address that others reach it at too.
    let answers = inside(&scene.pair.host, || {
        (0..20)
            .filter(|_| {
                let http = SocketAddr::from((Pair::HOST, 80));
                let mut client = Client::plain_from(Pair::HOST.into(), http, NO_ANSWER)
                    .expect("nobody is banned");
                client.send("GET / HTTP/1.1\r\nHost: a b\r\n\r\n");
                client
                    .response_within(false, NO_ANSWER)
                    .is_ok_and(|response| response.status == 400)
            })
            .count()
    });
    assert_eq!(answers, 20);
    let (code, bans) = scene.edge.command(&["bans", "--json"]);
    assert_eq!((code, bans.trim()), (0, "[]"));
    let log = scene.edge.process.stderr();
    assert!(!log.contains("not banned"), "{log}");
}

#[test]
fn past_bans_and_reasons_survive_a_kill() {
    let _machine = heavy();
    let limit = "requests = \"off\"\n[limit.penalty]\nrefused = 10\nban = \"4s\"\nforget = \"10m\"\n\
                 smuggling = 10";
    let mut scene = Scene::new("past", limit);
    let smuggled = "POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 4\r\n\
                    Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    offend_until_banned(&scene, smuggled);
    let banned = scene
        .edge
        .metrics()
        .sum("edge_bans_total", &["origin=\"protocol\""]);
    assert!(banned >= 1.0, "nobody was banned");
    let over = wait_until(Duration::from_secs(30), || {
        scene.edge.command(&["bans", "--json"]).1.trim() == "[]"
    });
    assert!(over, "a ban of four seconds stands");
    let reason = "scraper of prices";
    let by_hand = ["ban", "10.83.0.5", "--for", "1h", "--reason", reason];
    let (code, output) = scene.edge.command(&by_hand);
    assert_eq!(code, 0, "{output}");

    scene.edge.process.signal(nix::sys::signal::Signal::SIGKILL);
    scene.edge.process.wait(Duration::from_secs(5));
    scene.edge.start_again();
    assert_eq!(only_ban(&scene)["reason"], reason);
    let (code, output) = scene.edge.command(&["unban", "10.83.0.5"]);
    assert_eq!(code, 0, "{output}");
    offend_until_banned(&scene, smuggled);
    assert_eq!(only_ban(&scene)["count"], 2, "the first one is remembered");
}
