//! What works after the process has dropped its privileges.

use std::time::Duration;

use caps::CapSet;
use edge_common::Verdict;

use super::frame::*;
use super::harness::*;
use crate::kernel::Shield;

#[test]
fn open_maps_are_usable_without_any_capability() {
    let mut shield = load(&config(rate(0.001, 1), None));
    let banned = "203.0.113.9".parse().unwrap();
    let minute = Duration::from_secs(60);

    // Capabilities belong to a thread.
    std::thread::scope(|scope| {
        let without = scope.spawn(|| {
            caps::clear(None, CapSet::Effective).unwrap();
            caps::clear(None, CapSet::Permitted).unwrap();
            assert!(
                Shield::load(&config(None, None), &PORTS).is_err(),
                "the thread still has the privilege to load programs"
            );

            shield.ban(banned, minute).unwrap();
            shield.ban("203.0.113.10".parse().unwrap(), minute).unwrap();
            assert!(shield.unban("203.0.113.10".parse().unwrap()).unwrap());
            shield
                .ban("203.0.113.11".parse().unwrap(), Duration::ZERO)
                .unwrap();
            assert_eq!(shield.sweep().unwrap(), 1);
            shield.verdicts().unwrap();
            shield.apply(&config(None, None), &PORTS).unwrap();
        });
        without.join().unwrap();
    });

    let frame = |source| from(source, TCP, &tcp(GUARDED_TCP, SYN));
    assert_eq!(judge(&mut shield, &frame("203.0.113.9")).0, Verdict::Banned);
    for _ in 0..3 {
        assert_eq!(
            judge(&mut shield, &frame("203.0.113.10")).0,
            Verdict::Passed
        );
    }
}
