//! How much of a body is read ahead of whoever takes it: little of a slow reader's, and as much as
//! makes large bodies cheap of a fast one's. Pure.

/// Beyond this nothing gets cheaper. Over QUIC it is ninety datagrams of the usual size, which leave in two
/// calls; one of 128 KiB are 92, and two of them a call of their own.
const BYTES_MAX: usize = 124 * 1024;
/// What the kernel and the windows on the way may have taken without a reader behind them: the limit
/// to which Linux lets send buffers grow is twice that, half of it for what is not content (`tcp_wmem`,
/// tcp(7)).
const UNSEEN_BYTES: u64 = 2 * 1024 * 1024;
/// What is taken in so much time may be read ahead.
const AHEAD_NS: u64 = 10_000_000;
/// How long a rate counts; a reader that stops is found out after two.
const WINDOW_NS: u64 = 1_000_000_000;

/// One reader's.
#[derive(Clone, Copy, Debug)]
pub struct Appetite {
    least: usize,
    /// When the window began, and how much had been taken by then.
    start_ns: u64,
    start_bytes: u64,
    /// What the window before allowed.
    before: usize,
}

impl Appetite {
    /// Of a reader that has shown nothing yet, and gets `least` bytes ahead.
    pub fn new(least: usize, now_ns: u64) -> Appetite {
        Appetite {
            least,
            start_ns: now_ns,
            start_bytes: UNSEEN_BYTES,
            before: least,
        }
    }

    /// Bytes to read at a time for a reader that has taken `taken` of them so far.
    pub fn bytes(&mut self, now_ns: u64, taken: u64) -> usize {
        let elapsed_ns = now_ns.saturating_sub(self.start_ns).max(AHEAD_NS);
        let ahead = taken
            .saturating_sub(self.start_bytes)
            .saturating_mul(AHEAD_NS)
            / elapsed_ns;
        let ahead = usize::try_from(ahead).unwrap_or(BYTES_MAX);
        let ahead = ahead.clamp(self.least, BYTES_MAX);
        let bytes = ahead.max(self.before);
        if elapsed_ns >= WINDOW_NS {
            self.start_ns = now_ns;
            self.start_bytes = self.start_bytes.max(taken);
            self.before = ahead;
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: u64 = 1_000_000;
    const LEAST: usize = 32 * 1024;
    const MIB: u64 = 1024 * 1024;

    #[test]
    fn who_takes_much_in_little_time_gets_much() {
        let mut reader = Appetite::new(LEAST, 5);
        assert_eq!(reader.bytes(5, 0), LEAST);
        assert_eq!(reader.bytes(5 + MS, 2 * MIB), LEAST, "it may be the kernel");
        assert_eq!(reader.bytes(5 + 2 * MS, 5 * MIB), BYTES_MAX);
        // It goes on like this over windows.
        let mut taken = 5 * MIB;
        for ms in 3..5000 {
            taken += 100_000;
            assert_eq!(reader.bytes(5 + ms * MS, taken), BYTES_MAX, "{ms}");
        }
    }

    #[test]
    fn who_takes_little_or_stops_gets_little() {
        let mut reader = Appetite::new(LEAST, 0);
        // The kernel takes all it can, the reader 64 KiB a second.
        for s in 1..100 {
            assert_eq!(reader.bytes(s * 1000 * MS, 2 * MIB + s * 64 * 1024), LEAST);
        }
        let mut stopped = Appetite::new(LEAST, 0);
        assert_eq!(stopped.bytes(MS, 50 * MIB), BYTES_MAX);
        stopped.bytes(3000 * MS, 51 * MIB);
        stopped.bytes(5000 * MS, 51 * MIB);
        assert_eq!(stopped.bytes(5001 * MS, 51 * MIB), LEAST);
    }

    #[test]
    fn in_between_it_is_ten_milliseconds_worth() {
        let mut reader = Appetite::new(LEAST, 0);
        assert_eq!(reader.bytes(100 * MS, 2 * MIB + 640_000), 64_000);
    }
}
