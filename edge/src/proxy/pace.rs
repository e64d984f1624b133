//! Whether a request body comes fast enough: a client that sends a byte now and then holds a
//! connection, and often a worker of the server, for as long as it likes.

/// Rates are judged over this long, so that pauses do no harm.
const WINDOW_NS: u64 = 10_000_000_000;

/// The rate of one body.
#[derive(Clone, Copy, Debug)]
pub(super) struct Pace {
    /// Bytes that must come in a window; 0 for none.
    least: u64,
    start_ns: u64,
    start_bytes: u64,
}

impl Pace {
    /// A body of which at least `bytes_per_sec` must come.
    pub(super) fn new(bytes_per_sec: Option<u64>, now_ns: u64) -> Pace {
        let least = bytes_per_sec.unwrap_or(0);
        Pace {
            least: least.saturating_mul(WINDOW_NS / 1_000_000_000),
            start_ns: now_ns,
            start_bytes: 0,
        }
    }

    /// When it must be looked at next.
    pub(super) fn due_ns(&self) -> u64 {
        match self.least {
            0 => u64::MAX,
            _ => self.start_ns.saturating_add(WINDOW_NS),
        }
    }

    /// Starts anew: the client was not the one who was waited for.
    pub(super) fn restart(&mut self, now_ns: u64, bytes: u64) {
        self.start_ns = now_ns;
        self.start_bytes = bytes;
    }

    /// Whether enough has come by now, when it is due.
    pub(super) fn is_kept(&mut self, now_ns: u64, bytes: u64) -> bool {
        if now_ns < self.due_ns() {
            return true;
        }
        let kept = bytes.saturating_sub(self.start_bytes) >= self.least;
        self.restart(now_ns, bytes);
        kept
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;

    #[test]
    fn a_window_at_a_time() {
        let mut pace = Pace::new(Some(100), SECOND);
        assert_eq!(pace.due_ns(), 11 * SECOND);
        assert!(pace.is_kept(5 * SECOND, 0), "there is time left");
        assert!(pace.is_kept(11 * SECOND, 1000));
        assert!(!pace.is_kept(21 * SECOND, 1999), "one byte short");
        pace.restart(25 * SECOND, 1999);
        assert!(pace.is_kept(34 * SECOND, 1999));
        assert!(!pace.is_kept(35 * SECOND, 2998));
    }

    #[test]
    fn none_is_asked_for() {
        let mut pace = Pace::new(None, 0);
        assert_eq!(pace.due_ns(), u64::MAX);
        assert!(pace.is_kept(u64::MAX - 1, 0));
    }
}
