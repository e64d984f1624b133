//! What `h2` refuses of a client by itself: it tells nobody but the client.
//!
//! A head more than twice as long as may be is answered with 431, and a stream on which a request
//! breaks the protocol is reset. Both are seen in what goes out on a stream that has come in and was
//! never handed over. A head without end ends the connection, with a word about it.

use std::collections::VecDeque;

use h2::Reason;

use crate::limit::Offence;
use crate::message::h2::frames::{Frame, Frames, GOAWAY, HEAD_BYTES, HEADERS, RST_STREAM};

/// Streams remembered that have come in and were neither handed over nor ended yet: as many as there
/// are heads in the most bytes that come at once, 128 KiB of a receive and a record that had begun. `h2`
/// looks at all of these before it wants more, so nothing sent behind a bad request hides it.
const FRESH_MAX: usize = 160 * 1024 / HEAD_BYTES;

/// Room that is kept when it is not needed any more.
const FRESH_KEPT: usize = 64;

/// Streams that a client may make us reset by breaking rules, each of them perhaps begun with
/// (CVE-2025-8671); an honest one breaks none. The bound of `h2` counts those beyond the bound on
/// streams, too, of which an honest client may have some each time that it is in a hurry.
const SPOILT_MAX: usize = 100;

const END_STREAM: u8 = 1;

/// What `h2` says with a GOAWAY about a head: that it is in too many frames, or grows too much.
const WITHOUT_END: [&[u8]; 2] = [b"too_many_continuations", b"header_list_way_too_large"];

/// Looks through what goes out.
#[derive(Debug)]
pub(super) struct Refusals {
    frames: Frames,
    newest: u32,
    /// In order.
    fresh: VecDeque<u32>,
    spoilt: usize,
}

/// What has been refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Refusal {
    /// A request: answered with 431.
    Oversize,
    /// A request: its stream was reset.
    Malformed,
    /// A head without end, and with it the connection.
    Endless,
}

impl Refusal {
    pub(super) fn offence(self) -> Offence {
        match self {
            Refusal::Oversize | Refusal::Endless => Offence::Oversize,
            Refusal::Malformed => Offence::Malformed,
        }
    }
}

impl Refusals {
    pub(super) fn new() -> Refusals {
        Refusals {
            frames: Frames::after(0),
            newest: 0,
            fresh: VecDeque::new(),
            spoilt: 0,
        }
    }

    /// Whether the client has made us reset more streams than it may.
    pub(super) fn has_spoilt_many(&self) -> bool {
        self.spoilt > SPOILT_MAX
    }

    /// A head has come in.
    pub(super) fn received(&mut self, stream: u32) {
        if stream <= self.newest {
            return; // Trailers.
        }
        self.newest = stream;
        if self.fresh.len() == FRESH_MAX {
            self.fresh.pop_front();
        }
        self.fresh.push_back(stream);
    }

    /// A request was handed over; whatever is said on its stream from now on is not `h2`'s.
    pub(super) fn handed_over(&mut self, stream: u32) {
        self.forget(stream);
    }

    fn forget(&mut self, stream: u32) -> bool {
        let Ok(place) = self.fresh.binary_search(&stream) else {
            return false;
        };
        self.fresh.remove(place);
        if self.fresh.is_empty() {
            self.fresh.shrink_to(FRESH_KEPT);
        }
        true
    }

    /// Takes note of bytes that go out.
    pub(super) fn sent(&mut self, mut bytes: &[u8], mut refused: impl FnMut(Refusal)) {
        while let Some(frame) = self.frames.next(&mut bytes) {
            let (stream, refusal) = match frame.kind {
                HEADERS if frame.flags & END_STREAM != 0 => (frame.stream, Some(Refusal::Oversize)),
                // Beyond the bound on streams, for example: nothing to be blamed for.
                RST_STREAM => {
                    let code = code(&frame, 0);
                    self.spoilt += usize::from(code.is_some_and(is_a_fault));
                    let is_malformed = code == Some(Reason::PROTOCOL_ERROR);
                    (frame.stream, is_malformed.then_some(Refusal::Malformed))
                }
                GOAWAY if is_about_a_head(&frame) => {
                    refused(Refusal::Endless);
                    continue;
                }
                _ => continue,
            };
            if self.forget(stream) {
                refusal.into_iter().for_each(&mut refused);
            }
        }
    }
}

