//! Frames that break a rule to which `h2` gives no answer, or not the one that RFC 9113 demands.
//!
//! `h2` takes requests before the client's SETTINGS and pseudo-fields in trailers, and calls a frame of the
//! wrong size, a window beyond all bounds, a frame behind the last of its stream, and a block that cannot be
//! decompressed, a PROTOCOL_ERROR. All of that shows in what passes by before `h2` reads it.

use h2::Reason;

use super::blocks::Blocks;
use super::streams::{ClientStreams, Headers};
use crate::message::h2::frames::{
    CONTINUATION, DATA, Frame, GOAWAY, HEADERS, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE,
};

const ACK: u8 = 1;
const END_STREAM: u8 = 1;
const PADDED: u8 = 8;
/// The most that a frame may carry: we do not let clients send more (§4.2).
const FRAME_BYTES_MAX: usize = 16_384;
/// Of one setting: what it is, and its value.
const SETTING_BYTES: usize = 6;
const INITIAL_WINDOW_SIZE: [u8; 2] = [0, 4];

/// Judges one frame of a client after the other.
#[derive(Debug, Default)]
pub(super) struct Faults {
    has_begun: bool,
    streams: ClientStreams,
    blocks: Blocks,
}

impl Faults {
    /// What is wrong with a frame, as far as its head and its beginning tell.
    pub(super) fn frame(&mut self, frame: &Frame<'_>) -> Result<(), Reason> {
        let is_first = !std::mem::replace(&mut self.has_begun, true);
        if let Some(reason) = fault(frame, is_first) {
            return Err(reason);
        }
        let ends = frame.flags & END_STREAM != 0;
        // §4.3, §6.10: nothing comes between the frames of a block, and those belong together.
        match (frame.kind, self.blocks.open()) {
            (CONTINUATION, Some(stream)) if stream == frame.stream => self.blocks.go_on(frame),
            (CONTINUATION, _) | (_, Some(_)) => return Err(Reason::PROTOCOL_ERROR),
            (HEADERS, None) => {
                let kind = self.streams.headers(frame.stream, ends)?;
                self.blocks.begin(frame, kind == Headers::Trailers)?;
            }
            (DATA, None) if frame.stream > 0 => self.streams.content(frame.stream, ends)?,
            (RST_STREAM, None) => self.streams.reset(frame.stream),
            _ => {}
        }
        Ok(())
    }

    /// What is wrong with the next bytes of the payload of HEADERS or CONTINUATION.
    pub(super) fn block(&mut self, payload: &[u8]) -> Result<(), Reason> {
        self.blocks.payload(payload)
    }
}

/// What is wrong with a frame by itself.
fn fault(frame: &Frame<'_>, is_first: bool) -> Option<Reason> {
    let is_ack = frame.flags & ACK != 0;
    // §3.4: the preface ends with SETTINGS, which may be empty.
    if is_first && (frame.kind != SETTINGS || is_ack) {
        return Some(Reason::PROTOCOL_ERROR);
    }
    let length = frame.length;
    let fits = match frame.kind {
        _ if length > FRAME_BYTES_MAX => false,
        DATA if frame.flags & PADDED != 0 => length > 0,
        PRIORITY => length == 5,
        RST_STREAM | WINDOW_UPDATE => length == 4,
        SETTINGS if is_ack => length == 0,
        SETTINGS => length.is_multiple_of(SETTING_BYTES),
        PING => length == 8,
        GOAWAY => length >= 8,
        _ => true,
    };
    if !fits {
        return Some(Reason::FRAME_SIZE_ERROR); // §4.2, §6.
    }
    let is_beyond = |setting: &[u8]| setting[..2] == INITIAL_WINDOW_SIZE && setting[2] >= 0x80;
    let mut settings = match frame.kind {
        SETTINGS => frame.payload.chunks_exact(SETTING_BYTES),
        _ => [].chunks_exact(SETTING_BYTES),
    };
    settings
        .any(is_beyond)
        .then_some(Reason::FLOW_CONTROL_ERROR) // §6.5.2.
}
