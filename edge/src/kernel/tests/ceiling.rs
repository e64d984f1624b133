//! The ceiling on new connections, and those who come first.

use edge_common::Verdict;

use super::frame::*;
use super::harness::*;
use crate::config;
use crate::kernel::Shield;

const NEVER: f64 = 0.001;

fn ceiling(burst: u32) -> Shield {
    load(&config::Shield {
        new_connections: rate(NEVER, burst),
        ..config(None, None)
    })
}

fn syn(shield: &mut Shield, source: &str) -> Verdict {
    judge(shield, &from(source, TCP, &tcp(GUARDED_TCP, SYN))).0
}

#[test]
fn strangers_share_a_ceiling() {
    let mut shield = ceiling(3);
    let initial = from("2001:db8::1", UDP, &udp(GUARDED_UDP, &quic_long(1, 0)));
    assert_eq!(syn(&mut shield, "10.0.0.1"), Verdict::Passed);
    assert_eq!(judge(&mut shield, &initial).0, Verdict::Passed);
    assert_eq!(syn(&mut shield, "10.0.0.3"), Verdict::Passed);
    assert_eq!(syn(&mut shield, "10.0.0.4"), Verdict::NewConnections);
    assert_eq!(judge(&mut shield, &initial).0, Verdict::NewConnections);
    // What is open goes on.
    let ack = from("10.0.0.4", TCP, &tcp(GUARDED_TCP, ACK));
    assert_eq!(judge(&mut shield, &ack).0, Verdict::Passed);
}

#[test]
fn who_has_completed_a_handshake_comes_first_and_has_a_bound_too() {
    let mut shield = ceiling(3);
    for known in ["10.0.0.7", "2001:db8:7::1"] {
        shield.known_good(known.parse().unwrap()).unwrap();
    }
    for i in 0..10 {
        syn(&mut shield, &format!("10.9.0.{i}"));
    }
    assert_eq!(syn(&mut shield, "10.9.1.1"), Verdict::NewConnections);
    assert_eq!(syn(&mut shield, "10.0.0.7"), Verdict::Passed);
    // The whole prefix is one source.
    assert_eq!(syn(&mut shield, "2001:db8:7::2"), Verdict::Passed);
    assert_eq!(syn(&mut shield, "10.0.0.7"), Verdict::Passed);
    assert_eq!(syn(&mut shield, "10.0.0.7"), Verdict::NewConnections);
    assert_eq!(syn(&mut shield, "10.9.1.1"), Verdict::NewConnections);
}

#[test]
fn a_ceiling_changes_live() {
    let mut shield = ceiling(1);
    assert_eq!(syn(&mut shield, "10.0.0.1"), Verdict::Passed);
    assert_eq!(syn(&mut shield, "10.0.0.2"), Verdict::NewConnections);
    let higher = config::Shield {
        new_connections: rate(1000.0, 1000),
        ..config(None, None)
    };
    shield.apply(&higher, &PORTS).unwrap();
    assert_eq!(syn(&mut shield, "10.0.0.2"), Verdict::Passed);
    shield.apply(&config(None, None), &PORTS).unwrap();
    for _ in 0..2000 {
        assert_eq!(syn(&mut shield, "10.0.0.2"), Verdict::Passed);
    }
}