/// The error code of a frame (RFC 9113 §7).
fn code(frame: &Frame<'_>, at: usize) -> Option<Reason> {
    let bytes = frame.payload.get(at..)?.first_chunk()?;
    Some(u32::from_be_bytes(*bytes).into())
}

/// Whether a stream was reset for what the client did.
fn is_a_fault(code: Reason) -> bool {
    matches!(
        code,
        Reason::PROTOCOL_ERROR
            | Reason::FLOW_CONTROL_ERROR
            | Reason::STREAM_CLOSED
            | Reason::FRAME_SIZE_ERROR
    )
}

fn is_about_a_head(frame: &Frame<'_>) -> bool {
    match code(frame, 4) {
        // What cannot be decompressed ends before `h2` reads it.
        Some(Reason::COMPRESSION_ERROR) => true,
        Some(Reason::ENHANCE_YOUR_CALM) => WITHOUT_END.contains(&&frame.payload[8..]),
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let length = &(payload.len() as u32).to_be_bytes()[1..];
        [length, &[kind, flags], &stream.to_be_bytes(), payload].concat()
    }

    fn answer(stream: u32) -> Vec<u8> {
        frame(HEADERS, END_STREAM | 4, stream, b"\x08\x03431")
    }

    fn reset(stream: u32, code: u8) -> Vec<u8> {
        frame(RST_STREAM, 0, stream, &[0, 0, 0, code])
    }

    fn heard(refusals: &mut Refusals, bytes: &[u8]) -> Vec<Refusal> {
        let mut heard = Vec::new();
        refusals.sent(bytes, |refusal| heard.push(refusal));
        heard
    }

    #[test]
    fn what_is_said_on_a_stream_that_was_never_handed_over_is_a_refusal() {
        let mut refusals = Refusals::new();
        (1..=9).step_by(2).for_each(|id| refusals.received(id));
        // A reset after an answer is no second one.
        let sent = [answer(1), answer(3), reset(1, 1), reset(5, 1), reset(3, 1)].concat();
        let expected = [Refusal::Oversize, Refusal::Oversize, Refusal::Malformed];
        assert_eq!(heard(&mut refusals, &sent), expected);
        // Ours, and one that the client has given up.
        refusals.handed_over(7);
        assert_eq!(heard(&mut refusals, &[answer(7), reset(9, 8)].concat()), []);
        // Trailers open nothing.
        refusals.received(7);
        assert_eq!(heard(&mut refusals, &reset(7, 1)), []);
    }

    #[test]
    fn what_is_remembered_is_bounded_and_nobody_is_blamed_for_what_is_not() {
        let mut refusals = Refusals::new();
        for stream in 0..100_000 {
            refusals.received(2 * stream + 1);
        }
        assert_eq!(refusals.fresh.len(), FRESH_MAX);
        assert!(refusals.fresh.capacity() <= 2 * FRESH_MAX);
        assert_eq!(heard(&mut refusals, &answer(1)), []);
        assert_eq!(heard(&mut refusals, &answer(199_999)), [Refusal::Oversize]);
    }

    #[test]
    fn nothing_hides_behind_what_follows_it_in_one_receive() {
        let mut refusals = Refusals::new();
        let last = 2 * FRESH_MAX as u32 - 1;
        (1..=last).step_by(2).for_each(|id| refusals.received(id));
        // Some are handed over, and those beyond the bound on streams refused.
        (3..=201).step_by(2).for_each(|id| refusals.handed_over(id));
        assert_eq!(heard(&mut refusals, &reset(1, 1)), [Refusal::Malformed]);
        for id in (203..=last).step_by(2) {
            assert_eq!(heard(&mut refusals, &reset(id, 7)), []);
        }
        assert!(refusals.fresh.is_empty() && refusals.fresh.capacity() <= 2 * FRESH_KEPT);
    }

    #[test]
    fn the_word_at_the_end_tells_a_long_head_from_resets() {
        let goaway = |code: u8, data: &[u8]| {
            let payload = [&[0, 0, 0, 1, 0, 0, 0, code], data].concat();
            heard(&mut Refusals::new(), &frame(GOAWAY, 0, 0, &payload))
        };
        assert_eq!(goaway(11, b"too_many_continuations"), [Refusal::Endless]);
        assert_eq!(goaway(11, b"header_list_way_too_large"), [Refusal::Endless]);
        assert_eq!(goaway(9, b""), [Refusal::Endless]);
        for (code, data) in [(11, &b"too_many_resets"[..]), (11, b""), (0, b""), (1, b"")] {
            assert_eq!(goaway(code, data), [], "{code}");
        }
    }
}
