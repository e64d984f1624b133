//! When a connection is left: the drain, its requests used up, or nobody using it.

use std::time::Duration;

use crate::clock::monotonic_ns;

/// The largest number a request stream can have: those that the client has sent already are still
/// welcome (RFC 9114 §5.2).
pub(super) const LAST_STREAM: u64 = (1 << 62) - 4;

/// How long a connection stays open at least after the client was told, for the requests that were
/// on their way.
const GRACE_MIN: Duration = Duration::from_millis(50);

/// Why and when to leave a connection.
pub(super) struct Goodbye {
    requests_left: u64,
    idle: Duration,
    grace: Duration,
    /// When something was last under way.
    active_ns: u64,
    said: bool,
}

impl Goodbye {
    pub(super) fn new(requests_max: u64, idle: Duration) -> Goodbye {
        Goodbye {
            requests_left: requests_max,
            idle,
            grace: GRACE_MIN,
            active_ns: monotonic_ns(),
            said: false,
        }
    }

    /// A request has come or gone.
    pub(super) fn active(&mut self) {
        self.active_ns = monotonic_ns();
    }

    /// Whether one more request may be taken, which is then counted.
    pub(super) fn admit(&mut self) -> bool {
        self.active();
        let admitted = self.requests_left > 0;
        self.requests_left = self.requests_left.saturating_sub(1);
        admitted
    }

    /// Whether it is time to tell the client, which happens once.
    pub(super) fn is_due(&mut self, drained: bool, round_trip: Duration) -> bool {
        let due = !self.said && (drained || self.requests_left == 0);
        if due {
            self.said = true;
            self.grace = GRACE_MIN.max(round_trip * 2);
            self.active();
        }
        due
    }

    /// When a connection without requests has nothing more to wait for.
    pub(super) fn deadline_ns(&self) -> u64 {
        let patience = if self.said { self.grace } else { self.idle };
        self.active_ns.saturating_add(patience.as_nanos() as u64)
    }

    /// That time has come: whether the connection ends now. A client that was not told yet is, and
    /// gets the grace.
    pub(super) fn is_over(&mut self) -> bool {
        self.requests_left = 0;
        self.said
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_client_is_told_once_and_then_given_time() {
        let round_trip = Duration::from_millis(100);
        let mut goodbye = Goodbye::new(2, Duration::from_secs(60));
        assert!(goodbye.admit() && !goodbye.is_due(false, round_trip));
        assert!(goodbye.admit());
        assert!(
            goodbye.is_due(false, round_trip),
            "its requests are used up"
        );
        assert!(!goodbye.is_due(true, round_trip), "once is enough");
        assert!(!goodbye.admit());
        assert!(goodbye.deadline_ns() <= monotonic_ns() + 200_000_000);
        assert!(goodbye.is_over());
    }

    #[test]
    fn an_idle_connection_is_told_first() {
        let mut goodbye = Goodbye::new(100, Duration::ZERO);
        assert!(!goodbye.is_over());
        assert!(goodbye.is_due(false, Duration::ZERO));
        assert!(goodbye.is_over());
    }
}
