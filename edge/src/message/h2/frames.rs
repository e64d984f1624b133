//! The heads of frames in a stream of bytes that comes in any pieces (RFC 9113 §4.1).

/// The head of a frame.
pub const HEAD_BYTES: usize = 9;
/// How much of a payload is kept where that is asked for.
const KEPT_BYTES: usize = 40;

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

/// Finds one frame after the other.
#[derive(Debug)]
pub struct Frames {
    /// Bytes still to come that are passed over.
    skip: usize,
    kept: [u8; HEAD_BYTES + KEPT_BYTES],
    kept_len: usize,
}

/// What is known of a frame when it is found.
#[derive(Debug, PartialEq, Eq)]
pub struct Frame<'a> {
    /// One of the constants, or unknown.
    pub kind: u8,
    /// What they mean depends on the kind.
    pub flags: u8,
    /// 0 is the connection.
    pub stream: u32,
    /// Bytes of the whole payload.
    pub length: usize,
    /// How those of RST_STREAM, SETTINGS and GOAWAY begin.
    pub payload: &'a [u8],
}

impl Frames {
    /// Before the first frame there are so many bytes of something else.
    pub fn after(skip: usize) -> Frames {
        Frames {
            skip,
            kept: [0; HEAD_BYTES + KEPT_BYTES],
            kept_len: 0,
        }
    }

    /// Bytes still to come that belong to no other frame.
    pub fn skips(&self) -> usize {
        self.skip
    }

    /// Takes what is there of the payload of the frame that was found last, but for its beginning where
    /// that is kept.
    pub fn payload<'a>(&mut self, bytes: &mut &'a [u8]) -> &'a [u8] {
        let (payload, rest) = bytes.split_at(self.skip.min(bytes.len()));
        self.skip -= payload.len();
        *bytes = rest;
        payload
    }

    /// Takes bytes up to the end of the next head, or all of them.
    pub fn next(&mut self, bytes: &mut &[u8]) -> Option<Frame<'_>> {
        let passed = self.skip.min(bytes.len());
        self.skip -= passed;
        *bytes = &bytes[passed..];
        if self.kept_len < HEAD_BYTES && !self.keep(bytes, HEAD_BYTES) {
            return None;
        }
        let [a, b, c, kind, flags, d, e, f, g, ..] = self.kept;
        let length = usize::from(a) << 16 | usize::from(b) << 8 | usize::from(c);
        let kept = match kind {
            RST_STREAM | SETTINGS | GOAWAY => length.min(KEPT_BYTES),
            _ => 0,
        };
        if !self.keep(bytes, HEAD_BYTES + kept) {
            return None;
        }
        self.kept_len = 0;
        self.skip = length - kept;
        Some(Frame {
            kind,
            flags,
            stream: u32::from_be_bytes([d, e, f, g]) & 0x7fff_ffff,
            length,
            payload: &self.kept[HEAD_BYTES..HEAD_BYTES + kept],
        })
    }

    /// Whether so many bytes are there.
    fn keep(&mut self, bytes: &mut &[u8], wanted: usize) -> bool {
        let n = (wanted - self.kept_len).min(bytes.len());
        self.kept[self.kept_len..self.kept_len + n].copy_from_slice(&bytes[..n]);
        self.kept_len += n;
        *bytes = &bytes[n..];
        self.kept_len == wanted
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_found_in_any_pieces() {
        let goaway = [&[0, 0, 3, 1], &[b'x'; 70][..]].concat();
        let mut wire = b"\0\0\x02\0\x01\x80\0\0\x05hi\0\0\x04\x03\0\0\0\0\x07\0\0\0\x01".to_vec();
        wire.extend(b"\0\0\x4a\x07\0\0\0\0\0");
        wire.extend(&goaway);
        wire.extend(b"\0\0\0\x01\x05\0\0\0\x09");
        for step in 1..wire.len() {
            let mut frames = Frames::after(3);
            let mut found = Vec::new();
            for mut piece in [&b"pre"[..], &wire].concat().chunks(step) {
                while let Some(frame) = frames.next(&mut piece) {
                    let payload = frame.payload.to_vec();
                    found.push((frame.kind, frame.flags, frame.stream, frame.length, payload));
                }
                assert!(piece.is_empty());
            }
            let expected = [
                (DATA, 1, 5, 2, vec![]),
                (RST_STREAM, 0, 7, 4, vec![0, 0, 0, 1]),
                (GOAWAY, 0, 0, 74, goaway[..KEPT_BYTES].to_vec()),
                (HEADERS, 5, 9, 0, vec![]),
            ];
            assert_eq!(found, expected, "in pieces of {step}");
        }
    }
}
