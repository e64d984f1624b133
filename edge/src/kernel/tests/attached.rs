//! The shield in its place: in the driver of a virtual Ethernet device, between two namespaces.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use edge_common::{Family, Verdict};

use super::frame::*;
use super::harness::*;
use super::lists::lists;
use super::namespace::{CLIENT, CLIENT_V6, DEVICE, HOST, HOST_V6, Pair};
use crate::clock::monotonic_ns;
use crate::config::{self, Rate, ShieldMode};
use crate::kernel::{AttachMode, Shield};

/// A shield in the host's driver and listeners on a guarded and an unguarded port.
fn guard(pair: &Pair, connections: Option<Rate>) -> (Shield, [TcpListener; 2]) {
    let config = config::Shield {
        mode: ShieldMode::Native,
        interfaces: vec![DEVICE.to_owned()],
        ..config(None, connections)
    };
    pair.on_host(|| {
        let shield = Shield::attach(&config, &PORTS).expect("veth has native XDP");
        let listeners = [GUARDED_TCP, SSH].map(|port| TcpListener::bind((HOST, port)).unwrap());
        (shield, listeners)
    })
}

/// Tries to connect from the client for so long.
fn connect(pair: &Pair, port: u16, patience: Duration) -> Result<(), ErrorKind> {
    pair.on_client(|| {
        let to = SocketAddr::new(HOST.parse().unwrap(), port);
        TcpStream::connect_timeout(&to, patience)
            .map(drop)
            .map_err(|error| error.kind())
    })
}

const LONG: Duration = Duration::from_secs(5);
const SHORT: Duration = Duration::from_millis(200);

#[test]
fn a_flood_is_dropped_in_the_driver_and_nobody_else_notices() {
    const FLOOD: usize = 20_000;
    const BURST: u32 = 100;

    let pair = Pair::new();
    let (shield, _listeners) = guard(
        &pair,
        Some(Rate {
            per_sec: 1.0,
            burst: BURST,
        }),
    );
    let [attachment] = shield.attachments() else {
        panic!("{:?}", shield.attachments());
    };
    assert_eq!(attachment.interface(), DEVICE);
    assert_eq!(attachment.mode(), AttachMode::Native);

    let start = monotonic_ns();
    pair.flood(&from("10.99.0.77", TCP, &tcp(GUARDED_TCP, SYN)), FLOOD);
    let seconds = (monotonic_ns() - start).div_ceil(1_000_000_000);
    connect(&pair, GUARDED_TCP, LONG).expect("another source is not in the flood");

    let dropped = packets(&shield, Verdict::ConnectionRate);
    let least = FLOOD as u64 - u64::from(BURST) - seconds - 1;
    assert!(dropped >= least, "{dropped} of {FLOOD} dropped");
}

#[test]
fn a_port_that_is_not_guarded_is_never_touched() {
    const FLOOD: usize = 20_000;

    let pair = Pair::new();
    let (mut shield, _listeners) = guard(
        &pair,
        Some(Rate {
            per_sec: 0.001,
            burst: 1,
        }),
    );
    shield
        .ban(CLIENT.parse().unwrap(), Duration::from_secs(60))
        .unwrap();
    pair.flood(&from(CLIENT, TCP, &tcp(SSH, SYN)), FLOOD);
    connect(&pair, SSH, LONG).expect("the shield does not touch this port");

    let counts = shield.verdicts().unwrap();
    let dropped: u64 = counts
        .iter()
        .filter(|count| count.0.dropped())
        .map(|count| count.2)
        .sum();
    assert_eq!(dropped, 0, "{counts:?}");
    let unguarded = counts
        .iter()
        .find(|count| (count.0, count.1) == (Verdict::Unguarded, Family::V4));
    assert!(
        unguarded.is_some_and(|count| count.2 > FLOOD as u64),
        "{counts:?}"
    );
}

#[test]
fn a_ban_stops_the_next_syn_and_ends_on_time() {
    let pair = Pair::new();
    let (mut shield, _listeners) = guard(&pair, None);
    connect(&pair, GUARDED_TCP, LONG).unwrap();

    let length = Duration::from_secs(2);
    shield.ban(CLIENT.parse().unwrap(), length).unwrap();
    let banned = monotonic_ns();
    assert_eq!(connect(&pair, GUARDED_TCP, SHORT), Err(ErrorKind::TimedOut));
    assert!(packets(&shield, Verdict::Banned) > 0);
    connect(&pair, SSH, LONG).expect("a ban is for guarded ports");

    // A new SYN every 200 ms, until one is answered.
    let elapsed = || Duration::from_nanos(monotonic_ns() - banned);
    let latest = length + Duration::from_secs(1);
    while connect(&pair, GUARDED_TCP, SHORT).is_err() {
        assert!(elapsed() < latest, "still banned after {:?}", elapsed());
    }
    let after = elapsed();
    let earliest = length - Duration::from_millis(1);
    assert!(after >= earliest, "answered again after {after:?}");
}

