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

    let mut shield = load(&config::Shield {
        packets: rate(1000.0, 1000),
        connections: rate(100.0, 100),
        new_connections: rate(0.001, 1000),
        ..lists(&["192.0.2.1"], &["198.51.100.0/24"])
    });
    let (banned, known) = ("203.0.113.66", "203.0.113.77");
    let hour = Duration::from_secs(3600);
    shield.ban(banned.parse().unwrap(), hour).unwrap();
    shield.known_good(known.parse().unwrap()).unwrap();
    let before = map_bytes(&mut shield);

    let mut frame = from("10.0.0.0", TCP, &tcp(GUARDED_TCP, SYN));
    for i in 0..SOURCES {
        frame[26..30].copy_from_slice(&(0x0a00_0000 + i).to_be_bytes());
        run(&mut shield, &frame, 1);
    }
    let dropped = packets(&shield, Verdict::NewConnections);
    assert_eq!(dropped, u64::from(SOURCES) - 1000);

    let mut verdict = |source| judge(&mut shield, &from(source, TCP, &tcp(GUARDED_TCP, SYN))).0;
    assert_eq!(verdict(banned), Verdict::Banned);
    assert_eq!(verdict("192.0.2.1"), Verdict::Allowed);
    assert_eq!(verdict("198.51.100.1"), Verdict::Denied);
    assert_eq!(verdict("203.0.113.78"), Verdict::NewConnections);
    assert_eq!(verdict(known), Verdict::Passed);
    assert_eq!(map_bytes(&mut shield), before);
}
