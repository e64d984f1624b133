//! The kernel program against the model: the same packets, the same verdicts.

use std::collections::HashSet;
use std::net::IpAddr;
use std::time::Duration;

use edge_common::Verdict;
use proptest::prelude::*;
use proptest::sample::Index;

use super::frame::*;
use super::harness::*;
use crate::cidr::Cidr;
use crate::config::{self, Fragments};
use crate::kernel::Shield;
use crate::kernel::model::{Model, Network, Rules};

/// So slow that nothing is given back while a test runs.
const NEVER: f64 = 0.001;

const ALLOWED: [&str; 3] = ["198.51.100.0/24", "2001:db8:a::/48", "203.0.113.128/25"];
const DENIED: [&str; 3] = ["203.0.113.0/24", "2001:db8:d::/48", "2001:db8:a:1::/64"];
const BANNED: [&str; 4] = [
    "192.0.2.66",
    "198.51.100.66",
    "2001:db8:b:1::",
    "2001:db8:a:2::",
];
const KNOWN: [&str; 2] = ["192.0.2.77", "2001:db8:c::"];

/// Of every kind: listed, banned, known, strangers, and some at the borders of networks.
const SOURCES: [&str; 16] = [
    "192.0.2.1",
    "192.0.2.66",
    "192.0.2.77",
    "198.51.100.1",
    "198.51.100.66",
    "198.51.101.0",
    "203.0.112.255",
    "203.0.113.0",
    "203.0.113.128",
    "2001:db8:a::1",
    "2001:db8:a:1::1",
    "2001:db8:a:2::9",
    "2001:db8:b:1:ffff::",
    "2001:db8:c::77",
    "2001:db8:d:ffff::",
    "2001:db8:e::1",
];

/// What stands in a datagram or segment.
#[derive(Clone, Debug)]
enum Content {
    Tcp {
        flags: u8,
        words: u8,
    },
    Quic {
        version: u32,
        kind: u8,
        length: usize,
    },
    Short(usize),
}

fn content() -> impl Strategy<Value = Content> {
    let flags = prop_oneof![
        4 => prop::sample::select(vec![SYN, ACK, SYN | ACK, RST, FIN | ACK, ACK | 0x08, SYN | 0xc0]),
        1 => any::<u8>(),
    ];
    let version = prop::sample::select(vec![0u32, 1, 0x6b33_43cf, 0x1a2a_3a4a]);
    let length = prop::sample::select(vec![5usize, 1199, 1200, 1200, 1350]);
    prop_oneof![
        (flags, 0u8..=10).prop_map(|(flags, words)| Content::Tcp { flags, words }),
        (version, 0u8..4, length).prop_map(|(version, kind, length)| Content::Quic {
            version,
            kind,
            length
        }),
        Just(Content::Quic {
            version: 1,
            kind: 0,
            length: 1200
        }),
        (0usize..64).prop_map(Content::Short),
    ]
}

impl Content {
    /// Protocol and bytes, from the transport header on.
    fn bytes(&self, port: u16) -> (u8, Vec<u8>) {
        match *self {
            Content::Tcp { flags, words } => {
                let mut bytes = tcp(port, flags);
                bytes[12] = (5 + words) << 4;
                bytes.resize(20 + usize::from(words) * 4, 1);
                bytes.extend(b"GET /");
                (TCP, bytes)
            }
            Content::Quic {
                version,
                kind,
                length,
            } => {
                let mut payload = quic_long(version, kind);
                payload.resize(length, 0);
                (UDP, udp(port, &payload))
            }
            Content::Short(length) => (UDP, udp(port, &vec![0x40; length])),
        }
    }
}

#[derive(Clone, Debug)]
struct Sent {
    /// Which of those who send in this case.
    source: Index,
    content: Content,
    /// To the port its content belongs to, unless there is another.
    port: Option<u16>,
    is_from_zero: bool,
    tags: Vec<u16>,
    option_words: u8,
    fragment: u16,
    extensions: Vec<(u8, u8)>,
    /// What happened to it on the way.
    noise: Vec<(Index, u8)>,
    cut: Option<Index>,
    /// How often it is sent: limits want a row of the same.
    times: usize,
}

