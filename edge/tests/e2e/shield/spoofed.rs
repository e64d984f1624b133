//! A million forged sources: who was there before notices nothing.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::thread::JoinHandle;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

use super::scene::{CALLER, HTTPS, NO_ANSWER, Scene};
use crate::support::{Pair, heavy, rss_bytes, spawn_inside};

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
