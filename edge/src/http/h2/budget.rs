//! What a client may send: as many frames without content as its [`Allowance`] has, and none that may not
//! be sent at all, which the same look at them tells, see [`Faults`].

use h2::Reason;

use super::faults::Faults;
use crate::message::h2::Allowance;
use crate::message::h2::frames::{CONTINUATION, Frames, HEADERS};

/// The preface that comes before all frames (RFC 9113 §3.4).
const PREFACE_BYTES: usize = 24;

/// What is left to one connection. The bytes that come in pass by it.
#[derive(Debug)]
pub(super) struct Budget {
    allowance: Allowance,
    frames: Frames,
    faults: Faults,
    /// The payload that comes next is of a field block.
    in_block: bool,
}

impl Budget {
    pub(super) fn new(now_ns: u64) -> Budget {
        Budget {
            allowance: Allowance::new(now_ns),
            frames: Frames::after(PREFACE_BYTES),
            faults: Faults::default(),
            in_block: false,
        }
    }

    /// Takes note of bytes that go out.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.allowance.sent(bytes);
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
        self.allowance.passed(now_ns);
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
            if !self.allowance.take(&frame) {
                return Err((good, Reason::ENHANCE_YOUR_CALM));
            }
            if frame.kind == HEADERS {
                head(frame.stream);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::h2::FRAMES_MAX;

    const SECOND: u64 = 1_000_000_000;
    const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0";
    const PING: &[u8] = b"\0\0\x08\x06\0\0\0\0\0payload!";
    const WINDOW_UPDATE: &[u8] = b"\0\0\x04\x08\0\0\0\0\0\0\0\0\x01";

    fn begun() -> Budget {
        let mut budget = Budget::new(0);
        assert_eq!(budget.received(PREFACE, 0, |_| {}), Ok(()));
        budget.allowance = Allowance::new(0);
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
