//! Frames that break a rule to which `h2` gives no answer, or not the one that RFC 9113 demands.
//!
//! `h2` takes requests before the client's SETTINGS, and calls a frame of the wrong size, and a window
//! beyond all bounds, a PROTOCOL_ERROR. All of that shows in what passes by before `h2` reads it.

use h2::Reason;

use super::frames::{Frame, GOAWAY, PING, PRIORITY, RST_STREAM, SETTINGS, WINDOW_UPDATE};

const ACK: u8 = 1;
/// Of one setting: what it is, and its value.
const SETTING_BYTES: usize = 6;
const INITIAL_WINDOW_SIZE: [u8; 2] = [0, 4];

/// What is wrong with a frame.
pub(super) fn fault(frame: &Frame<'_>, is_first: bool) -> Option<Reason> {
    let is_ack = frame.flags & ACK != 0;
    // §3.4: the preface ends with SETTINGS, which may be empty.
    if is_first && (frame.kind != SETTINGS || is_ack) {
        return Some(Reason::PROTOCOL_ERROR);
    }
    let length = frame.length;
    let fits = match frame.kind {
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
