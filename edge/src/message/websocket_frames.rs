//! Where one WebSocket frame ends and the next begins (RFC 6455 §5.2), told from the bytes that pass.
//!
//! A few bytes of state a direction: enough to know where a Close of the edge's own may stand, which
//! between two frames it always may, and inside one never (§5.4).

/// One direction of a WebSocket.
#[derive(Clone, Copy, Debug, Default)]
pub struct FrameTracker {
    /// Bytes of the frame still to come behind its length.
    left: u64,
    length: u64,
    /// Bytes of the head so far.
    head: u8,
    /// Of those, still to come of an extended length.
    extended: u8,
    is_masked: bool,
    opcode: u8,
    closed: bool,
    lost: bool,
}

const CLOSE: u8 = 8;
const MASK_BYTES: u64 = 4;
/// The most that a control frame may hold (§5.5).
const CONTROL_BYTES_MAX: u64 = 125;

impl FrameTracker {
    /// Bytes have passed.
    pub fn passed(&mut self, mut data: &[u8]) {
        while let (false, Some((&byte, rest))) = (self.lost, data.split_first()) {
            if self.left > 0 {
                let skipped = self.left.min(data.len() as u64);
                self.left -= skipped;
                data = &data[skipped as usize..];
                continue;
            }
            data = rest;
            self.head_byte(byte);
        }
    }

    fn head_byte(&mut self, byte: u8) {
        match self.head {
            0 => {
                self.opcode = byte & 0x0f;
                let is_final = byte & 0x80 != 0;
                // What no version of the protocol sends; a control frame is never a fragment.
                self.lost =
                    matches!(self.opcode, 3..=7 | 11..=15) || (self.opcode >= 8 && !is_final);
                self.head = 1;
                return;
            }
            1 => {
                self.is_masked = byte & 0x80 != 0;
                self.head = 2;
                (self.length, self.extended) = match byte & 0x7f {
                    126 => (0, 2),
                    127 => (0, 8),
                    length => (u64::from(length), 0),
                };
            }
            _ => {
                self.length = self.length << 8 | u64::from(byte);
                self.extended -= 1;
            }
        }
        if self.extended > 0 {
            return;
        }
        let is_control = self.opcode >= CLOSE;
        self.lost = self.length >> 63 != 0 || (is_control && self.length > CONTROL_BYTES_MAX);
        self.closed |= self.opcode == CLOSE;
        self.left = self.length + if self.is_masked { MASK_BYTES } else { 0 };
        self.head = 0;
    }

    /// Whether a Close has passed, or begun to.
    pub fn has_closed(&self) -> bool {
        self.closed
    }

    /// Whether a Close may be put behind what has passed.
    pub fn may_close(&self) -> bool {
        !self.lost && !self.closed && self.head == 0 && self.left == 0
    }
}

/// A Close with a status code and a reason of at most 123 bytes (§5.5.1); masked where it goes to a
/// server (§5.3).
pub fn close_frame(code: u16, reason: &str, mask: Option<[u8; 4]>) -> Vec<u8> {
    let reason = &reason.as_bytes()[..reason.len().min(CONTROL_BYTES_MAX as usize - 2)];
    let mut frame = vec![0x80 | CLOSE, (2 + reason.len()) as u8];
    if let Some(mask) = mask {
        frame[1] |= 0x80;
        frame.extend_from_slice(&mask);
    }
    let payload = code.to_be_bytes().into_iter().chain(reason.iter().copied());
    frame.extend(payload.enumerate().map(|(i, byte)| match mask {
        Some(mask) => byte ^ mask[i % 4],
        None => byte,
    }));
    frame
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(first: u8, masked: bool, length: usize) -> Vec<u8> {
        let bit = if masked { 0x80 } else { 0 };
        let mut frame = vec![first];
        match length {
            0..=125 => frame.push(bit | length as u8),
            126..=0xffff => {
                frame.push(bit | 126);
                frame.extend_from_slice(&(length as u16).to_be_bytes());
            }
            _ => {
                frame.push(bit | 127);
                frame.extend_from_slice(&(length as u64).to_be_bytes());
            }
        }
        frame.extend(std::iter::repeat_n(
            0x88,
            length + if masked { 4 } else { 0 },
        ));
        frame
    }

    #[test]
    fn boundaries_are_known_however_the_bytes_are_cut() {
        let frames = [
            frame(0x81, true, 0),
            frame(0x02, false, 125),
            frame(0x89, true, 125),
            frame(0x00, false, 126),
            frame(0xc1, true, 65_535),
            frame(0x80, false, 65_536),
            frame(0x8a, false, 0),
        ];
        for cut in [1, 2, 3, 7, 1000, 1 << 20] {
            let mut tracker = FrameTracker::default();
            let mut at = 0;
            let ends: Vec<usize> = frames
                .iter()
                .scan(0, |end, frame| {
                    *end += frame.len();
                    Some(*end)
                })
                .collect();
            for piece in frames.concat().chunks(cut) {
                tracker.passed(piece);
                at += piece.len();
                assert_eq!(tracker.may_close(), ends.contains(&at), "{at} in {cut}");
            }
            tracker.passed(&close_frame(1000, "", None));
            assert!(tracker.has_closed() && !tracker.may_close());
        }
    }

    #[test]
    fn what_is_no_frame_is_never_a_boundary_again() {
        for bytes in [
            &[0x83, 0][..],
            &[0x08, 0],
            &[0x8f, 0],
            &[0x88, 126, 0, 126],
            &[0x82, 127, 0xff, 0, 0, 0, 0, 0, 0, 0],
        ] {
            let mut tracker = FrameTracker::default();
            tracker.passed(bytes);
            tracker.passed(&[0; 300]);
            assert!(!tracker.may_close(), "{bytes:?}");
        }
    }

    #[test]
    fn a_close_is_what_the_protocol_says() {
        let plain = close_frame(1001, "idle", None);
        assert_eq!(plain, b"\x88\x06\x03\xe9idle");
        let masked = close_frame(1001, "idle", Some([1, 2, 3, 4]));
        assert_eq!(masked[..6], [0x88, 0x86, 1, 2, 3, 4]);
        assert_eq!(
            masked[6..],
            [0x02, 0xeb, b'i' ^ 3, b'd' ^ 4, b'l' ^ 1, b'e' ^ 2]
        );
        assert_eq!(close_frame(1001, &"x".repeat(200), None).len(), 127);
    }
}
