//! The field blocks that a client sends, as they come: whether each can be decompressed, and whether it
//! has lines that it must not have and of which `h2` does not tell.

use h2::Reason;

use crate::message::h2::frames::Frame;
use crate::message::h2::{Hpack, Progress};

const END_HEADERS: u8 = 0x4;
const PADDED: u8 = 0x8;
const PRIORITY: u8 = 0x20;
const PRIORITY_BYTES: usize = 5;
/// What may wait of a line that has not come whole. `h2` ends the connection of who sends heads in so
/// many frames.
const HELD_BYTES_MAX: usize = 256 * 1024;

/// Follows one field block after the other.
#[derive(Debug, Default)]
pub(super) struct Blocks {
    hpack: Hpack,
    progress: Progress,
    /// The beginning of a line whose end is still to come.
    held: Vec<u8>,
    /// The stream whose block is under way.
    stream: Option<u32>,
    is_trailers: bool,
    frame: Payload,
    /// A block was not followed to its end, so no other can be.
    is_lost: bool,
}

/// What is still to come of a frame's payload, in its order (§6.2).
#[derive(Debug, Default)]
struct Payload {
    has_pad_length: bool,
    priority_bytes: usize,
    block_bytes: usize,
    padding: usize,
    ends_block: bool,
}

impl Blocks {
    /// The stream whose block is under way: only CONTINUATION may follow, on that stream.
    pub(super) fn open(&self) -> Option<u32> {
        self.stream
    }

    /// A block begins with this HEADERS frame.
    pub(super) fn begin(&mut self, frame: &Frame<'_>, is_trailers: bool) -> Result<(), Reason> {
        self.stream = Some(frame.stream);
        self.is_trailers = is_trailers;
        self.progress = Progress::default();
        let has_pad_length = frame.flags & PADDED != 0;
        let priority_bytes = match frame.flags & PRIORITY {
            0 => 0,
            _ => PRIORITY_BYTES,
        };
        let first = priority_bytes + usize::from(has_pad_length);
        self.frame = Payload {
            has_pad_length,
            priority_bytes,
            // §4.2: too short for what it says that it has.
            block_bytes: frame
                .length
                .checked_sub(first)
                .ok_or(Reason::FRAME_SIZE_ERROR)?,
            padding: 0,
            ends_block: frame.flags & END_HEADERS != 0,
        };
        Ok(())
    }

    /// It goes on with this CONTINUATION frame.
    pub(super) fn go_on(&mut self, frame: &Frame<'_>) {
        self.frame = Payload {
            block_bytes: frame.length,
            ends_block: frame.flags & END_HEADERS != 0,
            ..Payload::default()
        };
    }

    /// Takes the next bytes of the frame's payload; why the connection has to end.
    pub(super) fn payload(&mut self, piece: &[u8]) -> Result<(), Reason> {
        let fragment = self.frame.fragment(piece)?;
        if !self.is_lost {
            self.take(fragment).ok_or(Reason::COMPRESSION_ERROR)?; // §4.3.
        }
        if !self.frame.is_whole() || !self.frame.ends_block {
            return Ok(());
        }
        self.stream = None;
        let is_cut = !std::mem::take(&mut self.held).is_empty();
        match () {
            () if self.is_lost => Ok(()),
            () if is_cut => Err(Reason::COMPRESSION_ERROR),
            // §8.1: trailers have no pseudo-fields; §8.3.1: a path is one, with a query if there is one. What is malformed is an error of its stream, which may
            // be one of the connection (§5.4.2).
            () if self.progress.has_fragment => Err(Reason::PROTOCOL_ERROR),
            () if self.is_trailers && self.progress.has_pseudo => Err(Reason::PROTOCOL_ERROR),
            () => Ok(()),
        }
    }

    fn take(&mut self, fragment: &[u8]) -> Option<()> {
        if self.held.is_empty() {
            let mut rest = fragment;
            self.hpack.take(&mut rest, &mut self.progress).ok()?;
            self.held.extend_from_slice(rest);
        } else {
            self.held.extend_from_slice(fragment);
            let mut rest = &self.held[..];
            self.hpack.take(&mut rest, &mut self.progress).ok()?;
            let taken = self.held.len() - rest.len();
            self.held.drain(..taken);
        }
        if self.held.len() > HELD_BYTES_MAX {
            self.held = Vec::new();
            self.is_lost = true;
        }
        Some(())
    }
}

