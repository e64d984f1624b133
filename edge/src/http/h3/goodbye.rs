//! When a connection is left: the drain, its requests used up, or nobody using it.

use std::time::Duration;

use crate::clock::monotonic_ns;

/// The largest number a request stream can have: those that the client has sent already are still
/// welcome (RFC 9114 §5.2).
pub(super) const LAST_STREAM: u64 = (1 << 62) - 4;

/// How long a connection stays open at least after the client was told, each time, for
/// the requests that were on their way.
const GRACE_MIN: Duration = Duration::from_millis(50);

/// Why and when to leave a connection. The client is told twice (RFC 9114 §5.2): first that it is to send
/// nothing more, when what it has sent already is still welcome; and once that has had time to arrive,
/// with what requests came too late.
pub(super) struct Goodbye {
    requests_left: u64,
    idle: Duration,
    grace_ns: u64,
    /// When something was last under way.
    active_ns: u64,
    /// The first request stream that was not taken.
    next_stream: u64,
    stage: Stage,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    Open,
    /// Nobody has used it for long.
    Unused,
    /// Told at that time to send nothing more.
    Told(u64),
    /// Told what came too late.
    Closed,
}

impl Goodbye {
    pub(super) fn new(requests_max: u64, idle: Duration) -> Goodbye {
        Goodbye {
            requests_left: requests_max,
            idle,
            grace_ns: GRACE_MIN.as_nanos() as u64,
            active_ns: monotonic_ns(),
            next_stream: 0,
            stage: Stage::Open,
        }
    }

    /// A request has come or gone.
    pub(super) fn active(&mut self) {
        self.active_ns = monotonic_ns();
    }

    /// Whether the request on this stream is taken, which is then counted. They come in order.
    pub(super) fn admit(&mut self, stream: u64) -> bool {
        let admitted = self.requests_left > 0 && self.stage != Stage::Closed;
        if admitted {
            self.active();
            self.requests_left -= 1;
            self.next_stream = stream + 4;
        }
        admitted
    }

    /// What to tell the client now: the request stream from which on none is answered.
    pub(super) fn word(&mut self, drained: bool, round_trip: Duration) -> Option<u64> {
        let now_ns = monotonic_ns();
        let used_up = self.requests_left == 0;
        match self.stage {
            Stage::Open | Stage::Unused if used_up => {}
            Stage::Open if !drained => return None,
            Stage::Open | Stage::Unused => {
                self.stage = Stage::Told(now_ns);
                self.grace_ns = GRACE_MIN.max(round_trip * 2).as_nanos() as u64;
                return Some(LAST_STREAM);
            }
            Stage::Told(since_ns) if used_up || now_ns >= since_ns + self.grace_ns => {}
            Stage::Told(_) | Stage::Closed => return None,
        }
        self.stage = Stage::Closed;
        self.grace_ns = GRACE_MIN.max(round_trip * 2).as_nanos() as u64;
        self.active();
        Some(self.next_stream)
    }

    /// When there is something more to tell, or a connection without requests has nothing more to wait
    /// for.
    pub(super) fn deadline_ns(&self, has_requests: bool) -> Option<u64> {
        let idle_ns = self.idle.as_nanos() as u64;
        match self.stage {
            Stage::Told(since_ns) => Some(since_ns + self.grace_ns),
            _ if has_requests => None,
            Stage::Open | Stage::Unused => Some(self.active_ns.saturating_add(idle_ns)),
            Stage::Closed => Some(self.active_ns + self.grace_ns),
        }
    }

    /// That time has come: whether the connection ends now. A client that was not told yet is, and
    /// gets the grace.
    pub(super) fn is_over(&mut self) -> bool {
        if self.stage == Stage::Open {
            self.stage = Stage::Unused;
        }
        self.stage == Stage::Closed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FAR: Duration = Duration::from_millis(100);

    #[test]
    fn a_client_is_told_twice_and_given_time() {
        let mut goodbye = Goodbye::new(9, Duration::from_secs(60));
        assert!(goodbye.admit(0) && goodbye.admit(4));
        assert_eq!(goodbye.word(false, FAR), None);
        assert_eq!(goodbye.deadline_ns(true), None);
        assert_eq!(goodbye.word(true, FAR), Some(LAST_STREAM));
        // What was on its way is taken.
        assert_eq!(goodbye.word(true, FAR), None);
        assert!(goodbye.admit(8));
        let deadline_ns = goodbye.deadline_ns(true).unwrap();
        assert!(deadline_ns > monotonic_ns() + 150_000_000);
        assert!(!goodbye.is_over());
        goodbye.stage = Stage::Told(0);
        assert_eq!(goodbye.word(true, FAR), Some(12));
        assert!(!goodbye.admit(12));
        assert_eq!(goodbye.word(true, FAR), None);
        assert_eq!(goodbye.deadline_ns(true), None);
        assert!(goodbye.deadline_ns(false).unwrap() > monotonic_ns() + 150_000_000);
        assert!(goodbye.is_over());
    }

    #[test]
    fn who_has_used_up_its_requests_is_told_which_was_the_last() {
        let mut goodbye = Goodbye::new(1, Duration::from_secs(60));
        assert!(goodbye.admit(0));
        assert_eq!(goodbye.word(false, FAR), Some(4));
        assert!(!goodbye.admit(4));
        assert!(goodbye.is_over());
    }

    #[test]
    fn an_idle_connection_is_told_first() {
        let mut goodbye = Goodbye::new(100, Duration::ZERO);
        assert!(!goodbye.is_over());
        assert_eq!(goodbye.word(false, Duration::ZERO), Some(LAST_STREAM));
        assert!(goodbye.admit(0), "it was on its way");
        goodbye.stage = Stage::Told(0);
        assert_eq!(goodbye.word(false, Duration::ZERO), Some(4));
        assert!(goodbye.is_over());
    }
}
