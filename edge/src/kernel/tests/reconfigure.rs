//! Taking over a new configuration while packets flow.

use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use edge_common::Verdict;

use super::frame::*;
use super::harness::*;
use super::runner::Runner;
use crate::clock::monotonic_ns;
use crate::config::{self, ShieldMode};
use crate::kernel::{GuardedPort, Shield, ShieldError};

const NEVER: f64 = 0.001;
const MINUTE: Duration = Duration::from_secs(60);

fn verdict(shield: &mut Shield, source: &str, port: u16) -> Verdict {
    judge(shield, &from(source, TCP, &tcp(port, SYN))).0
}

#[test]
fn limits_change_and_sources_start_anew() {
    let mut shield = load(&config(rate(NEVER, 1), None));
    let source = "203.0.113.9";
    assert_eq!(verdict(&mut shield, source, GUARDED_TCP), Verdict::Passed);
    assert_eq!(
        verdict(&mut shield, source, GUARDED_TCP),
        Verdict::PacketRate
    );

    // The same again changes nothing.
    shield.apply(&config(rate(NEVER, 1), None), &PORTS).unwrap();
    assert_eq!(
        verdict(&mut shield, source, GUARDED_TCP),
        Verdict::PacketRate
    );

    // A mistake of a rate, mended, must not haunt its victims for hours.
    shield
        .apply(&config(rate(1000.0, 100), rate(NEVER, 1)), &PORTS)
        .unwrap();
    assert_eq!(verdict(&mut shield, source, GUARDED_TCP), Verdict::Passed);
    assert_eq!(
        verdict(&mut shield, source, GUARDED_TCP),
        Verdict::ConnectionRate
    );

    shield.apply(&config(None, None), &PORTS).unwrap();
    for _ in 0..10 {
        assert_eq!(verdict(&mut shield, source, GUARDED_TCP), Verdict::Passed);
    }
}

#[test]
fn ports_change_and_bans_stay() {
    let mut shield = unlimited();
    let source = "203.0.113.9";
    shield.ban(source.parse().unwrap(), MINUTE).unwrap();
    assert_eq!(verdict(&mut shield, source, 8080), Verdict::Unguarded);
    shield
        .apply(&config(None, None), &[GuardedPort::Tcp(8080)])
        .unwrap();
    assert_eq!(verdict(&mut shield, source, 8080), Verdict::Banned);
    assert_eq!(
        verdict(&mut shield, source, GUARDED_TCP),
        Verdict::Unguarded
    );
}

#[test]
fn a_shorter_ipv6_prefix_takes_bans_along_and_a_longer_one_lifts_them() {
    let with_prefix = |ipv6_prefix| config::Shield {
        ipv6_prefix,
        ..config(None, None)
    };
    let mut shield = unlimited();
    shield.ban("203.0.113.9".parse().unwrap(), MINUTE).unwrap();
    shield
        .ban("2001:db8:1:2::9".parse().unwrap(), MINUTE)
        .unwrap();
    shield
        .ban("2001:db8:1:3::9".parse().unwrap(), 2 * MINUTE)
        .unwrap();

    shield.apply(&with_prefix(48), &PORTS).unwrap();
    assert_eq!(
        verdict(&mut shield, "2001:db8:1:7::1", GUARDED_TCP),
        Verdict::Banned
    );
    assert_eq!(
        verdict(&mut shield, "2001:db8:2::1", GUARDED_TCP),
        Verdict::Passed
    );
    let list = shield.bans();
    assert_eq!(list.len(), 2, "two prefixes became one: {list:?}");
    assert!(list[1].remaining > MINUTE, "the longer ban wins: {list:?}");
    assert_eq!(
        (list[1].addr, list[1].prefix),
        ("2001:db8:1::".parse().unwrap(), 48)
    );

    shield.apply(&with_prefix(128), &PORTS).unwrap();
    assert_eq!(
        verdict(&mut shield, "2001:db8:1:2::9", GUARDED_TCP),
        Verdict::Passed
    );
    assert_eq!(
        verdict(&mut shield, "203.0.113.9", GUARDED_TCP),
        Verdict::Banned
    );
    assert_eq!(shield.bans().len(), 1);

    shield
        .ban("2001:db8:1:2::9".parse().unwrap(), MINUTE)
        .unwrap();
    assert_eq!(
        verdict(&mut shield, "2001:db8:1:2::9", GUARDED_TCP),
        Verdict::Banned
    );
    assert_eq!(
        verdict(&mut shield, "2001:db8:1:2::a", GUARDED_TCP),
        Verdict::Passed
    );
}