impl Payload {
    /// What belongs to the block of the next bytes.
    fn fragment<'a>(&mut self, mut piece: &'a [u8]) -> Result<&'a [u8], Reason> {
        if let (true, [length, rest @ ..]) = (self.has_pad_length, piece) {
            self.has_pad_length = false;
            self.padding = usize::from(*length);
            let left = self.block_bytes.checked_sub(self.padding);
            self.block_bytes = left.ok_or(Reason::PROTOCOL_ERROR)?; // §6.2.
            piece = rest;
        }
        let passed = self.priority_bytes.min(piece.len());
        self.priority_bytes -= passed;
        let (fragment, padding) =
            piece[passed..].split_at(self.block_bytes.min(piece.len() - passed));
        self.block_bytes -= fragment.len();
        self.padding = self.padding.saturating_sub(padding.len());
        Ok(fragment)
    }

    fn is_whole(&self) -> bool {
        !self.has_pad_length && self.priority_bytes + self.block_bytes + self.padding == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::h2::frames::{CONTINUATION, HEADERS};

    fn frame(kind: u8, flags: u8, length: usize) -> Frame<'static> {
        Frame {
            kind,
            flags,
            stream: 1,
            length,
            payload: &[],
        }
    }

    /// What is said of frames whose payloads come in pieces of `step`.
    fn judged(frames: &[(u8, &[u8])], is_trailers: bool, step: usize) -> Option<Reason> {
        let mut blocks = Blocks::default();
        for (at, (flags, payload)) in frames.iter().enumerate() {
            match at {
                0 => blocks
                    .begin(&frame(HEADERS, *flags, payload.len()), is_trailers)
                    .expect("long enough"),
                _ => blocks.go_on(&frame(CONTINUATION, *flags, payload.len())),
            }
            let pieces = payload
                .chunks(step)
                .chain(payload.is_empty().then_some(&[][..]));
            let mut pieces = pieces.into_iter();
            if let Some(reason) = pieces.find_map(|piece| blocks.payload(piece).err()) {
                return Some(reason);
            }
        }
        assert_eq!(blocks.open(), None);
        None
    }

    #[test]
    fn blocks_are_followed_through_padding_priority_and_pieces() {
        let bad = Some(Reason::COMPRESSION_ERROR);
        for step in 1..12 {
            let good: [&[(u8, &[u8])]; 5] = [
                &[(4, b"\x82\x40\x01a\x01b")],
                &[(4 | PADDED, b"\x03\x82\x84\xff\xff\xff")],
                &[(4 | PADDED | PRIORITY, b"\x02\0\0\0\0\x10\x82\xff\xff")],
                &[(0, b"\x82\x40\x01"), (0, b""), (0, b"a\x01"), (4, b"b\xbe")],
                &[(4, b"")],
            ];
            for frames in good {
                assert_eq!(judged(frames, false, step), None, "{frames:x?} by {step}");
            }
            let undecodable: [&[(u8, &[u8])]; 4] = [
                &[(4, b"\xbe")],
                &[(4, b"\x40\x01a\x05b")],
                &[(0, b"\x80"), (4, b"")],
                &[(PADDED, b"\x01\x82\xff"), (4, b"\x40\x01")],
            ];
            for frames in undecodable {
                assert_eq!(judged(frames, false, step), bad, "{frames:x?} by {step}");
            }
            let malformed = Some(Reason::PROTOCOL_ERROR);
            assert_eq!(judged(&[(4, b"\x84")], true, step), malformed);
            assert_eq!(judged(&[(4, b"\x40\x01a\x01b")], true, step), None);
            assert_eq!(judged(&[(4, b"\x44\x02/#")], false, step), malformed);
        }
    }

    #[test]
    fn frames_have_room_for_what_they_say_they_have() {
        let mut blocks = Blocks::default();
        let padded = frame(HEADERS, 4 | PADDED, 3);
        assert_eq!(blocks.begin(&padded, false), Ok(()));
        assert_eq!(blocks.payload(b"\x03\x82\x84"), Err(Reason::PROTOCOL_ERROR));
        for (flags, length) in [(PADDED, 0), (PRIORITY, 4), (PADDED | PRIORITY, 5)] {
            let begun = blocks.begin(&frame(HEADERS, flags, length), false);
            assert_eq!(begun, Err(Reason::FRAME_SIZE_ERROR), "{flags} {length}");
        }
    }

    #[test]
    fn what_waits_is_bounded() {
        let mut blocks = Blocks::default();
        assert_eq!(blocks.begin(&frame(HEADERS, 0, 6), false), Ok(()));
        assert_eq!(blocks.payload(b"\x00\x7f\xff\xff\xff\x3f"), Ok(()));
        for _ in 0..100 {
            blocks.go_on(&frame(CONTINUATION, 0, 16_384));
            assert_eq!(blocks.payload(&[0x81; 16_384]), Ok(()));
            assert!(blocks.held.len() <= HELD_BYTES_MAX);
        }
        assert!(blocks.is_lost);
    }
}
