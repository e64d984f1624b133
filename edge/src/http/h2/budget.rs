//! Frames that make work and carry nothing: how many a client may send (CVE-2019-9511 to -9518). Those
//! that may not be sent at all are told by the same look at them, see [`Faults`].
//!
//! `h2` bounds what it keeps for them, but a client that sends PING, SETTINGS, PRIORITY or
//! WINDOW_UPDATE as fast as its line allows still keeps a worker from its other clients. So they are
//! counted as they come in, against what the connection does otherwise.

use h2::Reason;

use super::faults::Faults;
use super::frames::{CONTINUATION, DATA, Frames, HEADERS};

/// The preface that comes before all frames (RFC 9113 §3.4).
const PREFACE_BYTES: usize = 24;
/// Empty frames in one go.
const FRAMES_MAX: u64 = 4096;
/// How many more each second; an honest client sends a PING now and then.
const FRAMES_PER_SEC: u64 = 64;
/// How many more for a request, for content of one, and for a byte of answers over so many: a client
/// gives window back twice for each frame, however short.
const FRAMES_PER_REQUEST: u64 = 8;
const FRAMES_PER_CONTENT: u64 = 1;
const SENT_BYTES_PER_FRAME: u64 = 32;

/// What is left to one connection. The bytes that come in pass by it.
#[derive(Debug)]
pub(super) struct Budget {
    left: u64,
    frames: Frames,
    faults: Faults,
    /// The payload that comes next is of a field block.
    in_block: bool,
    sent_bytes: u64,
    refilled_ns: u64,
}

