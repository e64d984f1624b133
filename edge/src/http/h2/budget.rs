//! Frames that make work and carry nothing: how many a client may send (CVE-2019-9511 to -9518).
//!
//! `h2` bounds what it keeps for them, but a client that sends PING, SETTINGS, PRIORITY or
//! WINDOW_UPDATE as fast as its line allows still keeps a worker from its other clients. So they are
//! counted as they come in, against what the connection does otherwise.

/// The preface that comes before all frames (RFC 9113 §3.4).
const PREFACE_BYTES: usize = 24;
/// The head of a frame (RFC 9113 §4.1).
const HEAD_BYTES: usize = 9;
/// Empty frames in one go.
const FRAMES_MAX: u64 = 4096;
/// How many more each second; an honest client sends a PING now and then.
const FRAMES_PER_SEC: u64 = 64;
/// How many more for a request, for content of one, and for a byte of answers over so many: a client
/// gives window back twice for each frame, however short.
const FRAMES_PER_REQUEST: u64 = 8;
const FRAMES_PER_CONTENT: u64 = 1;
const SENT_BYTES_PER_FRAME: u64 = 32;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const CONTINUATION: u8 = 9;

/// What is left to one connection. The bytes that come in pass by it.
#[derive(Debug)]
pub(super) struct Budget {
    frames: u64,
    /// Bytes still to come that are no head of a frame.
    skip: usize,
    head: [u8; HEAD_BYTES],
    head_len: usize,
    sent_bytes: u64,
    refilled_ns: u64,
}

impl Budget {
    pub(super) fn new(now_ns: u64) -> Budget {
        Budget {
            frames: FRAMES_MAX,
            skip: PREFACE_BYTES,
            head: [0; HEAD_BYTES],
            head_len: 0,
            sent_bytes: 0,
            refilled_ns: now_ns,
        }
    }

    /// Takes note of bytes that go out.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.sent_bytes += bytes as u64;
        self.earn(self.sent_bytes / SENT_BYTES_PER_FRAME);
        self.sent_bytes %= SENT_BYTES_PER_FRAME;
    }

    /// Takes note of bytes that have come in; whether they are within the budget.
    pub(super) fn received(&mut self, mut bytes: &[u8], now_ns: u64) -> bool {
        let secs = now_ns.saturating_sub(self.refilled_ns) / 1_000_000_000;
        if secs > 0 {
            self.refilled_ns += secs * 1_000_000_000;
            self.earn(secs.saturating_mul(FRAMES_PER_SEC));
        }
        while !bytes.is_empty() {
            if self.skip > 0 {
                let n = self.skip.min(bytes.len());
                self.skip -= n;
                bytes = &bytes[n..];
                continue;
            }
            let n = (HEAD_BYTES - self.head_len).min(bytes.len());
            self.head[self.head_len..self.head_len + n].copy_from_slice(&bytes[..n]);
            self.head_len += n;
            bytes = &bytes[n..];
            if self.head_len == HEAD_BYTES {
                self.head_len = 0;
                let [a, b, c, kind, ..] = self.head;
                self.skip = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
                if !self.frame(kind) {
                    return false;
                }
            }
        }
        true
    }

    fn frame(&mut self, kind: u8) -> bool {
        match kind {
            DATA if self.skip > 0 => self.earn(FRAMES_PER_CONTENT),
            HEADERS => self.earn(FRAMES_PER_REQUEST),
            // `h2` counts them.
            CONTINUATION => {}
            _ => match self.frames.checked_sub(1) {
                Some(left) => self.frames = left,
                None => return false,
            },
        }
        true
    }

    fn earn(&mut self, frames: u64) {
        self.frames = self.frames.saturating_add(frames).min(FRAMES_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0payload!";
    const WINDOW_UPDATE: &[u8] = b"\0\0\x04\x08\0\0\0\0\0\0\0\0\x01";

    fn begun() -> Budget {
        let mut budget = Budget::new(0);
        assert!(budget.received(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 0));
        budget
    }

    /// How many of these in a row are within the budget, up to `most`.
    fn taken(budget: &mut Budget, frame: &[u8], now_ns: u64, most: usize) -> usize {
        (0..most)
            .take_while(|_| budget.received(frame, now_ns))
            .count()
    }

    #[test]
    fn floods_end_and_time_forgives() {
        let mut budget = begun();
        assert_eq!(taken(&mut budget, PING, 0, 9999), FRAMES_MAX as usize);
        let mut budget = begun();
        assert_eq!(taken(&mut budget, PING, 0, 4096), 4096);
        assert_eq!(taken(&mut budget, PING, 2 * SECOND, 9999), 128);
    }

    #[test]
    fn frames_are_found_in_any_pieces() {
        for step in [1, 2, 5, 9, 10, 17, 1000] {
            let mut budget = begun();
            let wire = PING.repeat(4096);
            assert!(
                wire.chunks(step).all(|piece| budget.received(piece, 0)),
                "{step}"
            );
            assert!(!budget.received(PING, 0), "{step}");
        }
    }

    #[test]
    fn who_works_may_send_more() {
        // A download of ten million frames of 100 bytes would look no different.
        let mut budget = begun();
        for _ in 0..100_000 {
            budget.sent(109);
            assert!(budget.received(WINDOW_UPDATE, 0) && budget.received(WINDOW_UPDATE, 0));
        }
        // Requests, each reset.
        let mut budget = begun();
        for _ in 0..100_000 {
            assert!(budget.received(b"\0\0\x01\x01\x05\0\0\0\x01\x82", 0));
            assert!(budget.received(b"\0\0\x04\x03\0\0\0\0\x01\0\0\0\x08", 0));
        }
    }

    #[test]
    fn content_without_bytes_is_no_content() {
        let mut budget = begun();
        let empty = b"\0\0\0\0\0\0\0\0\x01";
        assert_eq!(taken(&mut budget, empty, 0, 9999), FRAMES_MAX as usize);
    }
}
