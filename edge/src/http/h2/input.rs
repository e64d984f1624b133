//! The bytes of a client as frames (RFC 9113 §4.1). Content is handed on as it comes, everything else
//! once its frame is whole.

use bytes::{Buf as _, Bytes, BytesMut};

use crate::message::h2::Code;
use crate::message::h2::frames::{
    DATA, FrameHead, GOAWAY, HEAD_BYTES, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};

/// The most that a frame may carry: we do not let clients send more (§4.2).
pub(super) const FRAME_BYTES_MAX: usize = 16_384;
/// Content of up to this size gets memory of its own: what it came in is many times larger.
const COPY_BYTES_MAX: usize = 1024;

pub(super) const ACK: u8 = 0x1;
pub(super) const END_STREAM: u8 = 0x1;
pub(super) const END_HEADERS: u8 = 0x4;
pub(super) const PADDED: u8 = 0x8;
pub(super) const HAS_PRIORITY: u8 = 0x20;

/// What has come next.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// A frame of content begins.
    Content(FrameHead),
    /// Bytes of it.
    Data { stream: u32, data: Bytes },
    /// Its end. So many bytes were content, and so many were not.
    End {
        stream: u32,
        used: usize,
        unused: usize,
        ends_stream: bool,
    },
    /// Any other frame, whole.
    Frame(FrameHead, &'a [u8]),
}

/// Bytes that have come and were not looked at yet.
#[derive(Debug, Default)]
pub(super) struct Input {
    bytes: BytesMut,
    content: Option<Content>,
    /// The frame that was handed out last; it goes with the next call.
    used: usize,
}

/// A frame of content that is under way.
#[derive(Debug)]
struct Content {
    head: FrameHead,
    has_pad_length: bool,
    data: usize,
    padding: usize,
    unused: usize,
}

impl Input {
    pub(super) fn push(&mut self, bytes: BytesMut) {
        self.drop_used();
        match self.bytes.is_empty() {
            true => self.bytes = bytes,
            false => self.bytes.extend_from_slice(&bytes),
        }
    }

    /// Takes `text` off the front as far as it has come, and tells how much that is; `None` where it
    /// is something else.
    pub(super) fn take(&mut self, text: &[u8]) -> Option<usize> {
        let there = text.len().min(self.bytes.len());
        let is_it = self.bytes[..there] == text[..there];
        is_it.then(|| {
            self.bytes.advance(there);
            there
        })
    }

    /// Whether a frame has begun that is not whole.
    pub(super) fn is_within_frame(&self) -> bool {
        self.bytes.len() > self.used
    }

    /// What comes next, if enough of it is there.
    pub(super) fn next(&mut self) -> Result<Option<Piece<'_>>, Code> {
        self.drop_used();
        if self.content.is_some() {
            return self.content();
        }
        let Some(head) = self.bytes.first_chunk().copied().map(FrameHead::read) else {
            self.let_go();
            return Ok(None);
        };
        judge(&head)?;
        if head.kind == DATA {
            self.bytes.advance(HEAD_BYTES);
            self.content = Some(Content::new(head));
            return Ok(Some(Piece::Content(head)));
        }
        let end = HEAD_BYTES + head.length;
        if self.bytes.len() < end {
            return Ok(None);
        }
        self.used = end;
        Ok(Some(Piece::Frame(head, &self.bytes[HEAD_BYTES..end])))
    }

    fn content(&mut self) -> Result<Option<Piece<'_>>, Code> {
        let Some(content) = &mut self.content else {
            return Ok(None);
        };
        let stream = content.head.stream;
        if content.has_pad_length && !self.bytes.is_empty() {
            content.has_pad_length = false;
            content.padding = usize::from(self.bytes.get_u8());
            let data = content.data.checked_sub(content.padding);
            content.data = data.ok_or(Code::ProtocolError)?; // §6.1.
            content.unused = content.padding + 1;
        }
        if content.data > 0 && !content.has_pad_length {
            let length = content.data.min(self.bytes.len());
            if length == 0 {
                self.let_go();
                return Ok(None);
            }
            content.data -= length;
            let data = match length <= COPY_BYTES_MAX {
                true => {
                    let data = Bytes::copy_from_slice(&self.bytes[..length]);
                    self.bytes.advance(length);
                    data
                }
                false => self.bytes.split_to(length).freeze(),
            };
            return Ok(Some(Piece::Data { stream, data }));
        }
        let padding = content.padding.min(self.bytes.len());
        self.bytes.advance(padding);
        content.padding -= padding;
        if content.has_pad_length || content.padding > 0 {
            self.let_go();
            return Ok(None);
        }
        let FrameHead { length, flags, .. } = content.head;
        let (unused, ends_stream) = (content.unused, flags & END_STREAM != 0);
        self.content = None;
        Ok(Some(Piece::End {
            stream,
            used: length - unused,
            unused,
            ends_stream,
        }))
    }

    fn drop_used(&mut self) {
        self.bytes.advance(std::mem::take(&mut self.used));
    }

    /// An idle connection holds no buffer.
    fn let_go(&mut self) {
        if self.bytes.is_empty() {
            self.bytes = BytesMut::new();
        }
    }
}

