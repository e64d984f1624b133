//! Long lists under traffic.

use std::net::Ipv4Addr;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Duration;

use edge_common::Verdict;

use super::frame::*;
use super::harness::*;
use super::namespace::{CLIENT, DEVICE, Pair};
use super::runner::Runner;
use crate::cidr::Cidr;
use crate::clock::monotonic_ns;
use crate::config::{self, ShieldMode};
use crate::kernel::Shield;

const ENTRIES: u32 = 200_000;

/// So many networks, none of which has `10.99.0.0/16`.
fn networks(first: u32) -> Vec<Cidr> {
    let network = |i: u32| {
        // An odd factor scatters them; 11.0.0.0 and up.
        let spread = i.wrapping_mul(0x9e37_79b1) % 0xb000_0000 + 0x0b00_0000;
        Cidr::new(Ipv4Addr::from_bits(spread).into(), 20 + (i % 13) as u8).unwrap()
    };
    let mut list: Vec<Cidr> = (first..first + ENTRIES).map(network).collect();
    list.sort();
    list.dedup();
    list
}

fn with(allow: Vec<Cidr>, deny: Vec<Cidr>) -> config::Shield {
    config::Shield {
        allow,
        deny,
        ..config(None, None)
    }
}

#[test]
fn a_long_list_is_written_in_short_calls_and_every_verdict_stays_right() {
    let mut shield = unlimited();
    let frame = from(CLIENT, TCP, &tcp(GUARDED_TCP, ACK));
    let runner = Runner::new(&mut shield);
    let (stop, runs) = (AtomicBool::new(false), AtomicU64::new(0));
    let mut calls = Vec::new();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !stop.load(Ordering::Relaxed) {
                runner.run(&frame, 1);
                runs.fetch_add(1, Ordering::Relaxed);
            }
        });
        for list in [networks(0), networks(ENTRIES / 2), Vec::new()] {
            shield.apply(&with(Vec::new(), list), &PORTS).unwrap();
            loop {
                let start = monotonic_ns();
                let more = shield.sync_lists().unwrap();
                calls.push(monotonic_ns() - start);
                if !more {
                    break;
                }
            }
        }
        stop.store(true, Ordering::Relaxed);
    });
    let passed = packets(&shield, Verdict::Passed);
    assert_eq!(passed, runs.load(Ordering::Relaxed), "all of them passed");
    assert!(passed > 0);
    calls.sort_unstable();
    let median = Duration::from_nanos(calls[calls.len() / 2]);
    println!(
        "{} calls, median {median:?}, longest {:?}",
        calls.len(),
        calls.last()
    );
    assert!(median < Duration::from_millis(50), "{median:?}");
}

/// Nanoseconds of single verdicts, in order.
struct Times(Vec<u32>);

impl Times {
    fn new(mut times: Vec<u32>) -> Times {
        times.sort_unstable();
        Times(times)
    }

    /// What so many of a thousand take at most.
    fn of_thousand(&self, part: usize) -> u32 {
        self.0[(self.0.len() - 1) * part / 1000]
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let [half, most, nearly] = [500, 990, 999].map(|part| self.of_thousand(part));
        let longest = self.of_thousand(1000);
        write!(
            f,
            "{} verdicts: half within {half} ns, 99 % within {most} ns, 99.9 % within {nearly} ns, longest {longest} ns",
            self.0.len()
        )
    }
}

#[test]
fn a_verdict_takes_no_longer_while_a_long_list_is_written() {
    const QUIET: usize = 100_000;

    let mut shield = load(&with(Vec::new(), networks(0)));
    let frame = from(CLIENT, TCP, &tcp(GUARDED_TCP, ACK));
    let runner = Runner::new(&mut shield);
    let quiet = Times::new((0..QUIET).map(|_| runner.run(&frame, 1)).collect());
    let stop = AtomicBool::new(false);
    let meanwhile = std::thread::scope(|scope| {
        let running = scope.spawn(|| {
            let mut times = Vec::new();
            while !stop.load(Ordering::Relaxed) {
                times.push(runner.run(&frame, 1));
            }
            times
        });
        for list in [networks(ENTRIES / 2), networks(0)] {
            shield.apply(&with(Vec::new(), list), &PORTS).unwrap();
            while shield.sync_lists().unwrap() {}
        }
        stop.store(true, Ordering::Relaxed);
        Times::new(running.join().unwrap())
    });
    println!("before: {quiet}\nmeanwhile: {meanwhile}");
    assert!(meanwhile.0.len() > 1000, "too few to tell");
    // A writer that kept packets waiting would hold them up for a slice of its work: half a
    // millisecond. Beyond one in a hundred other programs of this machine show.
    for (part, times) in [(500, 3), (990, 10)] {
        let (before, now) = (quiet.of_thousand(part), meanwhile.of_thousand(part));
        assert!(
            now < times * before + 20_000,
            "{before} ns before, {now} ns meanwhile"
        );
    }
}

#[test]
fn a_stream_loses_nothing_while_a_long_list_is_written() {
    const BURSTS: usize = 600;
    const BURST: usize = 32;

    let pair = Pair::new();
    let config = config::Shield {
        mode: ShieldMode::Native,
        interfaces: vec![DEVICE.to_owned()],
        ..config(None, None)
    };
    let mut shield = pair.on_host(|| Shield::attach(&config, &PORTS).expect("native XDP"));
    let frame = from(CLIENT, UDP, &udp(GUARDED_UDP, b"x"));
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            for _ in 0..BURSTS {
                pair.flood(&frame, BURST);
                wait(Duration::from_millis(1));
            }
            done.store(true, Ordering::Relaxed);
        });
        let lists = [networks(0), Vec::new()];
        let mut turns = lists.iter().cycle();
        while !done.load(Ordering::Relaxed) {
            let deny = turns.next().cloned().unwrap_or_default();
            let next = config::Shield {
                deny,
                ..config.clone()
            };
            shield.apply(&next, &PORTS).unwrap();
            while shield.sync_lists().unwrap() && !done.load(Ordering::Relaxed) {}
        }
    });
    wait(Duration::from_millis(50));
    assert_eq!(packets(&shield, Verdict::Passed), (BURSTS * BURST) as u64);
}