impl Budget {
    pub(super) fn new(now_ns: u64) -> Budget {
        Budget {
            left: FRAMES_MAX,
            frames: Frames::after(PREFACE_BYTES),
            faults: Faults::default(),
            in_block: false,
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

    /// Takes note of bytes that have come in, and tells of the streams of heads among them: why the
    /// connection has to end, and how many of the bytes came before that.
    pub(super) fn received(
        &mut self,
        received: &[u8],
        now_ns: u64,
        mut head: impl FnMut(u32),
    ) -> Result<(), (usize, Reason)> {
        let mut bytes = received;
        let secs = now_ns.saturating_sub(self.refilled_ns) / 1_000_000_000;
        if secs > 0 {
            self.refilled_ns += secs * 1_000_000_000;
            self.earn(secs.saturating_mul(FRAMES_PER_SEC));
        }
        // Where the frame begins that is being looked at, or the bytes if it began before them.
        let mut good = 0;
        loop {
            if self.in_block {
                let payload = self.frames.payload(&mut bytes);
                self.faults
                    .block(payload)
                    .map_err(|reason| (good, reason))?;
                self.in_block = self.frames.skips() > 0;
                if self.in_block {
                    return Ok(());
                }
            }
            good = received.len() - bytes.len().saturating_sub(self.frames.skips());
            let Some(frame) = self.frames.next(&mut bytes) else {
                return Ok(());
            };
            self.faults.frame(&frame).map_err(|reason| (good, reason))?;
            self.in_block = matches!(frame.kind, HEADERS | CONTINUATION);
            match frame.kind {
                DATA if frame.length > 0 => self.earn(FRAMES_PER_CONTENT),
                HEADERS => {
                    head(frame.stream);
                    self.earn(FRAMES_PER_REQUEST);
                }
                // `h2` counts them.
                CONTINUATION => {}
                _ => match self.left.checked_sub(1) {
                    Some(left) => self.left = left,
                    None => return Err((good, Reason::ENHANCE_YOUR_CALM)),
                },
            }
        }
    }

    fn earn(&mut self, frames: u64) {
        self.left = self.left.saturating_add(frames).min(FRAMES_MAX);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0payload!";
    const WINDOW_UPDATE: &[u8] = b"\0\0\x04\x08\0\0\0\0\0\0\0\0\x01";

    fn begun() -> Budget {
        let mut budget = Budget::new(0);
        assert_eq!(budget.received(PREFACE, 0, |_| {}), Ok(()));
        budget.left = FRAMES_MAX;
        budget
    }

    /// How many of these in a row are within the budget, up to `most`.
    fn taken(budget: &mut Budget, frame: &[u8], now_ns: u64, most: usize) -> usize {
        (0..most)
            .take_while(|_| budget.received(frame, now_ns, |_| {}).is_ok())
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
                wire.chunks(step)
                    .all(|piece| budget.received(piece, 0, |_| {}).is_ok()),
                "{step}"
            );
            let spent = Err((0, Reason::ENHANCE_YOUR_CALM));
            assert_eq!(budget.received(PING, 0, |_| {}), spent, "{step}");
        }
    }

    #[test]
    fn who_works_may_send_more() {
        // A download of ten million frames of 100 bytes would look no different.
        let mut budget = begun();
        for _ in 0..100_000 {
            budget.sent(109);
            for _ in 0..2 {
                assert_eq!(budget.received(WINDOW_UPDATE, 0, |_| {}), Ok(()));
            }
        }
        // Requests, each reset.
        let mut budget = begun();
        for stream in (1..200_000).step_by(2) {
            let stream = u32::to_be_bytes(stream);
            let request = [b"\0\0\x01\x01\x05", &stream[..], b"\x82"].concat();
            assert_eq!(budget.received(&request, 0, |_| {}), Ok(()));
            let reset = [b"\0\0\x04\x03\0", &stream[..], b"\0\0\0\x08"].concat();
            assert_eq!(budget.received(&reset, 0, |_| {}), Ok(()));
        }
    }

    #[test]
    fn faults_end_the_connection_and_what_came_before_them_counts() {
        let (size, flow) = (Reason::FRAME_SIZE_ERROR, Reason::FLOW_CONTROL_ERROR);
        let settings = b"\0\0\x0c\x04\0\0\0\0\0\0\x03\x80\0\0\x01\0\x04\x80\0\0\0";
        for (frame, reason) in [
            (&b"\0\0\x07\x06\0\0\0\0\0payload"[..], size),
            (b"\0\0\x05\x04\0\0\0\0\0\0\x03\0\0\0", size),
            (b"\0\0\x06\x04\x01\0\0\0\0\0\x03\0\0\0\x01", size),
            (b"\0\0\x03\x08\0\0\0\0\0\0\0\x01", size),
            (b"\0\0\x03\x03\0\0\0\0\x01\0\0\x01", size),
            (b"\0\0\x04\x02\0\0\0\0\x01\0\0\0\x01", size),
            (b"\0\0\x07\x07\0\0\0\0\0\0\0\0\0\0\0\0", size),
            (settings, flow),
        ] {
            let wire = [PREFACE, PING, frame].concat();
            let good = PREFACE.len() + PING.len();
            let end = Budget::new(0).received(&wire, 0, |_| {});
            assert_eq!(end, Err((good, reason)), "{frame:?}");
            let mut budget = Budget::new(0);
            let mut pieces = wire.chunks(1);
            let end = pieces.find_map(|byte| budget.received(byte, 0, |_| {}).err());
            assert_eq!(end, Some((0, reason)), "{frame:?}");
        }
        // No SETTINGS, or only the answer to ours.
        for first in [PING, b"\0\0\0\x04\x01\0\0\0\0"] {
            let wire = [&PREFACE[..PREFACE_BYTES], first].concat();
            let end = Budget::new(0).received(&wire, 0, |_| {});
            assert_eq!(end, Err((PREFACE_BYTES, Reason::PROTOCOL_ERROR)));
        }
    }

    #[test]
    fn content_without_bytes_is_no_content() {
        let mut budget = begun();
        let head = b"\0\0\x01\x01\x04\0\0\0\x01\x83";
        assert_eq!(budget.received(head, 0, |_| {}), Ok(()));
        let empty = b"\0\0\0\0\0\0\0\0\x01";
        assert_eq!(taken(&mut budget, empty, 0, 9999), FRAMES_MAX as usize);
    }
}