#[test]
fn what_cannot_change_is_refused_before_anything_changes() {
    let mut shield = load(&config(rate(NEVER, 1), None));
    let lax = config(None, None);
    let refused = |shield: &mut Shield, config: config::Shield| match shield.apply(&config, &PORTS)
    {
        Err(ShieldError::NeedsRestart { key }) => key,
        other => panic!("{other:?}"),
    };
    let generic = config::Shield {
        mode: ShieldMode::Generic,
        ..lax.clone()
    };
    let elsewhere = config::Shield {
        interfaces: vec!["eth7".to_owned()],
        ..lax.clone()
    };
    let impossible = config::Shield {
        ipv6_prefix: 129,
        ..lax
    };
    assert_eq!(refused(&mut shield, generic), "mode");
    assert_eq!(refused(&mut shield, elsewhere), "interfaces");
    let error = shield.apply(&impossible, &PORTS).unwrap_err();
    assert!(
        matches!(error, ShieldError::OutOfRange { key: "ipv6_prefix" }),
        "{error}"
    );

    let source = "203.0.113.9";
    assert_eq!(verdict(&mut shield, source, GUARDED_TCP), Verdict::Passed);
    assert_eq!(
        verdict(&mut shield, source, GUARDED_TCP),
        Verdict::PacketRate
    );
}

#[test]
fn every_swap_is_whole() {
    // Two configurations that each admit the packet for a reason the other lacks; half of one with
    // half of the other would drop it.
    let mut shield = unlimited();
    let frame = from("203.0.113.9", TCP, &tcp(GUARDED_TCP, SYN));
    let strict = config(rate(NEVER, 1), rate(NEVER, 1));
    let lax = config(None, None);
    let runner = Runner::new(&mut shield);
    let stop = AtomicBool::new(false);
    let swapped = std::thread::scope(|scope| {
        scope.spawn(|| runner.run_until(&frame, &stop));
        let swapped = swap_until_both_were_seen(&mut shield, &strict, &lax);
        stop.store(true, Ordering::Relaxed);
        swapped
    });
    swapped.unwrap();
    assert_eq!(packets(&shield, Verdict::PacketRate), 0);
    assert_eq!(packets(&shield, Verdict::ConnectionRate), 0);
    assert!(packets(&shield, Verdict::Passed) > 0);
    assert!(packets(&shield, Verdict::Unguarded) > 0);
}

fn swap_until_both_were_seen(
    shield: &mut Shield,
    strict: &config::Shield,
    lax: &config::Shield,
) -> Result<(), ShieldError> {
    let deadline = monotonic_ns() + 30_000_000_000;
    for swaps in 0.. {
        shield.apply(strict, &[GuardedPort::Tcp(1)])?; // Limits, but not for this port.
        shield.apply(lax, &PORTS)?; // This port, but no limits.
        let counts = shield.verdicts()?;
        let seen = |verdict| counts.iter().any(|count| count.0 == verdict && count.2 > 0);
        let enough = swaps >= 10 && seen(Verdict::Passed) && seen(Verdict::Unguarded);
        if enough || monotonic_ns() > deadline {
            break;
        }
    }
    Ok(())
}
