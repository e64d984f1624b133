//! Which packet gets which verdict, for both families.

use edge_common::{Family, Verdict};

use super::frame::*;
use super::harness::{GUARDED_TCP, GUARDED_UDP, SSH, judge, unlimited};

const V4: &str = "203.0.113.9";
const V6: &str = "2001:db8:1:2::9";
const BOTH: [(&str, Family); 2] = [(V4, Family::V4), (V6, Family::V6)];

/// Judges each frame; every mismatch is named.
fn check(cases: &[(&str, Vec<u8>, Verdict, Family)]) {
    let mut shield = unlimited();
    let wrong: Vec<String> = cases
        .iter()
        .filter_map(|(name, frame, verdict, family)| {
            let judged = judge(&mut shield, frame);
            (judged != (*verdict, *family)).then(|| format!("{name}: {judged:?}"))
        })
        .collect();
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn only_guarded_ports_are_touched() {
    let mut shield = unlimited();
    for (source, family) in BOTH {
        let mut verdict = |protocol, payload: &[u8]| {
            let judged = judge(&mut shield, &from(source, protocol, payload));
            assert_eq!(judged.1, family);
            judged.0
        };
        assert_eq!(verdict(TCP, &tcp(GUARDED_TCP, SYN)), Verdict::Passed);
        assert_eq!(verdict(TCP, &tcp(GUARDED_TCP, ACK)), Verdict::Passed);
        assert_eq!(verdict(TCP, &tcp(SSH, SYN)), Verdict::Unguarded);
        assert_eq!(verdict(UDP, &udp(GUARDED_UDP, b"x")), Verdict::Passed);
        // Guarded for the other protocol only.
        assert_eq!(verdict(TCP, &tcp(GUARDED_UDP, SYN)), Verdict::Unguarded);
        assert_eq!(verdict(UDP, &udp(GUARDED_TCP, b"x")), Verdict::Unguarded);
        // Neighbours in the port set.
        assert_eq!(verdict(TCP, &tcp(GUARDED_TCP - 1, SYN)), Verdict::Unguarded);
        assert_eq!(verdict(TCP, &tcp(GUARDED_TCP + 1, SYN)), Verdict::Unguarded);
        for port in [0, 507, GUARDED_TCP ^ 0x4000, u16::MAX] {
            assert_eq!(verdict(TCP, &tcp(port, SYN)), Verdict::Unguarded, "{port}");
        }
    }
}

#[test]
fn what_has_no_ports_is_not_touched() {
    let arp = {
        let mut frame = ethernet(&[0; 28]);
        frame[12..14].copy_from_slice(&0x0806u16.to_be_bytes());
        frame
    };
    let length_field = {
        let mut frame = ethernet(&[0; 46]);
        frame[12..14].copy_from_slice(&46u16.to_be_bytes());
        frame
    };
    // What they carry is for a guarded port, and none of the shield's business before it is unpacked.
    let inner = &from(V4, TCP, &tcp(GUARDED_TCP, SYN))[14..];
    check(&[
        ("ARP", arp, Verdict::Unguarded, Family::Other),
        (
            "IEEE 802.3 length",
            length_field,
            Verdict::Unguarded,
            Family::Other,
        ),
        ("ICMP", from(V4, 1, &[8; 8]), Verdict::Unguarded, Family::V4),
        (
            "ICMP: fragmentation needed",
            from(V4, 1, &[&[3, 4, 0, 0, 0, 0, 5, 0], inner].concat()),
            Verdict::Unguarded,
            Family::V4,
        ),
        (
            "ICMPv6",
            from(V6, 58, &[128; 8]),
            Verdict::Unguarded,
            Family::V6,
        ),
        (
            "ICMPv6: packet too big",
            from(V6, 58, &[&[2, 0, 0, 0, 0, 0, 5, 0], inner].concat()),
            Verdict::Unguarded,
            Family::V6,
        ),
        (
            "neighbour solicitation",
            from(V6, 58, &[135; 24]),
            Verdict::Unguarded,
            Family::V6,
        ),
        (
            "multicast listener report",
            ethernet(&ipv6_chain(
                V6.parse().unwrap(),
                &[(HOP_BY_HOP, extension(0))],
                58,
                &[143; 28],
            )),
            Verdict::Unguarded,
            Family::V6,
        ),
        ("GRE", from(V4, 47, inner), Verdict::Unguarded, Family::V4),
        (
            "authentication header in IPv4",
            from(V4, AUTHENTICATION, inner),
            Verdict::Unguarded,
            Family::V4,
        ),
        (
            "UDP-Lite",
            from(V6, 136, &udp(GUARDED_UDP, b"x")),
            Verdict::Unguarded,
            Family::V6,
        ),
        (
            "IPv6 in IPv4",
            from(V4, 41, inner),
            Verdict::Unguarded,
            Family::V4,
        ),
        (
            "VXLAN",
            from(V4, UDP, &udp(4789, inner)),
            Verdict::Unguarded,
            Family::V4,
        ),
        (
            "SCTP",
            from(V4, 132, &tcp(GUARDED_TCP, SYN)),
            Verdict::Unguarded,
            Family::V4,
        ),
        (
            "IPv4 in IPv4",
            from(V4, 4, &from(V4, TCP, &tcp(443, SYN))[14..]),
            Verdict::Unguarded,
            Family::V4,
        ),
        (
            "ESP",
            from(V6, ESP, &tcp(443, SYN)),
            Verdict::Unguarded,
            Family::V6,
        ),
        (
            "no next header",
            from(V6, NO_NEXT, &tcp(443, SYN)),
            Verdict::Unguarded,
            Family::V6,
        ),
    ]);
}

#[test]
fn headers_for_a_guarded_port_must_be_whole() {
    let short = |length: usize| from(V4, TCP, &tcp(GUARDED_TCP, SYN)[..length]);
    let with_offset = |port, words: u8| {
        let mut header = tcp(port, SYN);
        header[12] = words << 4;
        header
    };
    let udp_length = |length: u16| {
        let mut datagram = udp(GUARDED_UDP, b"x");
        datagram[4..6].copy_from_slice(&length.to_be_bytes());
        datagram
    };
    check(&[
        (
            "TCP without its port",
            short(3),
            Verdict::Unparsed,
            Family::V4,
        ),
        (
            "TCP cut after the ports",
            short(4),
            Verdict::Malformed,
            Family::V4,
        ),
        (
            "TCP cut by a byte",
            short(19),
            Verdict::Malformed,
            Family::V4,
        ),
        ("TCP whole", short(20), Verdict::Passed, Family::V4),
        (
            "TCP offset below the header",
            from(V4, TCP, &with_offset(443, 4)),
            Verdict::Malformed,
            Family::V4,
        ),
        (
            "TCP offset beyond the packet",
            from(V6, TCP, &with_offset(443, 6)),
            Verdict::Malformed,
            Family::V6,
        ),
        (
            "the same, elsewhere",
            from(V6, TCP, &with_offset(SSH, 6)),
            Verdict::Unguarded,
            Family::V6,
        ),
        (
            "UDP cut",
            from(V6, UDP, &udp(GUARDED_UDP, b"")[..7]),
            Verdict::Malformed,
            Family::V6,
        ),
        (
            "UDP of length 7",
            from(V4, UDP, &udp_length(7)),
            Verdict::Malformed,
            Family::V4,
        ),
        (
            "UDP of length 8",
            from(V4, UDP, &udp_length(8)),
            Verdict::Passed,
            Family::V4,
        ),
    ]);
}

#[test]
fn frames_of_several_buffers_are_judged_by_the_first() {
    let content = vec![0x40; 8900];
    check(&[
        (
            "jumbo UDP",
            from(V4, UDP, &udp(GUARDED_UDP, &content)),
            Verdict::Passed,
            Family::V4,
        ),
        (
            "jumbo TCP",
            from(V6, TCP, &[tcp(GUARDED_TCP, ACK), content.clone()].concat()),
            Verdict::Passed,
            Family::V6,
        ),
        (
            "jumbo TCP without flags",
            from(V6, TCP, &[tcp(GUARDED_TCP, 0), content.clone()].concat()),
            Verdict::TcpFlags,
            Family::V6,
        ),
        (
            "jumbo to SSH",
            from(V4, TCP, &[tcp(SSH, 0), content].concat()),
            Verdict::Unguarded,
            Family::V4,
        ),
    ]);
}

#[test]
fn vlan_tags() {
    const CUSTOMER: u16 = 0x8100;
    const SERVICE: u16 = 0x88a8;
    let syn =
        |source: &str, tags: &[u16]| vlan(tags, &from(source, TCP, &tcp(GUARDED_TCP, ACK))[14..]);
    let ssh = |tags: &[u16]| vlan(tags, &from(V4, TCP, &tcp(SSH, SYN))[14..]);
    check(&[
        ("one", syn(V4, &[CUSTOMER]), Verdict::Passed, Family::V4),
        (
            "one, service",
            syn(V6, &[SERVICE]),
            Verdict::Passed,
            Family::V6,
        ),
        (
            "two",
            syn(V6, &[SERVICE, CUSTOMER]),
            Verdict::Passed,
            Family::V6,
        ),
        (
            "two, both customer",
            syn(V4, &[CUSTOMER, CUSTOMER]),
            Verdict::Passed,
            Family::V4,
        ),
        (
            "two, unguarded",
            ssh(&[SERVICE, CUSTOMER]),
            Verdict::Unguarded,
            Family::V4,
        ),
        (
            "three",
            syn(V4, &[SERVICE, CUSTOMER, CUSTOMER]),
            Verdict::Unparsed,
            Family::Other,
        ),
    ]);
}

#[test]
fn ipv4_headers() {
    let source = V4.parse().unwrap();
    let options = |words| ethernet(&ipv4(source, TCP, words, 0, &tcp(GUARDED_TCP, SYN)));
    let patched = |at: usize, byte: u8| {
        let mut frame = options(0);
        frame[14 + at] = byte;
        frame
    };
    check(&[
        (
            "options of 4 bytes",
            options(1),
            Verdict::Passed,
            Family::V4,
        ),
        (
            "options of 40 bytes",
            options(10),
            Verdict::Passed,
            Family::V4,
        ),
        (
            "header of 16 bytes",
            patched(0, 0x44),
            Verdict::Unparsed,
            Family::V4,
        ),
        ("version 5", patched(0, 0x55), Verdict::Unparsed, Family::V4),
        (
            "version 6 by EtherType 4",
            patched(0, 0x65),
            Verdict::Unparsed,
            Family::V4,
        ),
        (
            "total length below the header",
            patched(3, 19),
            Verdict::Unparsed,
            Family::V4,
        ),
        (
            "header longer than the packet",
            patched(0, 0x4f),
            Verdict::Unparsed,
            Family::V4,
        ),
    ]);
}

#[test]
fn ipv4_fragments() {
    const MORE: u16 = 0x2000;
    const DONT: u16 = 0x4000;
    let source = V4.parse().unwrap();
    let piece = |field, payload: &[u8]| ethernet(&ipv4(source, TCP, 0, field, payload));
    let header = tcp(GUARDED_TCP, SYN);
    check(&[
        (
            "don't fragment",
            piece(DONT, &header),
            Verdict::Passed,
            Family::V4,
        ),
        ("first", piece(MORE, &header), Verdict::Passed, Family::V4),
        (
            "first, to SSH",
            piece(MORE, &tcp(SSH, SYN)),
            Verdict::Unguarded,
            Family::V4,
        ),
        // RFC 1858 §3: the flags would be in the second fragment.
        (
            "first, tiny",
            piece(MORE, &header[..8]),
            Verdict::Malformed,
            Family::V4,
        ),
        (
            "first, tiny, to SSH",
            piece(MORE, &tcp(SSH, SYN)[..8]),
            Verdict::Unguarded,
            Family::V4,
        ),
        (
            "second",
            piece(MORE | 1, &header),
            Verdict::Fragment,
            Family::V4,
        ),
        (
            "last",
            piece(0x1fff, &header),
            Verdict::Fragment,
            Family::V4,
        ),
        (
            "last of ICMP",
            ethernet(&ipv4(source, 1, 0, 1, &[0; 8])),
            Verdict::Unguarded,
            Family::V4,
        ),
    ]);
}

#[test]
fn ipv6_extension_headers() {
    let source = V6.parse().unwrap();
    let chain = |extensions: &[(u8, Vec<u8>)], port| {
        ethernet(&ipv6_chain(source, extensions, TCP, &tcp(port, SYN)))
    };
    let full = [
        (HOP_BY_HOP, extension(0)),
        (DESTINATION, extension(3)),
        (ROUTING, extension(2)),
        (FRAGMENT, fragment(0, true)),
        (AUTHENTICATION, authentication(4)),
        (DESTINATION, extension(0)),
    ];
    let heap = |count| vec![(DESTINATION, extension(0)); count];
    let cut = |length: usize| {
        let mut frame = chain(&[(HOP_BY_HOP, extension(1))], GUARDED_TCP);
        frame.truncate(14 + 40 + length);
        frame
    };
    check(&[
        (
            "hop-by-hop",
            chain(&full[..1], 443),
            Verdict::Passed,
            Family::V6,
        ),
        (
            "hop-by-hop, to SSH",
            chain(&full[..1], SSH),
            Verdict::Unguarded,
            Family::V6,
        ),
        (
            "routing",
            chain(&full[2..3], 443),
            Verdict::Passed,
            Family::V6,
        ),
        (
            "authentication",
            chain(&full[4..5], 443),
            Verdict::Passed,
            Family::V6,
        ),
        (
            "authentication, odd words",
            chain(&[(AUTHENTICATION, authentication(3))], SSH),
            Verdict::Unguarded,
            Family::V6,
        ),
        ("every kind", chain(&full, 443), Verdict::Passed, Family::V6),
        (
            "every kind, to SSH",
            chain(&full, SSH),
            Verdict::Unguarded,
            Family::V6,
        ),
        (
            "the longest",
            chain(&[(DESTINATION, extension(255))], 443),
            Verdict::Passed,
            Family::V6,
        ),
        (
            "as many as are followed",
            chain(&heap(8), 443),
            Verdict::Passed,
            Family::V6,
        ),
        (
            "one more",
            chain(&heap(9), 443),
            Verdict::Unparsed,
            Family::V6,
        ),
        (
            "many more, to SSH",
            chain(&heap(20), SSH),
            Verdict::Unparsed,
            Family::V6,
        ),
        (
            "before ICMPv6",
            ethernet(&ipv6_chain(source, &full[..2], 58, &[0; 8])),
            Verdict::Unguarded,
            Family::V6,
        ),
        ("cut inside", cut(1), Verdict::Unparsed, Family::V6),
        (
            "longer than the packet",
            cut(8),
            Verdict::Unparsed,
            Family::V6,
        ),
        (
            "version 4 by EtherType 6",
            {
                let mut frame = chain(&[], 443);
                frame[14] = 0x45;
                frame
            },
            Verdict::Unparsed,
            Family::V6,
        ),
    ]);
}

#[test]
fn ipv6_fragments() {
    let source = V6.parse().unwrap();
    let piece = |offset, more, payload: &[u8]| {
        ethernet(&ipv6_chain(
            source,
            &[(FRAGMENT, fragment(offset, more))],
            UDP,
            payload,
        ))
    };
    let datagram = udp(GUARDED_UDP, &[0; 16]);
    check(&[
        (
            "atomic",
            piece(0, false, &datagram),
            Verdict::Passed,
            Family::V6,
        ),
        (
            "first",
            piece(0, true, &datagram),
            Verdict::Passed,
            Family::V6,
        ),
        (
            "first, tiny",
            piece(0, true, &datagram[..4]),
            Verdict::Malformed,
            Family::V6,
        ),
        (
            "second",
            piece(1, true, &datagram),
            Verdict::Fragment,
            Family::V6,
        ),
        (
            "last",
            piece(0x1fff, false, &datagram),
            Verdict::Fragment,
            Family::V6,
        ),
    ]);
}

#[test]
fn without_guarded_ports_everything_passes() {
    use super::harness::config;
    let mut shield = crate::kernel::Shield::load(&config(None, None), &[]).unwrap();
    for (source, family) in BOTH {
        let frame = from(source, TCP, &tcp(GUARDED_TCP, SYN));
        assert_eq!(judge(&mut shield, &frame), (Verdict::Unguarded, family));
    }
}
