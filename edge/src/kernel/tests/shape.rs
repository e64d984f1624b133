//! What no honest host sends.

use edge_common::{Family, Verdict};

use super::frame::*;
use super::harness::*;
use crate::config::{self, Fragments};

const BOTH: [(&str, Family); 2] = [("203.0.113.9", Family::V4), ("2001:db8:1:2::9", Family::V6)];
const PSH: u8 = 0x08;
const URG: u8 = 0x20;
const ECE: u8 = 0x40;
const CWR: u8 = 0x80;

#[test]
fn flags_that_do_not_go_together_are_dropped() {
    let mut shield = unlimited();
    for (source, family) in BOTH {
        let mut verdict = |flags| judge(&mut shield, &from(source, TCP, &tcp(GUARDED_TCP, flags)));
        for flags in [
            SYN,
            SYN | ECE | CWR,
            SYN | ACK,
            ACK,
            ACK | PSH,
            ACK | URG | PSH,
            ACK | FIN,
            ACK | FIN | PSH,
            RST,
            RST | ACK,
        ] {
            assert_eq!(verdict(flags), (Verdict::Passed, family), "{flags:#04x}");
        }
        for flags in [
            0,
            FIN,
            PSH,
            URG,
            ECE,
            FIN | PSH | URG,
            SYN | FIN,
            SYN | RST,
            SYN | FIN | ACK,
            SYN | RST | ACK,
            FIN | RST | ACK,
            0x3f,
            0xff,
        ] {
            assert_eq!(verdict(flags), (Verdict::TcpFlags, family), "{flags:#04x}");
        }
        let elsewhere = from(source, TCP, &tcp(SSH, 0));
        assert_eq!(judge(&mut shield, &elsewhere).0, Verdict::Unguarded);
    }
}

#[test]
fn nobody_sends_from_port_zero() {
    let mut shield = unlimited();
    for (source, family) in BOTH {
        for (protocol, mut payload) in [(TCP, tcp(GUARDED_TCP, SYN)), (UDP, udp(GUARDED_UDP, b"x"))]
        {
            payload[..2].fill(0);
            let judged = judge(&mut shield, &from(source, protocol, &payload));
            assert_eq!(judged, (Verdict::ZeroPort, family));
        }
    }
}

/// RFC 8999 §5.1.
#[test]
fn a_long_header_is_whole() {
    let mut shield = unlimited();
    for (source, _) in BOTH {
        let mut judged = |data: &[u8], padding: usize| {
            let mut frame = from(source, UDP, &udp(GUARDED_UDP, data));
            frame.resize(frame.len() + padding, 0);
            judge(&mut shield, &frame).0
        };
        // What a card of Ethernet fills up a short frame with is not of the datagram.
        for padding in [0, 20] {
            for whole in [&b""[..], b"\x40", b"\x40\0\0", b"\xe0\0\0\0\x01\0\0"] {
                assert_eq!(judged(whole, padding), Verdict::Passed, "{whole:x?}");
            }
            for cut in [
                &b"\xc0"[..],
                b"\xc0\0\0\0",
                b"\xe0\0\0\0\x01",
                b"\xe0\0\0\0\x01\0",
            ] {
                assert_eq!(judged(cut, padding), Verdict::Malformed, "{cut:x?}");
            }
        }
    }
}

#[test]
fn an_initial_fills_its_datagram() {
    let mut shield = unlimited();
    let mut judged = |source, version, kind, length: usize| {
        let mut payload = quic_long(version, kind);
        payload.resize(length, 0);
        judge(&mut shield, &from(source, UDP, &udp(GUARDED_UDP, &payload))).0
    };
    for (source, _) in BOTH {
        assert_eq!(judged(source, 1, 0, 1199), Verdict::ShortInitial);
        assert_eq!(judged(source, 1, 0, 1200), Verdict::Passed);
        assert_eq!(judged(source, 0x6b33_43cf, 1, 1199), Verdict::ShortInitial);
        assert_eq!(judged(source, 0x1a2a_3a4a, 0, 1199), Verdict::ShortInitial);
        // Handshake and 0-RTT packets come in datagrams of any size.
        assert_eq!(judged(source, 1, 1, 100), Verdict::Passed);
        assert_eq!(judged(source, 1, 2, 100), Verdict::Passed);
    }
}

#[test]
fn versions_nobody_speaks_are_answered_now_and_then() {
    let mut shield = unlimited();
    let mut counts = [0; 2];
    for i in 0..1000u32 {
        let source = format!("10.9.{}.{}", i / 250, i % 250);
        let frame = from(&source, UDP, &udp(GUARDED_UDP, &quic_long(0x1a2a_3a4a, 0)));
        match judge(&mut shield, &frame).0 {
            Verdict::Passed => counts[0] += 1,
            Verdict::QuicVersion => counts[1] += 1,
            other => panic!("{other:?}"),
        }
    }
    assert!(counts[0] >= 200, "{counts:?}: the burst");
    assert!(counts[1] > 0, "{counts:?}");
    let known = from("10.9.9.9", UDP, &udp(GUARDED_UDP, &quic_long(1, 0)));
    assert_eq!(judge(&mut shield, &known).0, Verdict::Passed);
}

#[test]
fn fragments_are_dropped_where_they_are_not_wanted() {
    const MORE: u16 = 0x2000;
    let mut shield = load(&config::Shield {
        fragments: Fragments::Drop,
        ..config(None, None)
    });
    let v4 = "203.0.113.9".parse().unwrap();
    let v6 = "2001:db8:1:2::9".parse().unwrap();
    let four = |field, port| ethernet(&ipv4(v4, TCP, 0, field, &tcp(port, SYN)));
    let six = |offset, more, port| {
        let chain = [(FRAGMENT, fragment(offset, more))];
        ethernet(&ipv6_chain(v6, &chain, TCP, &tcp(port, SYN)))
    };
    for (frame, verdict) in [
        (four(MORE, GUARDED_TCP), Verdict::FragmentRefused),
        (four(MORE, SSH), Verdict::Unguarded),
        (four(MORE | 1, GUARDED_TCP), Verdict::Fragment),
        (four(0, GUARDED_TCP), Verdict::Passed),
        (six(0, true, GUARDED_TCP), Verdict::FragmentRefused),
        (six(0, true, SSH), Verdict::Unguarded),
        (six(0, false, GUARDED_TCP), Verdict::Passed), // RFC 6946: not a fragment.
        (six(1, true, GUARDED_TCP), Verdict::Fragment),
    ] {
        assert_eq!(judge(&mut shield, &frame).0, verdict, "{frame:?}");
    }
}
