//! The limits per source. They run on the kernel's clock: what must not be admitted is compared
//! with the time that really passed, what must be leaves room for a machine under load.

use std::time::Duration;

use edge_common::Verdict;

use super::frame::*;
use super::harness::*;
use super::runner::Runner;
use crate::config::{self, Fragments};
use crate::kernel::Shield;

/// So slow that nothing is given back while a test runs.
const NEVER: f64 = 0.001;

const SOURCE: &str = "203.0.113.9";

fn verdicts(shield: &mut Shield, frame: &[u8], count: usize) -> Vec<Verdict> {
    (0..count).map(|_| judge(shield, frame).0).collect()
}

#[test]
fn a_source_has_its_burst_of_packets_and_no_more() {
    use Verdict::{PacketRate, Passed};
    let mut shield = load(&config(rate(NEVER, 3), None));
    for source in [SOURCE, "2001:db8:1:2::9"] {
        let frame = from(source, TCP, &tcp(GUARDED_TCP, ACK));
        assert_eq!(
            verdicts(&mut shield, &frame, 5),
            [Passed, Passed, Passed, PacketRate, PacketRate]
        );
        let datagram = from(source, UDP, &udp(GUARDED_UDP, b"x"));
        assert_eq!(judge(&mut shield, &datagram).0, PacketRate);
        let elsewhere = from(source, TCP, &tcp(SSH, ACK));
        assert_eq!(judge(&mut shield, &elsewhere).0, Verdict::Unguarded);
    }
}

#[test]
fn sources_do_not_share_a_limit_unless_they_share_a_prefix() {
    let mut shield = load(&config(rate(NEVER, 1), None));
    let mut verdict = |source| judge(&mut shield, &from(source, TCP, &tcp(GUARDED_TCP, ACK))).0;
    assert_eq!(verdict("203.0.113.9"), Verdict::Passed);
    assert_eq!(verdict("203.0.113.9"), Verdict::PacketRate);
    assert_eq!(verdict("203.0.113.10"), Verdict::Passed);
    assert_eq!(verdict("2001:db8:1:2::9"), Verdict::Passed);
    assert_eq!(verdict("2001:db8:1:2:ffff::1"), Verdict::PacketRate);
    assert_eq!(verdict("2001:db8:1:3::9"), Verdict::Passed);
}

#[test]
fn connection_attempts_are_limited_apart_from_packets() {
    use Verdict::{ConnectionRate, Passed};
    let mut shield = load(&config(rate(NEVER, 1000), rate(NEVER, 2)));
    let mut verdict = |flags| judge(&mut shield, &from(SOURCE, TCP, &tcp(GUARDED_TCP, flags))).0;
    assert_eq!(
        [SYN, SYN, SYN].map(&mut verdict),
        [Passed, Passed, ConnectionRate]
    );
    // None of these asks for a connection.
    assert_eq!(
        [ACK, SYN | ACK, FIN | ACK, RST].map(&mut verdict),
        [Passed; 4]
    );
    assert_eq!(verdict(SYN), ConnectionRate);
}

#[test]
fn the_packet_limit_comes_first_and_refused_packets_cost_nothing() {
    use Verdict::{PacketRate, Passed};
    let mut shield = load(&config(rate(NEVER, 2), rate(NEVER, 100)));
    let syn = from(SOURCE, TCP, &tcp(GUARDED_TCP, SYN));
    assert_eq!(verdicts(&mut shield, &syn, 3), [Passed, Passed, PacketRate]);
}

#[test]
fn quic_initials_are_limited_apart_from_tcp() {
    const V1: u32 = 1;
    const V2: u32 = 0x6b33_43cf;
    let mut shield = load(&config::Shield {
        initials: rate(NEVER, 1),
        ..config(None, rate(NEVER, 1))
    });
    let mut source = 0;
    let mut counts = |payload: &[u8]| {
        source += 1;
        let frame = from(
            &format!("203.0.113.{source}"),
            UDP,
            &udp(GUARDED_UDP, payload),
        );
        match verdicts(&mut shield, &frame, 2)[..] {
            [Verdict::Passed, Verdict::InitialRate] => true,
            [Verdict::Passed, Verdict::Passed] => false,
            ref other => panic!("{other:?}"),
        }
    };
    assert!(counts(&quic_long(V1, 0)), "Initial");
    assert!(!counts(&quic_long(V1, 1)), "0-RTT");
    assert!(!counts(&quic_long(V1, 2)), "Handshake");
    assert!(!counts(&quic_long(V1, 3)), "Retry");
    assert!(counts(&quic_long(V2, 1)), "Initial of version 2");
    assert!(!counts(&quic_long(V2, 0)), "Retry of version 2");
    assert!(!counts(&quic_long(0, 0)), "version negotiation");
    assert!(counts(&quic_long(0x1a2a_3a4a, 3)), "a version to negotiate");
    assert!(!counts(&[0x40; 1200]), "short header");
    assert!(!counts(&[]), "empty");
}

