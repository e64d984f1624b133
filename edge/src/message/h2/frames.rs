//! The heads of frames (RFC 9113 §4.1).

/// The head of a frame.
pub const HEAD_BYTES: usize = 9;

/// Content.
pub const DATA: u8 = 0;
/// A field block.
pub const HEADERS: u8 = 1;
/// A word on order.
pub const PRIORITY: u8 = 2;
/// The end of a stream.
pub const RST_STREAM: u8 = 3;
/// What its sender wishes.
pub const SETTINGS: u8 = 4;
/// The announcement of a request that the client has not made.
pub const PUSH_PROMISE: u8 = 5;
/// A question whether anybody is there.
pub const PING: u8 = 6;
/// The end of a connection.
pub const GOAWAY: u8 = 7;
/// Room for content.
pub const WINDOW_UPDATE: u8 = 8;
/// More of a field block.
pub const CONTINUATION: u8 = 9;

/// What a frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FrameHead {
    /// One of the constants, or unknown.
    pub kind: u8,
    /// What they mean depends on the kind.
    pub flags: u8,
    /// 0 is the connection.
    pub stream: u32,
    /// Bytes of the payload, fewer than 2^24.
    pub length: usize,
}

impl FrameHead {
    /// From the wire. A reserved bit is passed over.
    pub fn read(bytes: [u8; HEAD_BYTES]) -> FrameHead {
        let [a, b, c, kind, flags, d, e, f, g] = bytes;
        FrameHead {
            kind,
            flags,
            stream: u32::from_be_bytes([d, e, f, g]) & 0x7fff_ffff,
            length: u32::from_be_bytes([0, a, b, c]) as usize,
        }
    }

    /// For the wire.
    pub fn bytes(self) -> [u8; HEAD_BYTES] {
        let [_, a, b, c] = (self.length as u32).to_be_bytes();
        let [d, e, f, g] = self.stream.to_be_bytes();
        [a, b, c, self.kind, self.flags, d, e, f, g]
    }
}

/// Finds one frame after the other in bytes that pass by, in any pieces.
#[derive(Debug, Default)]
pub struct Frames {
    /// Bytes of a payload still to come.
    skip: usize,
    kept: [u8; HEAD_BYTES],
    kept_len: usize,
}

impl Frames {
    /// Takes bytes up to the end of the next head, or all of them.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<FrameHead> {
        let passed = self.skip.min(bytes.len());
        self.skip -= passed;
        let kept = (HEAD_BYTES - self.kept_len).min(bytes.len() - passed);
        let (head, rest) = bytes[passed..].split_at(kept);
        *bytes = rest;
        self.kept[self.kept_len..self.kept_len + kept].copy_from_slice(head);
        self.kept_len += kept;
        if self.kept_len < HEAD_BYTES {
            return None;
        }
        self.kept_len = 0;
        let head = FrameHead::read(self.kept);
        self.skip = head.length;
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_in_any_pieces() {
        let wire = b"\0\0\x02\0\x01\x80\0\0\x05hi\0\0\x04\x03\0\0\0\0\x07\0\0\0\x01\0\0\0\x01\x05\0\0\0\x09";
        let head = |kind, flags, stream, length| FrameHead {
            kind,
            flags,
            stream,
            length,
        };
        let expected = [
            head(DATA, 1, 5, 2),
            head(RST_STREAM, 0, 7, 4),
            head(HEADERS, 5, 9, 0),
        ];
        for step in 1..wire.len() {
            let mut frames = Frames::default();
            let mut found = Vec::new();
            for mut piece in wire.chunks(step) {
                while let Some(frame) = frames.next(&mut piece) {
                    found.push(frame);
                }
                assert!(piece.is_empty());
            }
            assert_eq!(found, expected, "in pieces of {step}");
        }
        for head in expected {
            assert_eq!(FrameHead::read(head.bytes()), head);
        }
    }
}
