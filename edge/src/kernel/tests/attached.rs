//! The shield in its place: in the driver of a virtual Ethernet device, between two namespaces.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use edge_common::{Family, Verdict};

use super::frame::*;
use super::harness::*;
use super::namespace::{CLIENT, DEVICE, HOST, Pair};
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