#[test]
fn time_gives_admissions_back() {
    let mut shield = load(&config(rate(10.0, 1), None));
    let frame = from(SOURCE, TCP, &tcp(GUARDED_TCP, ACK));
    assert_eq!(judge(&mut shield, &frame).0, Verdict::Passed);
    assert_eq!(judge(&mut shield, &frame).0, Verdict::PacketRate);
    wait(Duration::from_millis(150));
    assert_eq!(judge(&mut shield, &frame).0, Verdict::Passed);
}

#[test]
fn two_cpus_at_once_admit_no_more_than_one() {
    // A tenth of a second of packets: the second CPU needs a while to join the first.
    const BURST: u32 = 2_000_000;
    let mut shield = load(&config(rate(NEVER, BURST), None));
    let frame = from(SOURCE, TCP, &tcp(GUARDED_TCP, ACK));
    let runner = Runner::new(&mut shield);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| runner.run(&frame, 2 * BURST));
        }
    });
    assert_eq!(packets(&shield, Verdict::Passed), u64::from(BURST));
}

/// The tick of a kernel with `CONFIG_HZ=100`, the slowest there is.
const TICK_MAX_NS: u64 = 10_000_000;

#[test]
fn a_coarse_limit_admits_its_rate_and_burst() {
    let mut shield = load(&config(rate(10_000.0, 1_000), None));
    let frame = from(SOURCE, TCP, &tcp(GUARDED_TCP, ACK));
    let (passed, elapsed_ns) = passes(&mut shield, &frame, 5_000_000);
    let most = 1_000 + (elapsed_ns + TICK_MAX_NS) / 100_000;
    assert!(passed <= most, "{passed} of at most {most}");
    // The run is preempted under load, but is never shorter than it takes.
    assert!(passed >= 1_500, "{passed} in {elapsed_ns} ns");
}

#[test]
fn a_fine_limit_does_not_starve_between_ticks() {
    let mut shield = load(&config(rate(10_000.0, 1), None));
    let frame = from(SOURCE, TCP, &tcp(GUARDED_TCP, ACK));
    let (passed, elapsed_ns) = passes(&mut shield, &frame, 2_000_000);
    let most = 1 + elapsed_ns / 100_000;
    assert!(passed <= most, "{passed} of at most {most}");
    // In 50 ns times 2 million; one admission a tick would be 10 to 100.
    assert!(passed >= 500, "{passed} in {elapsed_ns} ns");
}

#[test]
fn a_flood_of_forged_sources_makes_nobody_s_excess_forgotten() {
    let mut shield = load(&config(rate(1_000.0, 10_000), None));
    let heavy = from(SOURCE, TCP, &tcp(GUARDED_TCP, ACK));
    let start = crate::clock::monotonic_ns();
    let (burst, _) = passes(&mut shield, &heavy, 20_000);
    assert!(burst >= 10_000);

    // More sources than the table has cells, a packet each.
    for i in 0..300_000u32 {
        let [_, b, c, d] = i.to_be_bytes();
        let forged = from(&format!("10.{b}.{c}.{d}"), TCP, &tcp(GUARDED_TCP, ACK));
        assert_eq!(run(&mut shield, &forged, 1).0, 2, "source {i} was dropped");
    }

    // What the flood's time has given back, not a new burst.
    let (again, _) = passes(&mut shield, &heavy, 20_000);
    let elapsed_ns = crate::clock::monotonic_ns() - start;
    let most = 10_000 + (elapsed_ns + TICK_MAX_NS) / 1_000_000;
    assert!(burst + again <= most, "{burst} + {again} of at most {most}");
}

#[test]
fn a_hidden_port_counts_as_an_attempt_to_connect() {
    let heap = vec![(DESTINATION, extension(0)); 9];
    let cut = [(FRAGMENT, fragment(0, true)), (DESTINATION, extension(0))];
    let hidden = |source: &str, chain: &[(u8, Vec<u8>)], rest: &[u8]| {
        let source = source.parse().unwrap();
        ethernet(&ipv6_chain(source, chain, DESTINATION, rest))
    };
    let mut shield = load(&config(None, rate(0.001, 2)));
    for (source, chain) in [("2001:db8:1::1", &heap[..]), ("2001:db8:2::1", &cut)] {
        let frame = hidden(source, chain, if chain.len() == 9 { &[0; 8] } else { &[] });
        let verdicts = [(); 3].map(|()| judge(&mut shield, &frame).0);
        let expected = [
            Verdict::Unparsed,
            Verdict::Unparsed,
            Verdict::ConnectionRate,
        ];
        assert_eq!(verdicts, expected, "{source}");
    }
    // Nor does it come in where strangers may not, or fragments.
    let ceiling = config::Shield {
        new_connections: rate(0.001, 1),
        fragments: Fragments::Drop,
        ..config(None, None)
    };
    let mut shield = load(&ceiling);
    let fragment = judge(&mut shield, &hidden("2001:db8:3::1", &cut, &[])).0;
    assert_eq!(fragment, Verdict::FragmentRefused);
    let verdicts = ["2001:db8:4::1", "2001:db8:5::1"]
        .map(|source| judge(&mut shield, &hidden(source, &heap, &[0; 8])).0);
    assert_eq!(verdicts, [Verdict::Unparsed, Verdict::NewConnections]);
}
