//! Forged sources: a million of them push nobody out, and nobody is banned for what they seem to have done.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::scene::{CALLER, HTTPS, NO_ANSWER, Scene};
use crate::support::{Pair, Process, heavy, ip, peer_inside, rss_bytes, spawn_inside};

const ABUSER: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 4);
const ALLOWED: Ipv4Addr = Ipv4Addr::new(10, 83, 0, 5);
const SOURCES: u32 = 1_000_000;

/// Sends a connection attempt from each of so many addresses: how many the device took.
fn flood(netns: &str) -> JoinHandle<u64> {
    spawn_inside(netns, || {
        // Its packets come with their IP headers, raw(7).
        let raw = Protocol::from(255);
        let socket = Socket::new(Domain::IPV4, Type::RAW, Some(raw)).expect("root has raw sockets");
        let to = SocketAddrV4::new(Pair::HOST, 0).into();
        let mut sent = 0;
        for source in 0..SOURCES {
            let from = Ipv4Addr::from_bits(0x0b00_0000 + source);
            sent += u64::from(socket.send_to(&syn(from), &to).is_ok());
        }
        sent
    })
}

/// An IPv4 header, whose checksum the kernel fills in, and a TCP header.
fn syn(from: Ipv4Addr) -> [u8; 40] {
    let mut packet = [0; 40];
    packet[0] = 0x45;
    packet[2..4].copy_from_slice(&40u16.to_be_bytes());
    packet[8] = 64;
    packet[9] = 6;
    packet[12..16].copy_from_slice(&from.octets());
    packet[16..20].copy_from_slice(&Pair::HOST.octets());
    packet[20..22].copy_from_slice(&40_000u16.to_be_bytes());
    packet[22..24].copy_from_slice(&HTTPS.port().to_be_bytes());
    packet[32] = 5 << 4;
    packet[33] = 0x02;
    packet[34..36].copy_from_slice(&u16::MAX.to_be_bytes());
    packet
}

#[test]
fn a_million_forged_sources_push_nobody_out() {
    let _machine = heavy();
    // A ceiling that strangers hit at once.
    let ceiling = "new_connections = \"50/s\"\nnew_connections_burst = 50";
    let scene = Scene::with("million", "requests = \"off\"", ceiling);
    let run = |arguments: &[&str]| {
        let (code, output) = scene.edge.command(arguments);
        assert_eq!(code, 0, "edge {arguments:?}: {output}");
        output
    };
    // From now on the caller is known.
    scene.call_tools(Duration::from_millis(500));
    run(&["ban", &ABUSER.to_string(), "--for", "10m"]);
    run(&["allow", "add", &ALLOWED.to_string()]);
    let (pid, attempts) = (scene.edge.process.pid(), &["new_connections"]);
    let (memory, before) = (rss_bytes(pid), scene.dropped(attempts));

    let flood = flood(&scene.pair.client);
    let mut connected = 0;
    while !flood.is_finished() {
        assert!(
            scene.https_answers(CALLER, NO_ANSWER),
            "who is known is served ahead of strangers"
        );
        assert!(scene.https_answers(ALLOWED, NO_ANSWER));
        connected += 1;
        std::thread::sleep(Duration::from_millis(100));
    }
    let sent = flood.join().expect("it ends");
    let dropped = scene.dropped(attempts) - before;
    let grown = rss_bytes(pid).saturating_sub(memory);
    println!("{sent} sources, {dropped} dropped, {connected} connections, {grown} bytes more");
    assert!(sent > u64::from(SOURCES) * 9 / 10, "{sent} were sent");
    assert!(dropped > sent as f64 * 0.8, "{dropped} of {sent} dropped");
    assert!(connected >= 3, "the flood was over before it was felt");
    assert!(grown < 12 << 20, "{grown} bytes more");

    assert!(!scene.https_answers(ABUSER, Duration::from_millis(300)));
    assert!(scene.https_answers(ALLOWED, NO_ANSWER));
    let bans = run(&["bans"]);
    assert_eq!(bans.lines().count(), 2, "{bans}");
    assert!(bans.contains(&ABUSER.to_string()), "{bans}");
}

