//! A million forged sources.

use std::fs;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use edge_common::Verdict;

use super::frame::*;
use super::harness::*;
use super::lists::lists;
use crate::config;
use crate::kernel::Shield;

/// The memory of all maps the program uses, as the kernel accounts for it.
fn map_bytes(shield: &mut Shield) -> u64 {
    let xdp = shield.program().xdp();
    let maps = xdp.info().unwrap().map_ids().unwrap().unwrap_or_default();
    let memory = |id: u32| {
        let map = aya::maps::MapInfo::from_id(id).unwrap().fd().unwrap();
        let path = format!("/proc/self/fdinfo/{}", map.as_fd().as_raw_fd());
        let info = fs::read_to_string(path).unwrap();
        let line = info.lines().find_map(|line| line.strip_prefix("memlock:"));
        line.unwrap().trim().parse::<u64>().unwrap()
    };
    maps.into_iter().map(memory).sum()
}

#[test]
fn forged_sources_push_out_nobody_and_take_no_memory() {
    const SOURCES: u32 = 1_000_000;
    const ADMITTED: u32 = 1000;

    let mut shield = load(&config::Shield {
        packets: rate(1000.0, 1000),
        connections: rate(100.0, 100),
        new_connections: rate(0.001, ADMITTED),
        ..lists(
            &["192.0.2.1", "2001:db8:a::/48"],
            &["198.51.100.0/24", "2001:db8:d::/48"],
        )
    });
    let (banned, known) = (
        ["203.0.113.66", "2001:db8:b:1::"],
        ["203.0.113.77", "2001:db8:c:1::"],
    );
    let hour = Duration::from_secs(3600);
    for (banned, known) in banned.into_iter().zip(known) {
        shield.ban(banned.parse().unwrap(), hour).unwrap();
        shield.known_good(known.parse().unwrap()).unwrap();
    }
    let before = map_bytes(&mut shield);

    let syn = tcp(GUARDED_TCP, SYN);
    let (mut v4, mut v6) = (from("10.0.0.0", TCP, &syn), from("fd00::1", TCP, &syn));
    for i in 0..SOURCES {
        // Every other one from a network of IPv6 of its own.
        let frame = match i % 2 {
            0 => {
                v4[26..30].copy_from_slice(&(0x0a00_0000 + i).to_be_bytes());
                &v4
            }
            _ => {
                v6[24..28].copy_from_slice(&i.to_be_bytes());
                &v6
            }
        };
        run(&mut shield, frame, 1);
    }
    let dropped = packets(&shield, Verdict::NewConnections);
    assert_eq!(dropped, u64::from(SOURCES - ADMITTED));

    let mut verdict = |source| judge(&mut shield, &from(source, TCP, &syn)).0;
    for (source, expected) in [
        (banned[0], Verdict::Banned),
        ("2001:db8:b:1:ffff::9", Verdict::Banned),
        ("2001:db8:b:2::9", Verdict::NewConnections),
        ("192.0.2.1", Verdict::Allowed),
        ("2001:db8:a:ffff::1", Verdict::Allowed),
        ("198.51.100.1", Verdict::Denied),
        ("2001:db8:d:ffff::1", Verdict::Denied),
        ("203.0.113.78", Verdict::NewConnections),
        (known[0], Verdict::Passed),
        ("2001:db8:c:1::77", Verdict::Passed),
        ("2001:db8:c:2::77", Verdict::NewConnections),
    ] {
        assert_eq!(verdict(source), expected, "{source}");
    }
    assert_eq!(map_bytes(&mut shield), before);
}
