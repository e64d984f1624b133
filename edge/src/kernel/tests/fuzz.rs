//! Frames bent in random ways, one after the other: the parser compiled for this machine, the program
//! in the kernel and the model have to say the same of each.
//!
//! A number of them that is always the same in an ordinary run; as many as ten minutes have room for,
//! from a new seed, where `EDGE_SOAK` is set (`cargo xtask test --soak`).

#[allow(dead_code, reason = "of the program's parser this needs a part")]
#[path = "../../../../edge-ebpf/src/packet.rs"]
mod packet;
#[allow(dead_code, unused_imports, reason = "as above")]
#[path = "../../../../edge-ebpf/src/parse/mod.rs"]
mod parse;

use std::collections::HashMap;
use std::hash::{BuildHasher, RandomState};

use edge_common::{Family, Ipv6Mask, PortSet, ShieldConfig, ShieldFlags, Verdict};

use super::frame::*;
use super::harness::*;
use crate::clock::monotonic_ns;
use crate::config::{self, Fragments};
use crate::kernel::Shield;
use crate::kernel::model::{Model, Rules};

const FRAMES: u64 = 40_000;
const SOAK_NS: u64 = 600_000_000_000;

/// Frames between two changes of what is done with fragments.
const TURN: u64 = 1000;

/// Frames kept of a verdict, to be bent further.
const KEPT_MAX: usize = 64;

/// `BPF_PROG_TEST_RUN` takes no less than an Ethernet header.
const LENGTH: std::ops::RangeInclusive<usize> = 14..=1600;

/// Marsaglia's xorshift64.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() >> 11) as usize % bound.max(1)
    }

    fn of<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[self.below(from.len())]
    }
}

/// One of every kind there is.
fn seeds() -> Vec<Vec<u8>> {
    let v4 = "192.0.2.1".parse().unwrap();
    let v6 = "2001:db8::1".parse().unwrap();
    let syn = tcp(GUARDED_TCP, SYN);
    let quic = |version, kind| {
        let mut payload = quic_long(version, kind);
        payload.resize(1200, 0);
        udp(GUARDED_UDP, &payload)
    };
    let chain = [
        (HOP_BY_HOP, extension(0)),
        (ROUTING, extension(1)),
        (FRAGMENT, fragment(0, true)),
        (AUTHENTICATION, authentication(1)),
        (DESTINATION, extension(2)),
    ];
    let heap = vec![(DESTINATION, extension(0)); 9];
    vec![
        from("192.0.2.1", TCP, &syn),
        from("2001:db8::1", TCP, &tcp(GUARDED_TCP, ACK)),
        from("192.0.2.1", UDP, &quic(1, 0)),
        from("2001:db8::1", UDP, &quic(0x6b33_43cf, 1)),
        from("192.0.2.1", UDP, &quic(0x1a2a_3a4a, 0)),
        vlan(&[0x8100], &ipv4(v4, TCP, 10, 0x2000, &syn)),
        vlan(&[0x88a8, 0x8100], &ipv6_chain(v6, &[], TCP, &syn)),
        ethernet(&ipv4(v4, UDP, 2, 7, &quic(1, 0))),
        ethernet(&ipv6_chain(v6, &chain, TCP, &syn)),
        ethernet(&ipv6_chain(v6, &heap, TCP, &syn)),
    ]
}

/// Bytes that mean something somewhere in a header.
const TELLING: [u8; 20] = [
    0, 1, 2, 5, 6, 8, 17, 41, 43, 44, 51, 59, 60, 0x45, 0x4f, 0x60, 0x7f, 0x80, 0x81, 0xff,
];

fn bend(random: &mut Random, frame: &mut Vec<u8>, others: &[Vec<u8>]) {
    for _ in 0..=random.below(6) {
        // Headers, where it matters, more than bodies.
        let near = match random.below(4) {
            0 => frame.len(),
            _ => frame.len().min(100),
        };
        let at = random.below(near);
        match random.below(9) {
            0 | 1 => frame[at] ^= 1 << random.below(8),
            2 | 3 => frame[at] = *random.of(&TELLING),
            4 => frame[at] = random.next() as u8,
            5 => {
                let until = (at + 1 + random.below(16)).min(frame.len());
                frame.drain(at..until);
            }
            6 => {
                let other = random.of(others);
                let from = random.below(other.len());
                let until = (from + 1 + random.below(40)).min(other.len());
                frame.splice(at..at, other[from..until].iter().copied());
            }
            7 => frame[at..].iter_mut().take(2).for_each(|byte| *byte = 0),
            _ => frame.truncate(at),
        }
        frame.resize(frame.len().clamp(*LENGTH.start(), *LENGTH.end()), 0);
    }
}