impl Content {
    fn new(head: FrameHead) -> Content {
        let has_pad_length = head.flags & PADDED != 0;
        Content {
            head,
            has_pad_length,
            // That a padded one is not empty was looked at.
            data: head.length - usize::from(has_pad_length),
            padding: 0,
            unused: 0,
        }
    }
}

/// Whether a frame is of a size that it may have (§4.2, §6).
fn judge(head: &FrameHead) -> Result<(), Code> {
    let length = head.length;
    let fits = match head.kind {
        _ if length > FRAME_BYTES_MAX => false,
        DATA if head.flags & PADDED != 0 => length > 0,
        PRIORITY => length == 5,
        RST_STREAM | WINDOW_UPDATE => length == 4,
        SETTINGS if head.flags & ACK != 0 => length == 0,
        SETTINGS => length.is_multiple_of(6),
        PING => length == 8,
        GOAWAY => length >= 8,
        _ => true,
    };
    fits.then_some(()).ok_or(Code::FrameSizeError)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in bytes that come in pieces of `step`; data is put together.
    fn found(wire: &[u8], step: usize) -> Result<Vec<String>, Code> {
        let mut input = Input::default();
        let (mut all, mut held) = (Vec::new(), Vec::new());
        for piece in wire.chunks(step) {
            input.push(piece.into());
            while let Some(piece) = input.next()? {
                match piece {
                    Piece::Data { data, .. } => held.extend_from_slice(&data),
                    Piece::End {
                        stream,
                        used,
                        unused,
                        ends_stream,
                    } => {
                        assert_eq!(held.len(), used);
                        let data = String::from_utf8(std::mem::take(&mut held)).expect("text");
                        all.push(format!("{stream} {data} {unused} {ends_stream}"));
                    }
                    Piece::Content(_) => {}
                    Piece::Frame(head, payload) => {
                        let FrameHead {
                            kind,
                            flags,
                            stream,
                            ..
                        } = head;
                        all.push(format!("{kind} {flags} {stream} {payload:?}"));
                    }
                }
            }
        }
        assert!(!input.is_within_frame());
        Ok(all)
    }

    #[test]
    fn frames_are_found_in_any_pieces() {
        let mut wire = b"\0\0\x02\0\x01\x80\0\0\x05hi\0\0\x04\x03\0\0\0\0\x07\0\0\0\x01".to_vec();
        wire.extend(b"\0\0\x06\0\x08\0\0\0\x03\x03hi\0\0\0\0\0\0\0\0\0\0\0\x03");
        wire.extend(b"\0\0\0\x01\x05\0\0\0\x09");
        for step in 1..wire.len() {
            let expected = [
                "5 hi 0 true",
                "3 0 7 [0, 0, 0, 1]",
                "3 hi 4 false",
                "3  0 false",
                "1 5 9 []",
            ];
            let got = found(&wire, step);
            assert_eq!(got, Ok(expected.map(String::from).to_vec()), "by {step}");
        }
    }

    #[test]
    fn sizes_that_no_frame_has() {
        let size = Err(Code::FrameSizeError);
        for wire in [
            &b"\0\0\x07\x06\0\0\0\0\0payload"[..],
            b"\0\0\x05\x04\0\0\0\0\0\0\x03\0\0\0",
            b"\0\0\x06\x04\x01\0\0\0\0\0\x03\0\0\0\x01",
            b"\0\0\x03\x08\0\0\0\0\0\0\0\x01",
            b"\0\0\x03\x03\0\0\0\0\x01\0\0\x01",
            b"\0\0\x04\x02\0\0\0\0\x01\0\0\0\x01",
            b"\0\0\x07\x07\0\0\0\0\0\0\0\0\0\0\0\0",
            b"\0\0\0\0\x08\0\0\0\x01",
            b"\0\x40\x01\x99\0\0\0\0\0",
        ] {
            assert_eq!(found(wire, 100), size, "{wire:?}");
        }
        let padding = found(b"\0\0\x02\0\x08\0\0\0\x01\x02x", 100);
        assert_eq!(padding, Err(Code::ProtocolError));
    }

    #[test]
    fn a_little_content_does_not_hold_a_large_buffer() {
        let mut input = Input::default();
        let mut bytes = BytesMut::with_capacity(65_536);
        bytes.extend_from_slice(b"\0\0\x02\0\0\0\0\0\x01hi");
        input.push(bytes);
        assert!(matches!(input.next(), Ok(Some(Piece::Content(_)))));
        let Ok(Some(Piece::Data { data, .. })) = input.next() else {
            panic!("no data");
        };
        assert_eq!(data, "hi");
        assert!(matches!(input.next(), Ok(Some(Piece::End { .. }))));
        assert_eq!(input.next(), Ok(None));
        assert_eq!(input.bytes.capacity(), 0);
    }
}