#[test]
fn the_end_of_the_shield_leaves_the_interface_as_it_was() {
    let pair = Pair::new();
    let (mut shield, _listeners) = guard(&pair, None);
    shield
        .ban(CLIENT.parse().unwrap(), Duration::from_secs(600))
        .unwrap();
    assert_eq!(connect(&pair, GUARDED_TCP, SHORT), Err(ErrorKind::TimedOut));
    drop(shield);
    connect(&pair, GUARDED_TCP, LONG).unwrap();
}

#[test]
fn a_flood_of_forged_sources_of_ipv6_pushes_nobody_out() {
    const FLOOD: usize = 100_000;
    const BURST: u32 = 20;

    let pair = Pair::new();
    let config = config::Shield {
        mode: ShieldMode::Native,
        interfaces: vec![DEVICE.to_owned()],
        connections: rate(0.001, BURST),
        // Strangers have used it up at once.
        new_connections: rate(0.001, BURST),
        ..lists(&["2001:db8:a::/48"], &[])
    };
    let (mut shield, _listener) = pair.on_host(|| {
        let shield = Shield::attach(&config, &PORTS).expect("veth has native XDP");
        (shield, TcpListener::bind((HOST_V6, GUARDED_TCP)).unwrap())
    });
    while shield.sync_lists().unwrap() {}
    let banned = "2001:db8:b:1::".parse().unwrap();
    shield.ban(banned, Duration::from_secs(60)).unwrap();
    shield.known_good(CLIENT_V6.parse().unwrap()).unwrap();
    let connect = || {
        pair.on_client(|| {
            let to = SocketAddr::new(HOST_V6.parse().unwrap(), GUARDED_TCP);
            TcpStream::connect_timeout(&to, LONG).map(drop)
        })
    };

    let syn = tcp(GUARDED_TCP, SYN);
    let connected = std::thread::scope(|scope| {
        let forged = from("fd00:1::1", TCP, &syn);
        let flood = scope.spawn(|| {
            pair.flood_of(forged, FLOOD, |i, frame| {
                frame[24..28].copy_from_slice(&(i as u32).to_be_bytes());
            });
        });
        let mut connected = 0;
        // Each is one of the burst that who is known has beyond the strangers'.
        while connected < 3 || !flood.is_finished() && connected < BURST / 2 {
            connect().expect("who is known is served ahead of strangers");
            connected += 1;
        }
        connected
    });
    let dropped = packets(&shield, Verdict::NewConnections);
    assert!(dropped >= FLOOD as u64 - u64::from(BURST), "{dropped}");
    assert_eq!(packets(&shield, Verdict::ConnectionRate), 0);

    // An address each of the network that is banned, of the list, and of one that has its burst alone.
    let attempts = |network: &str| {
        let frame = from(&format!("{network}::"), TCP, &syn);
        pair.flood_of(frame, BURST as usize + 5, |i, frame| frame[37] = i as u8);
    };
    attempts("2001:db8:b:1");
    assert_eq!(packets(&shield, Verdict::Banned), u64::from(BURST) + 5);
    attempts("2001:db8:a:1");
    assert_eq!(packets(&shield, Verdict::Allowed), u64::from(BURST) + 5);
    attempts("2001:db8:e:1");
    assert_eq!(packets(&shield, Verdict::ConnectionRate), 5);
    connect().expect("still known");
    println!("{connected} connections under the flood");
}

#[test]
fn frames_larger_than_a_page_are_judged_in_the_driver() {
    let pair = Pair::new();
    let mtu = ["link", "set", DEVICE, "mtu", "9000"];
    pair.ip_on_host(&mtu);
    pair.ip_on_client(&mtu);
    let (shield, _listeners) = guard(&pair, None);
    assert_eq!(shield.attachments()[0].mode(), AttachMode::Native);
    let frame = |flags| [from(CLIENT, TCP, &tcp(GUARDED_TCP, flags)), vec![0; 8900]].concat();
    pair.flood(&frame(0), 10);
    pair.flood(&frame(0x10), 10);
    assert_eq!(packets(&shield, Verdict::TcpFlags), 10);
    assert_eq!(packets(&shield, Verdict::Passed), 10);
}