prop_compose! {
    fn sent()(
        source in any::<Index>(),
        content in content(),
        port in prop_oneof![
            8 => Just(None),
            1 => prop::sample::select(vec![SSH, 0, GUARDED_TCP, GUARDED_UDP]).prop_map(Some),
        ],
        is_from_zero in prop::bool::weighted(0.05),
        tags in prop_oneof![
            3 => Just(Vec::new()),
            1 => prop::collection::vec(prop::sample::select(vec![0x8100u16, 0x88a8]), 1..=3),
        ],
        option_words in prop_oneof![3 => Just(0u8), 1 => 0u8..=10],
        fragment in prop_oneof![4 => Just(0u16), 1 => prop::sample::select(vec![0x4000, 0x2000, 1, 0x2001])],
        extensions in prop_oneof![
            3 => Just(Vec::new()),
            1 => prop::collection::vec(
                (prop::sample::select(vec![HOP_BY_HOP, ROUTING, FRAGMENT, AUTHENTICATION, DESTINATION, NO_NEXT]), 0u8..4),
                0..=11,
            ),
        ],
        noise in prop_oneof![
            4 => Just(Vec::new()),
            1 => prop::collection::vec((any::<Index>(), any::<u8>()), 1..=4),
        ],
        cut in prop_oneof![8 => Just(None), 1 => any::<Index>().prop_map(Some)],
        times in prop_oneof![2 => Just(1usize), 1 => 2usize..16],
    ) -> Sent {
        Sent { source, content, port, is_from_zero, tags, option_words, fragment, extensions, noise, cut, times }
    }
}

impl Sent {
    fn frame(&self, sources: &[&str]) -> Vec<u8> {
        let port = self.port.unwrap_or(match self.content {
            Content::Tcp { .. } => GUARDED_TCP,
            _ => GUARDED_UDP,
        });
        let (protocol, mut bytes) = self.content.bytes(port);
        if self.is_from_zero {
            bytes[..2].fill(0);
        }
        let packet = match self.source.get(sources).parse().unwrap() {
            IpAddr::V4(source) => ipv4(source, protocol, self.option_words, self.fragment, &bytes),
            IpAddr::V6(source) => {
                let chain: Vec<(u8, Vec<u8>)> = self.extensions.iter().map(extension_of).collect();
                ipv6_chain(source, &chain, protocol, &bytes)
            }
        };
        let mut frame = vlan(&self.tags, &packet);
        // Noise strikes headers, where it matters, more than bodies.
        let headers = frame.len().min(120);
        for (at, byte) in &self.noise {
            frame[at.index(headers)] = *byte;
        }
        if let Some(cut) = self.cut {
            // `BPF_PROG_TEST_RUN` takes no less than an Ethernet header.
            frame.truncate(14 + cut.index(headers - 13));
        }
        frame
    }
}

fn extension_of((kind, size): &(u8, u8)) -> (u8, Vec<u8>) {
    let body = match *kind {
        FRAGMENT => fragment(u16::from(*size / 3), size % 2 == 1),
        AUTHENTICATION => authentication(*size),
        _ => extension(*size),
    };
    (*kind, body)
}

/// Rules of both kinds, alike.
fn rules(switches: (bool, bool), bursts: [Option<u32>; 4]) -> (config::Shield, Rules) {
    let (only, drop_fragments) = switches;
    let [packets, connections, initials, new_connections] = bursts;
    let limit = |burst: Option<u32>| burst.and_then(|burst| rate(NEVER, burst));
    let parsed = |text: &&str| -> Cidr { text.parse::<crate::cidr::Parsed>().unwrap().cidr };
    let mut shield = config::Shield {
        initials: limit(initials),
        new_connections: limit(new_connections),
        fragments: if drop_fragments {
            Fragments::Drop
        } else {
            Fragments::Pass
        },
        allow: ALLOWED.iter().map(parsed).collect(),
        deny: DENIED.iter().map(parsed).collect(),
        only,
        ..config(limit(packets), limit(connections))
    };
    shield.allow.sort();
    shield.deny.sort();
    let network = |text: &&str| {
        let (addr, prefix) = text.split_once('/').unwrap();
        Network {
            addr: addr.parse().unwrap(),
            prefix: prefix.parse().unwrap(),
        }
    };
    let addrs = |texts: &[&str]| texts.iter().map(|text| text.parse().unwrap()).collect();
    let rules = Rules {
        tcp: [GUARDED_TCP].into(),
        udp: [GUARDED_UDP].into(),
        ipv6_prefix: 64,
        allow: ALLOWED.iter().map(network).collect(),
        deny: DENIED.iter().map(network).collect(),
        banned: addrs(&BANNED),
        only,
        drop_fragments,
        packets,
        connections,
        initials,
        new_connections,
        versions: 200,
        known: addrs(&KNOWN),
    };
    (shield, rules)
}

