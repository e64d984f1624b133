//! A loaded, unattached shield that judges frames.

use std::time::Duration;

use aya::programs::xdp::Xdp;
use aya::{TestRun, TestRunOptions};
use edge_common::{Family, Verdict};

use crate::clock::monotonic_ns;
use crate::config::{self, Rate};
use crate::kernel::{GuardedPort, Shield};

pub(super) const GUARDED_TCP: u16 = 443;
pub(super) const GUARDED_UDP: u16 = 8443;
pub(super) const SSH: u16 = 22;

pub(super) const PORTS: [GuardedPort; 2] =
    [GuardedPort::Tcp(GUARDED_TCP), GuardedPort::Udp(GUARDED_UDP)];

pub(super) fn config(packets: Option<Rate>, connections: Option<Rate>) -> config::Shield {
    config::Shield {
        packets,
        connections,
        required: true,
        ..config::Shield::default()
    }
}

pub(super) fn load(config: &config::Shield) -> Shield {
    Shield::load(config, &PORTS).expect("these tests need root and a kernel with BPF")
}

/// A shield without limits.
pub(super) fn unlimited() -> Shield {
    load(&config(None, None))
}

/// What the program decided on a frame: read from what it did and from its counters, which must
/// agree.
pub(super) fn judge(shield: &mut Shield, frame: &[u8]) -> (Verdict, Family) {
    let before = shield.verdicts().unwrap();
    let action = run(shield, frame, 1).0;
    let after = shield.verdicts().unwrap();

    let counted: Vec<_> = before
        .iter()
        .zip(&after)
        .filter(|(before, after)| before.2 != after.2)
        .map(|(before, after)| (after.0, after.1, after.2 - before.2))
        .collect();
    let [(verdict, family, 1)] = counted[..] else {
        panic!("one packet was counted as {counted:?}");
    };
    let expected = if verdict.dropped() {
        XDP_DROP
    } else {
        XDP_PASS
    };
    assert_eq!(action, expected, "{verdict:?} did something else");
    (verdict, family)
}

const XDP_DROP: u32 = 1;
const XDP_PASS: u32 = 2;

/// Runs the program on a frame so many times: its last return value and the mean time in
/// nanoseconds.
pub(super) fn run(shield: &mut Shield, frame: &[u8], repeat: u32) -> (u32, u64) {
    let options = TestRunOptions {
        data_in: Some(frame),
        repeat,
        ..TestRunOptions::new()
    };
    let xdp: &Xdp = shield.program().xdp();
    let result = xdp.test_run(options).expect("BPF_PROG_TEST_RUN");
    (result.return_value, result.duration.as_nanos() as u64)
}

/// Runs the program on a frame so many times: how many of them passed, and the nanoseconds between
/// two readings of the clock around all of it.
pub(super) fn passes(shield: &mut Shield, frame: &[u8], repeat: u32) -> (u64, u64) {
    let passed = |shield: &Shield| packets(shield, Verdict::Passed);
    let (before, start) = (passed(shield), monotonic_ns());
    run(shield, frame, repeat);
    (passed(shield) - before, monotonic_ns() - start)
}

/// Packets of either family that got a verdict so far.
pub(super) fn packets(shield: &Shield, verdict: Verdict) -> u64 {
    let counts = shield.verdicts().unwrap();
    let of_verdict = counts.iter().filter(|count| count.0 == verdict);
    of_verdict.map(|count| count.2).sum()
}

/// A rate.
pub(super) fn rate(per_sec: f64, burst: u32) -> Option<Rate> {
    Some(Rate { per_sec, burst })
}

/// Lets real time pass: the kernel's clock cannot be set.
#[allow(
    clippy::disallowed_methods,
    reason = "these tests are not workers and wait for the kernel's clock"
)]
pub(super) fn wait(duration: Duration) {
    std::thread::sleep(duration);
}
