//! Every kind of frame cut off at every byte: the program neither crashes nor drops what is not
//! known to be for a guarded port.

use edge_common::{Family, Verdict};

use super::frame::*;
use super::harness::{GUARDED_TCP, GUARDED_UDP, SSH, judge, unlimited};

/// `BPF_PROG_TEST_RUN` takes no less than an Ethernet header. Shorter frames do not reach a program
/// either; the parser's own tests have them.
const SHORTEST: usize = 14;

/// A frame and where in it the destination port ends.
fn frames(port_tcp: u16, port_udp: u16) -> Vec<(Vec<u8>, usize)> {
    let v4 = "203.0.113.9".parse().unwrap();
    let v6 = "2001:db8:1:2::9".parse().unwrap();
    let extensions = [
        (HOP_BY_HOP, extension(0)),
        (ROUTING, extension(2)),
        (FRAGMENT, fragment(0, true)),
        (AUTHENTICATION, authentication(4)),
        (DESTINATION, extension(1)),
    ];
    let extensions_length: usize = extensions.iter().map(|(_, body)| body.len()).sum();
    let tcp = tcp(port_tcp, SYN);
    let udp = udp(port_udp, &quic_long(1, 2)[..32]);
    vec![
        (ethernet(&ipv4(v4, TCP, 0, 0, &tcp)), 14 + 20 + 4),
        (ethernet(&ipv4(v4, TCP, 10, 0x2000, &tcp)), 14 + 60 + 4),
        (ethernet(&ipv4(v4, UDP, 0, 0, &udp)), 14 + 20 + 4),
        (ethernet(&ipv6(v6, TCP, &tcp)), 14 + 40 + 4),
        (ethernet(&ipv6(v6, UDP, &udp)), 14 + 40 + 4),
        (
            ethernet(&ipv6_chain(v6, &extensions, TCP, &tcp)),
            14 + 40 + extensions_length + 4,
        ),
        (
            vlan(&[0x88a8, 0x8100], &ipv4(v4, TCP, 0, 0, &tcp)),
            22 + 20 + 4,
        ),
        (vlan(&[0x88a8, 0x8100], &ipv6(v6, UDP, &udp)), 22 + 40 + 4),
    ]
}

#[test]
fn what_is_cut_before_its_port_passes_and_after_it_is_dropped_or_whole() {
    let mut shield = unlimited();
    for (frame, port_end) in frames(GUARDED_TCP, GUARDED_UDP) {
        for length in SHORTEST..=frame.len() {
            let (verdict, _) = judge(&mut shield, &frame[..length]);
            if length < port_end {
                assert_eq!(verdict, Verdict::Unparsed, "{length} of {frame:?}");
            } else {
                let expected = [Verdict::Malformed, Verdict::Passed];
                assert!(
                    expected.contains(&verdict),
                    "{verdict:?}: {length} of {frame:?}"
                );
            }
        }
        assert_eq!(judge(&mut shield, &frame).0, Verdict::Passed, "{frame:?}");
    }
}

#[test]
fn what_is_for_another_port_is_never_dropped() {
    let mut shield = unlimited();
    for (frame, port_end) in frames(SSH, SSH) {
        for length in SHORTEST..=frame.len() {
            let (verdict, _) = judge(&mut shield, &frame[..length]);
            let expected = if length < port_end {
                Verdict::Unparsed
            } else {
                Verdict::Unguarded
            };
            assert_eq!(verdict, expected, "{length} of {frame:?}");
        }
    }
}

#[test]
fn the_family_is_known_from_the_ether_type_on() {
    let mut shield = unlimited();
    let frame = &frames(GUARDED_TCP, GUARDED_UDP)[6].0;
    let mut family = |length| judge(&mut shield, &frame[..length]).1;
    assert_eq!([14, 18, 21].map(&mut family), [Family::Other; 3]);
    assert_eq!([22, 30].map(&mut family), [Family::V4; 2]);
}
