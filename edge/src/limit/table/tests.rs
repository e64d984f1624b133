//! Exactness across threads, and what happens when the table is full.

use std::hint;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::AtomicU64;
use std::thread;

use super::*;

const THREADS: u64 = 4;

fn client(n: u32) -> ClientKey {
    ClientKey::from_ip(IpAddr::V4(Ipv4Addr::from_bits(n)), 64)
}

#[test]
fn words_are_swapped_without_a_lock() {
    assert!(AtomicU128::is_lock_free());
}

#[test]
fn the_size_is_what_was_asked_for_and_never_nothing() {
    for (asked, slots) in [(0, 8), (1, 8), (8, 8), (9, 16), (CLIENTS, CLIENTS)] {
        assert_eq!(Table::new(asked).slots.len(), slots);
    }
}

#[test]
fn threads_share_one_rate() {
    const ARRIVALS: u64 = 200_000;
    let gcra = Gcra::from_interval(20_000, 100).unwrap();
    let table = Table::new(CLIENTS);
    let clock = AtomicU64::new(1);
    let admitted: u64 = thread::scope(|scope| {
        let ask = || {
            let arrivals = 0..ARRIVALS / THREADS;
            let admitted = arrivals.filter(|_| {
                // One arrival every microsecond, whichever thread it falls to.
                let now = clock.fetch_add(1_000, Relaxed);
                table.admit(&gcra, &client(1), now).is_ok()
            });
            admitted.count() as u64
        };
        let workers: Vec<_> = (0..THREADS).map(|_| scope.spawn(ask)).collect();
        workers
            .into_iter()
            .map(|worker| worker.join().unwrap())
            .sum()
    });
    let rate_and_burst = ARRIVALS / 20 + 100;
    assert!(admitted <= rate_and_burst, "{admitted}");
    // A thread that was held up between clock and table asks late, and in vain.
    assert!(admitted >= rate_and_burst - 200, "{admitted}");
}

/// Two threads see each of a row of new clients at the same moment: exactly one burst is admitted.
fn rounds(clients: usize, every_ns: u64) {
    const BURST: u32 = 5;
    const ROUNDS: u32 = 5_000;
    let gcra = Gcra::from_interval(1_000, BURST).unwrap();
    let table = Table::new(clients);
    let admitted: Vec<AtomicU64> = (0..ROUNDS).map(|_| AtomicU64::new(0)).collect();
    let arrived = AtomicU64::new(0);
    thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                for round in 0..ROUNDS {
                    let now = 1 + u64::from(round) * every_ns;
                    // They must start within nanoseconds of each other: no sleeping barrier does.
                    let both = 2 * (u64::from(round) + 1);
                    arrived.fetch_add(1, Relaxed);
                    let mut spins = 0;
                    while arrived.load(Relaxed) < both {
                        spins += 1;
                        if spins % 1_000 == 0 {
                            thread::yield_now();
                        }
                        hint::spin_loop();
                    }
                    for _ in 0..BURST {
                        let ok = table.admit(&gcra, &client(round), now).is_ok();
                        admitted[round as usize].fetch_add(u64::from(ok), Relaxed);
                    }
                }
            });
        }
    });
    for (round, count) in admitted.iter().enumerate() {
        assert_eq!(count.load(Relaxed), u64::from(BURST), "round {round}");
    }
}

#[test]
fn a_new_client_seen_by_two_threads_at_once_gets_one_burst() {
    rounds(CLIENTS, 0);
}

#[test]
fn so_it_does_when_it_takes_the_place_of_one_that_owes_nothing() {
    rounds(WAYS, 1_000);
}

#[test]
fn a_full_set_forgets_who_owes_least() {
    let gcra = Gcra::from_interval(1_000, 100).unwrap();
    let table = Table::new(WAYS);
    // Client n owes n requests.
    for n in 1..=WAYS as u32 {
        for _ in 0..n {
            table.admit(&gcra, &client(n), 1).unwrap();
        }
    }
    table.admit(&gcra, &client(100), 1).unwrap();
    let owed = |n| {
        let id = table.seed.hash_one(client(n)).max(1);
        let entries = table
            .slots
            .iter()
            .map(|slot| Entry::unpack(slot.load(Relaxed)));
        entries
            .into_iter()
            .find(|entry| entry.id == id)
            .map(|entry| (entry.tat - 1) / 1_000)
    };
    assert_eq!(owed(1), None);
    assert_eq!(owed(100), Some(1));
    for n in 2..=WAYS as u32 {
        assert_eq!(owed(n), Some(u64::from(n)));
    }
}

#[test]
fn a_crowd_of_strangers_does_not_free_a_client_that_owes() {
    let gcra = Gcra::from_interval(1_000_000, 10).unwrap();
    let table = Table::new(1 << 10);
    let now = 1;
    while table.admit(&gcra, &client(0), now).is_ok() {}
    for n in 1..10_000 {
        table.admit(&gcra, &client(n), now).unwrap();
    }
    assert!(table.admit(&gcra, &client(0), now).is_err());
}

#[test]
fn refusals_write_nothing() {
    let gcra = Gcra::from_interval(1_000, 1).unwrap();
    let table = Table::new(WAYS);
    table.admit(&gcra, &client(1), 5).unwrap();
    let words = || -> Vec<u128> { table.slots.iter().map(|slot| slot.load(Relaxed)).collect() };
    let before = words();
    assert_eq!(table.admit(&gcra, &client(1), 5), Err(1_000));
    assert_eq!(words(), before);
}