#[test]
fn program_parser_and_model_agree_on_whatever_comes() {
    let is_soak = std::env::var_os("EDGE_SOAK").is_some();
    let seed = match is_soak {
        true => RandomState::new().hash_one(0) | 1,
        false => 0x2545_f491_4f6c_dd1d,
    };
    println!("seed {seed:#x}");
    let mut random = Random(seed);
    let mut shield = unlimited();
    let mut counted = shield.verdicts().unwrap();
    let mut kept: HashMap<(Verdict, Family), usize> = HashMap::new();
    let mut corpus = seeds();
    let (start, mut frames) = (monotonic_ns(), 0);
    while match is_soak {
        true => monotonic_ns() - start < SOAK_NS,
        false => frames < FRAMES,
    } {
        let drop_fragments = frames / TURN % 2 == 1;
        if frames % TURN == 0 {
            turn(&mut shield, drop_fragments);
        }
        frames += 1;
        let mut frame = random.of(&corpus).clone();
        bend(&mut random, &mut frame, &corpus);

        let expected = model(drop_fragments).judge(&frame);
        assert_eq!(parsed(&frame, drop_fragments), expected, "{frame:02x?}");
        let judged = judged(&mut shield, &frame, &mut counted);
        // How many unknown versions are let through depends on the clock.
        let judged = match judged {
            (Verdict::QuicVersion, family) => (Verdict::Passed, family),
            judged => judged,
        };
        assert_eq!(judged, expected, "{frame:02x?}");

        let kept = kept.entry(expected).or_default();
        if *kept < KEPT_MAX {
            *kept += 1;
            corpus.push(frame);
        }
    }
    let mut seen: Vec<_> = kept.into_keys().collect();
    seen.sort_by_key(|(verdict, family)| verdict.counter(*family));
    println!("{frames} frames; verdicts {seen:?}");
    // All that a parser can come to, of either family.
    for verdict in [
        Verdict::Passed,
        Verdict::Unguarded,
        Verdict::Fragment,
        Verdict::Unparsed,
        Verdict::Malformed,
        Verdict::FragmentRefused,
        Verdict::TcpFlags,
        Verdict::ZeroPort,
        Verdict::ShortInitial,
    ] {
        for family in [Family::V4, Family::V6] {
            assert!(
                seen.contains(&(verdict, family)),
                "no {verdict:?} {family:?}"
            );
        }
    }
}

fn turn(shield: &mut Shield, drop_fragments: bool) {
    let fragments = match drop_fragments {
        true => Fragments::Drop,
        false => Fragments::Pass,
    };
    let config = config::Shield {
        fragments,
        ..config(None, None)
    };
    shield.apply(&config, &PORTS).unwrap();
}

/// What the model says.
fn model(drop_fragments: bool) -> Model {
    Model::new(Rules {
        tcp: [GUARDED_TCP].into(),
        udp: [GUARDED_UDP].into(),
        ipv6_prefix: 64,
        drop_fragments,
        versions: 1,
        ..Rules::default()
    })
}

/// What the program does up to its maps, as this machine's compiler has it.
fn parsed(frame: &[u8], drop_fragments: bool) -> (Verdict, Family) {
    let port = |port| {
        let mut ports = PortSet::EMPTY;
        ports.insert(port);
        ports
    };
    let config = ShieldConfig {
        tcp: port(GUARDED_TCP),
        udp: port(GUARDED_UDP),
        flags: match drop_fragments {
            true => ShieldFlags::NO_FRAGMENTS,
            false => ShieldFlags::default(),
        },
        ..ShieldConfig::default()
    };
    let segment = match parse::segment(frame.into(), &Ipv6Mask::default()) {
        Ok(segment) => segment,
        Err(aside) => return aside,
    };
    let verdict = match parse::port(&segment, &config) {
        Err(verdict) => verdict,
        Ok(_) if segment.protocol == parse::Protocol::Hidden => {
            match segment.is_first_fragment && drop_fragments {
                true => Verdict::FragmentRefused,
                false => Verdict::Unparsed,
            }
        }
        Ok(_) => match parse::opens(&segment, &config) {
            Err(verdict) => verdict,
            Ok(_) => Verdict::Passed,
        },
    };
    (verdict, segment.family)
}

/// What the program in the kernel says: the one count that is higher than it was.
fn judged(
    shield: &mut Shield,
    frame: &[u8],
    counted: &mut Vec<(Verdict, Family, u64)>,
) -> (Verdict, Family) {
    run(shield, frame, 1);
    let now = shield.verdicts().unwrap();
    let before = std::mem::replace(counted, now);
    let mut more = counted
        .iter()
        .zip(&before)
        .filter(|(now, before)| now.2 != before.2);
    let (Some(&((verdict, family, _), _)), None) = (more.next().as_ref(), more.next()) else {
        panic!("not one verdict on {frame:02x?}");
    };
    (*verdict, *family)
}
