//! What is known of a server's health, by requests and by checks; shared by all workers.
//!
//! Read with every choice, written when something fails or comes back: one line of memory that
//! workers share without contending for it.

use std::sync::atomic::{AtomicBool, AtomicU32, AtomicU64, Ordering::Relaxed};
use std::time::Duration;

use crate::config::{Check, Ejection};

/// Weights are counted in hundredths, so that a server that comes back can start with a part of one.
pub(super) const WHOLE: u32 = 100;
/// The share with which it starts.
const START: u64 = 10;

/// The health of one server.
#[derive(Debug, Default)]
pub(super) struct Health {
    /// Requests that failed since the last one that did not.
    failures: AtomicU32,
    /// Ejections since then.
    ejections: AtomicU32,
    ejected_until_ns: AtomicU64,
    /// Checks say it is down.
    down: AtomicBool,
    /// Checks in a row that contradict `down`.
    contradictions: AtomicU32,
    /// When checks brought it back; 0 for never.
    back_ns: AtomicU64,
    checks_passed: AtomicU64,
    checks_failed: AtomicU64,
}

/// What a check has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Change {
    Up,
    Down,
}

impl Health {
    /// A request failed in a way that is the server's fault; one that could not even connect
    /// settles it. Says for how long the server is left alone if that has just been decided.
    pub(super) fn failed(
        &self,
        settles: bool,
        ejection: &Ejection,
        now_ns: u64,
    ) -> Option<Duration> {
        if self.is_ejected(now_ns) {
            return None; // Requests that were under way say nothing new.
        }
        let failures = self.failures.fetch_add(1, Relaxed) + 1;
        // Back on probation: the first failure is enough.
        let probation = self.ejections.load(Relaxed) > 0;
        if !settles && !probation && failures < ejection.after {
            return None;
        }
        let before = self.ejections.fetch_add(1, Relaxed).min(30);
        let time = ejection
            .time
            .saturating_mul(1 << before)
            .min(ejection.time_max);
        let until_ns = now_ns.saturating_add(time.as_nanos() as u64);
        self.ejected_until_ns.store(until_ns, Relaxed);
        Some(time)
    }

    /// A request was answered.
    pub(super) fn succeeded(&self) {
        if self.failures.load(Relaxed) != 0 {
            self.failures.store(0, Relaxed);
            self.ejections.store(0, Relaxed);
        }
    }

    /// A check has ended.
    pub(super) fn checked(&self, passed: bool, check: &Check, now_ns: u64) -> Option<Change> {
        let counter = match passed {
            true => &self.checks_passed,
            false => &self.checks_failed,
        };
        counter.fetch_add(1, Relaxed);
        let down = self.down.load(Relaxed);
        if passed != down {
            self.contradictions.store(0, Relaxed);
            return None;
        }
        let needed = if down { check.healthy } else { check.unhealthy };
        if self.contradictions.fetch_add(1, Relaxed) + 1 < needed {
            return None;
        }
        self.contradictions.store(0, Relaxed);
        self.down.store(!down, Relaxed);
        if !down {
            return Some(Change::Down);
        }
        self.back_ns.store(now_ns.max(1), Relaxed);
        // The check has asked it more recently than any request.
        self.ejected_until_ns.store(0, Relaxed);
        self.succeeded();
        Some(Change::Up)
    }

    /// Whether requests may go to it.
    pub(super) fn is_usable(&self, now_ns: u64) -> bool {
        !self.is_down() && !self.is_ejected(now_ns)
    }

    /// Whether checks say it is down.
    pub(super) fn is_down(&self) -> bool {
        self.down.load(Relaxed)
    }

    /// Whether failed requests have taken it out for a while.
    pub(super) fn is_ejected(&self, now_ns: u64) -> bool {
        self.ejected_until_ns.load(Relaxed) > now_ns
    }

    /// Checks so far: passed, failed.
    pub(super) fn checks(&self) -> (u64, u64) {
        (
            self.checks_passed.load(Relaxed),
            self.checks_failed.load(Relaxed),
        )
    }

    /// Hundredths of its weight that it gets now: a tenth at first when it has come back, all of it
    /// when `slow_start` is over.
    pub(super) fn share(&self, slow_start: Duration, now_ns: u64) -> u32 {
        if slow_start.is_zero() {
            return WHOLE;
        }
        let back_ns = self
            .back_ns
            .load(Relaxed)
            .max(self.ejected_until_ns.load(Relaxed));
        let since_ns = now_ns.saturating_sub(back_ns);
        let ramp_ns = slow_start.as_nanos() as u64;
        if back_ns == 0 || since_ns >= ramp_ns {
            return WHOLE;
        }
        let grown = u128::from(u64::from(WHOLE) - START) * u128::from(since_ns);
        (START + (grown / u128::from(ramp_ns)) as u64) as u32
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const EJECTION: Ejection = Ejection {
        after: 3,
        time: Duration::from_secs(5),
        time_max: Duration::from_secs(15),
    };

    fn check() -> Check {
        Check {
            path: "/".into(),
            host: None,
            status: None,
            interval: Duration::from_secs(1),
            timeout: Duration::from_secs(1),
            healthy: 2,
            unhealthy: 3,
        }
    }

    #[test]
    fn failures_in_a_row_eject_for_longer_each_time() {
        let health = Health::default();
        let secs = |time: Option<Duration>| time.map(|time| time.as_secs());
        let mut now = 100 * SECOND;
        assert_eq!(health.failed(false, &EJECTION, now), None);
        assert_eq!(health.failed(false, &EJECTION, now), None);
        health.succeeded();
        assert_eq!(health.failed(false, &EJECTION, now), None);
        assert_eq!(health.failed(false, &EJECTION, now), None);
        assert_eq!(secs(health.failed(false, &EJECTION, now)), Some(5));
        assert!(!health.is_usable(now + 4 * SECOND));
        assert_eq!(
            health.failed(true, &EJECTION, now + SECOND),
            None,
            "it is out already"
        );
        for expected in [10, 15, 15] {
            now += 20 * SECOND;
            assert!(health.is_usable(now), "it gets another try");
            assert_eq!(secs(health.failed(false, &EJECTION, now)), Some(expected));
        }
        now += 20 * SECOND;
        health.succeeded();
        assert_eq!(health.failed(false, &EJECTION, now), None);
        assert_eq!(secs(health.failed(true, &EJECTION, now)), Some(5));
    }

    #[test]
    fn checks_need_several_in_a_row() {
        let health = Health::default();
        let check = check();
        let steps = [
            (false, None),
            (false, None),
            (true, None),
            (false, None),
            (false, None),
            (false, Some(Change::Down)),
            (false, None),
            (true, None),
            (false, None),
            (true, None),
            (true, Some(Change::Up)),
        ];
        for (step, (passed, expected)) in steps.into_iter().enumerate() {
            assert_eq!(
                health.checked(passed, &check, SECOND),
                expected,
                "step {step}"
            );
        }
        assert!(health.is_usable(SECOND));
        assert_eq!(health.checks(), (4, 7));
    }

    #[test]
    fn a_server_that_is_back_starts_slowly() {
        let health = Health::default();
        let slow = Duration::from_secs(10);
        assert_eq!(health.share(slow, 5 * SECOND), 100);
        health.failed(true, &EJECTION, 5 * SECOND);
        for (at, share) in [(10, 10), (15, 55), (20, 100), (99, 100)] {
            assert_eq!(health.share(slow, at * SECOND), share, "at {at} s");
            assert_eq!(health.share(Duration::ZERO, at * SECOND), 100);
        }
    }
}
