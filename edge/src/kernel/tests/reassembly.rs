//! What the kernel puts together behind the shield.

use std::net::{Ipv6Addr, UdpSocket};
use std::time::Duration;

use edge_common::Verdict;

use super::frame::*;
use super::harness::*;
use super::namespace::{CLIENT_V6, DEVICE, HOST_V6, Pair};
use crate::config::{self, ShieldMode};
use crate::kernel::Shield;

/// A datagram in two fragments. The first ends between two extension headers, so that its ports are
/// in the second.
fn fragments() -> [Vec<u8>; 2] {
    let (source, host) = [CLIENT_V6, HOST_V6]
        .map(|addr| addr.parse::<Ipv6Addr>().unwrap())
        .into();
    let mut datagram = udp(GUARDED_UDP, b"hidden");
    // RFC 8200 §8.1: with the addresses, the length and the protocol before it.
    let pseudo = [
        &source.octets()[..],
        &host.octets(),
        &[0, datagram.len() as u8, 0, UDP],
    ];
    let sum = checksum(&[&pseudo.concat(), &datagram[..]].concat());
    datagram[6..8].copy_from_slice(&sum.to_be_bytes());
    let mut second = extension(0);
    second[0] = UDP;
    second.extend(datagram);
    let to_host = |offset, more, rest: &[u8]| {
        let chain = [(FRAGMENT, fragment(offset, more))];
        let mut packet = ipv6_chain(source, &chain, DESTINATION, rest);
        packet[24..40].copy_from_slice(&host.octets());
        ethernet(&packet)
    };
    let mut first = extension(0);
    first[0] = DESTINATION;
    [to_host(0, true, &first), to_host(1, false, &second)]
}

#[test]
fn a_port_in_the_second_fragment_is_no_way_around_a_ban() {
    let pair = Pair::new();
    pair.ip_on_host(&["link", "set", DEVICE, "address", "02:00:00:00:00:01"]);
    let config = config::Shield {
        mode: ShieldMode::Native,
        interfaces: vec![DEVICE.to_owned()],
        ..config(None, None)
    };
    let (mut shield, socket) = pair.on_host(|| {
        let shield = Shield::attach(&config, &PORTS).expect("veth has native XDP");
        (shield, UdpSocket::bind((HOST_V6, GUARDED_UDP)).unwrap())
    });
    let arrives = |patience| {
        for frame in fragments() {
            pair.flood(&frame, 1);
        }
        socket.set_read_timeout(Some(patience)).unwrap();
        let mut buffer = [0; 100];
        socket
            .recv(&mut buffer)
            .is_ok_and(|length| buffer[..length] == *b"hidden")
    };
    assert!(
        arrives(Duration::from_secs(5)),
        "the kernel delivers what is so sent"
    );
    let client = CLIENT_V6.parse().unwrap();
    shield.ban(client, Duration::from_secs(60)).unwrap();
    assert!(!arrives(Duration::from_millis(300)));
    assert_eq!(packets(&shield, Verdict::Banned), 1);
    shield.unban(client).unwrap();
    assert!(arrives(Duration::from_secs(5)));
}
