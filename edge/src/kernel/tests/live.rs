//! What more live sources cost: the program's own time as the kernel counts it, each packet another
//! source's. A table that no cache holds costs a read of memory, and nothing may cost more.

use std::fs::File;
use std::io;
use std::os::fd::{FromRawFd, OwnedFd};

use super::frame::*;
use super::harness::*;
use super::runner::Runner;
use crate::config;
use crate::kernel::Shield;

/// The kernel counts the time of programs while this is open (`BPF_ENABLE_STATS`).
struct Statistics(#[allow(dead_code, reason = "held open")] File);

impl Statistics {
    fn on() -> Statistics {
        const BPF_ENABLE_STATS: i32 = 32;
        let run_time = 0u32;
        // SAFETY: the attribute outlives the call.
        let fd = unsafe {
            libc::syscall(
                libc::SYS_bpf,
                BPF_ENABLE_STATS,
                &raw const run_time,
                size_of::<u32>(),
            )
        };
        assert!(fd >= 0, "{}", io::Error::last_os_error());
        // SAFETY: the kernel has just given it to us.
        Statistics(unsafe { OwnedFd::from_raw_fd(fd as i32) }.into())
    }
}

/// Nanoseconds the program has run, and how often.
fn spent(shield: &mut Shield) -> (f64, f64) {
    let info = shield.program().xdp().info().unwrap();
    (info.run_time().as_nanos() as f64, info.run_count() as f64)
}

#[test]
fn a_million_live_sources_cost_a_packet_a_read_of_memory() {
    const LIVE: [u32; 3] = [1_000, 65_000, 1_000_000];
    const ROUND: u32 = 10_000;
    let mut shields = LIVE.map(|_| {
        load(&config::Shield {
            packets: rate(0.001, 1),
            ..config(None, None)
        })
    });
    let runners = shields.each_mut().map(Runner::new);
    let mut next = [0u32; LIVE.len()];
    let mut frame = from("10.0.0.0", TCP, &tcp(GUARDED_TCP, SYN));
    let mut flood = |at: usize, packets: u32| {
        for _ in 0..packets {
            next[at] = (next[at] + 1) % LIVE[at];
            // Spread, as sources of a flood are.
            let source = next[at].wrapping_mul(0x9e37_79b1);
            frame[26..30].copy_from_slice(&source.to_be_bytes());
            runners[at].run(&frame, 1);
        }
    };
    for (at, live) in LIVE.into_iter().enumerate() {
        flood(at, live);
    }
    let _statistics = Statistics::on();
    let mut ns = LIVE.map(|_| Vec::new());
    for _ in 0..20 {
        for at in 0..LIVE.len() {
            let before = spent(&mut shields[at]);
            flood(at, ROUND);
            let after = spent(&mut shields[at]);
            ns[at].push((after.0 - before.0) / (after.1 - before.1));
        }
    }
    let median = ns.each_mut().map(|ns| {
        ns.sort_by(f64::total_cmp);
        (ns[ns.len() / 10], ns[ns.len() / 2])
    });
    for (live, (low, median)) in LIVE.into_iter().zip(median) {
        println!("{live} sources: {median:.0} ns, at best {low:.0}");
    }
    // Memory that other processes are busy with answers in the time of a whole packet.
    let [(few, _), .., (many, _)] = median;
    assert!(many < 3.5 * few, "{few:.0} ns became {many:.0}");
}