#[test]
fn forged_beginnings_of_quic_connections_are_held_off() {
    let _machine = heavy();
    const PATIENCE: Duration = Duration::from_secs(60);
    let ceiling = "new_connections = \"400/s\"\nnew_connections_burst = 400";
    let scene = Scene::with("initials", "requests = \"off\"", ceiling);
    let (client, host) = (&scene.pair.client, &scene.pair.host);
    // Answers go out, and nobody takes them.
    ip(&format!("-n {host} route add 11.0.0.0/8 via {CALLER}"));
    let ca = scene.edge.file("ca.pem").display().to_string();
    let url = format!("https://{}:{}", HTTPS.ip(), HTTPS.port());
    let connect = || {
        let command = peer_inside(client, "h3_scenarios.py", &["churn", &url, &ca, "1"]);
        let (code, stdout, stderr) = Process::run("churn", command, PATIENCE);
        assert_eq!(code, 0, "{stdout}\n{stderr}");
    };
    // From now on the caller is known.
    connect();
    let memory = rss_bytes(scene.edge.process.pid());
    let sum = |name: &str| scene.edge.metrics().sum(name, &[]);
    let (dropped, retries) = (
        scene.dropped(&["new_connections"]),
        sum("edge_quic_retries_total"),
    );
    let flood = peer_inside(client, "h3_packets.py", &["spoofed", &url, &ca, "20000"]);
    let mut flood = Process::start("flood", flood);
    let mut connected = 0;
    while flood.is_running() {
        connect();
        connected += 1;
    }
    let (code, stdout, stderr) = flood.finish(PATIENCE);
    assert_eq!(code, 0, "{stdout}\n{stderr}");
    let dropped = scene.dropped(&["new_connections"]) - dropped;
    let retries = sum("edge_quic_retries_total") - retries;
    let grown = rss_bytes(scene.edge.process.pid()).saturating_sub(memory) >> 20;
    println!(
        "{stdout}; {dropped} dropped, {retries} asked for proof, {grown} MiB more, {connected} times connected"
    );
    assert!(dropped > 5000.0, "the shield let nearly all of them by");
    assert!(retries > 50.0, "nobody was asked for proof");
    assert!(grown < 64, "{grown} MiB more");
    assert!(connected > 0);
    connect();
    // Nor is a client banned that comes and goes often.
    let (code, bans) = scene.edge.command(&["bans", "--json"]);
    assert_eq!((code, bans.trim()), (0, "[]"));
}

/// Over QUIC a source can be forged even by who has a ticket or a connection of his own.
#[test]
fn nobody_is_banned_for_what_a_forged_source_has_done() {
    let _machine = heavy();
    let limit = "requests = \"off\"\n[limit.penalty]\nrefused = 1\nwithin = \"60s\"\nmalformed = 1";
    let scene = Scene::of(Pair::new("framed", 4), limit, "", |setup| {
        setup
            .section("quic", "early_data = true")
            .route("early_data = true")
    });
    let ca = scene.edge.file("ca.pem").display().to_string();
    let url = format!("https://{}:{}", HTTPS.ip(), HTTPS.port());
    let frame = |name: &str| {
        let arguments = [name, &url, &ca, &ABUSER.to_string()];
        let command = peer_inside(&scene.pair.client, "h3_hostile.py", &arguments);
        let (code, stdout, stderr) = Process::run(name, command, Duration::from_secs(30));
        assert_eq!(code, 0, "{stdout}\n{stderr}");
        let (_, bans) = scene.edge.command(&["bans", "--json"]);
        bans
    };
    assert_eq!(frame("framed").trim(), "[]");
    // The one whose connection it is, for what QUIC has ended it for.
    let bans = frame("violation");
    assert!(bans.contains(&CALLER.to_string()), "{bans}");
    assert!(!bans.contains(&ABUSER.to_string()), "{bans}");
}
