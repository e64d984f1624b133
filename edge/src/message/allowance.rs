//! Frames that make work and carry nothing: how many a peer may send (CVE-2019-9511 to -9518).
//!
//! What they make a connection keep is bounded, but a peer that sends PING, SETTINGS, PRIORITY or WINDOW_UPDATE as
//! fast as its line allows still keeps a worker from everybody else. So they are counted as they come
//! in, against what the connection does otherwise.

use super::h2::frames::{CONTINUATION, DATA, HEADERS};

/// Empty frames in one go.
const FRAMES_MAX: u64 = 4096;
/// How many more each second; an honest peer sends a PING now and then.
const FRAMES_PER_SEC: u64 = 64;
/// How many more for a head, for content, and for a byte that is sent to the peer over so many: it gives
/// window back twice for each frame, however short.
const FRAMES_PER_HEAD: u64 = 8;
const FRAMES_PER_CONTENT: u64 = 1;
const SENT_BYTES_PER_FRAME: u64 = 32;

/// What is left to one connection.
#[derive(Debug)]
pub struct Allowance {
    left: u64,
    sent_bytes: u64,
    refilled_ns: u64,
}

impl Allowance {
    /// All of it.
    pub fn new(now_ns: u64) -> Allowance {
        Allowance {
            left: FRAMES_MAX,
            sent_bytes: 0,
            refilled_ns: now_ns,
        }
    }

    /// Takes note of bytes that go out.
    pub fn sent(&mut self, bytes: usize) {
        self.sent_bytes += bytes as u64;
        self.earn(self.sent_bytes / SENT_BYTES_PER_FRAME);
        self.sent_bytes %= SENT_BYTES_PER_FRAME;
    }

    /// Takes note of the time.
    pub fn passed(&mut self, now_ns: u64) {
        let secs = now_ns.saturating_sub(self.refilled_ns) / 1_000_000_000;
        if secs > 0 {
            self.refilled_ns += secs * 1_000_000_000;
            self.earn(secs.saturating_mul(FRAMES_PER_SEC));
        }
    }

    /// Whether the peer may send this frame, of a payload of that length.
    pub fn take(&mut self, kind: u8, length: usize) -> bool {
        match kind {
            DATA if length > 0 => self.earn(FRAMES_PER_CONTENT),
            HEADERS => self.head(),
            // They are bounded by their block.
            CONTINUATION => {}
            _ => return self.spend(),
        }
        true
    }

    /// Takes note of a request or an answer.
    pub fn head(&mut self) {
        self.earn(FRAMES_PER_HEAD);
    }

    /// Whether the peer may send one more that carries nothing, whatever its kind.
    pub fn spend(&mut self) -> bool {
        let left = self.left.checked_sub(1);
        self.left = left.unwrap_or(0);
        left.is_some()
    }

    fn earn(&mut self, frames: u64) {
        self.left = self.left.saturating_add(frames).min(FRAMES_MAX);
    }
}