/// A shield with the bans and the known sources of all cases.
fn shield() -> Shield {
    let mut shield = unlimited();
    for banned in BANNED {
        let addr = banned.parse().unwrap();
        shield.ban(addr, Duration::from_secs(3600)).unwrap();
    }
    for known in KNOWN {
        shield.known_good(known.parse().unwrap()).unwrap();
    }
    shield
}

#[test]
fn the_program_and_the_model_agree() {
    let shield = std::cell::RefCell::new(shield());
    let burst = || prop_oneof![1 => Just(None), 2 => (1u32..8).prop_map(Some)];
    let case = (
        (any::<bool>(), any::<bool>()),
        [burst(), burst(), burst(), burst()],
        prop::collection::vec(prop::sample::select(&SOURCES[..]), 1..=4),
        prop::collection::vec(sent(), 1..48),
    );
    // Every case is some two dozen packets, which act on one another through the limits.
    let config = ProptestConfig::with_cases(256);
    let seen = std::cell::RefCell::new(HashSet::new());
    proptest!(config, |((switches, bursts, sources, packets) in case)| {
        // One in four shuts everybody else out; half of them would leave little to see.
        let switches = (switches.0 && switches.1, switches.1);
        let shield = &mut *shield.borrow_mut();
        let (config, rules) = rules(switches, bursts);
        shield.apply(&config, &PORTS).unwrap();
        while shield.sync_lists().unwrap() {}
        shield.forget_sources().unwrap();
        let mut model = Model::new(rules);
        for sent in &packets {
            let frame = sent.frame(&sources);
            for _ in 0..sent.times {
                let expected = model.judge(&frame);
                let judged = judge(shield, &frame);
                prop_assert_eq!(judged, expected, "{:?}", frame);
                seen.borrow_mut().insert(judged.0);
            }
        }
    });
    // All but the one that takes hundreds of packets of the same kind.
    let missed = |verdict: &Verdict| !seen.borrow().contains(verdict);
    let missed: Vec<Verdict> = Verdict::ALL.into_iter().filter(missed).collect();
    let may_miss = |verdict: &Verdict| *verdict == Verdict::QuicVersion;
    assert!(missed.iter().all(may_miss), "never seen: {missed:?}");
}

#[test]
fn they_agree_on_packets_that_are_nothing() {
    let shield = std::cell::RefCell::new(shield());
    let (config, rules) = rules((false, false), [None; 4]);
    shield.borrow_mut().apply(&config, &PORTS).unwrap();
    while shield.borrow_mut().sync_lists().unwrap() {}
    proptest!(ProptestConfig::with_cases(2000), |(
        bytes in prop::collection::vec(any::<u8>(), 14..200),
        kind in prop::sample::select(vec![0x0800u16, 0x86dd, 0x8100, 0x88a8]),
        inner in prop::sample::select(vec![0x0800u16, 0x86dd]),
        first in prop::sample::select(vec![0x45u8, 0x4f, 0x60]),
        next in prop::sample::select(vec![0u8, 6, 17, 43, 44, 51, 60]),
    )| {
        let mut bytes = bytes;
        bytes[12..14].copy_from_slice(&kind.to_be_bytes());
        if bytes.len() > 60 {
            bytes[16..18].copy_from_slice(&inner.to_be_bytes());
            for at in [14, 18] {
                bytes[at] = first;
                bytes[at + 6] = next;
                bytes[at + 9] = next;
            }
        }
        let expected = Model::new(rules.clone()).judge(&bytes);
        let judged = judge(&mut shield.borrow_mut(), &bytes);
        prop_assert_eq!(judged, expected, "{:?}", bytes);
    });
}
