//! The way in: bytes of a client to requests, and to what they mean for streams that are there.

use bytes::BytesMut;

use super::core::Core;
use super::input::{Input, Piece};
use super::judge::Judge;
use crate::clock::coarse_ns;
use crate::config::Bounds;
use crate::message::h2::Code;
use crate::message::h2::frames::{DATA, HEADERS};
use crate::message::{Allowance, RequestHead, SectionError};

/// What comes before all frames (RFC 9113 §3.4).
const PREFACE: &[u8] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";
/// What our PING says: the answer tells that the client has read what came before it.
pub(super) const GOODBYE: &[u8; 8] = b"goodbye!";

/// A client's side of a connection.
pub(super) struct Receiver {
    input: Input,
    preface: &'static [u8],
    allowance: Allowance,
    judge: Judge,
}

/// A request has come, or what should have been one.
pub(super) struct Request {
    pub(super) stream: u32,
    /// Where its stream is, and its head.
    pub(super) head: Result<(usize, RequestHead), SectionError>,
    pub(super) is_head: bool,
    pub(super) ends_stream: bool,
}

/// Why a connection ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// It is not HTTP/2, so nothing is said in HTTP/2 about it.
    NoPreface,
    /// A head without end.
    Endless,
    /// Something that is not allowed.
    Code(Code),
}

impl From<Code> for Fault {
    fn from(code: Code) -> Fault {
        Fault::Code(code)
    }
}

impl Receiver {
    pub(super) fn new(bounds: &Bounds) -> Receiver {
        Receiver {
            input: Input::default(),
            preface: PREFACE,
            allowance: Allowance::new(coarse_ns()),
            judge: Judge::new(bounds),
        }
    }

    /// Whether the client has begun to speak HTTP/2.
    pub(super) fn has_begun(&self) -> bool {
        self.judge.has_begun
    }

    /// Whether it has said that it opens no more streams.
    pub(super) fn has_left(&self) -> bool {
        self.judge.has_left
    }

    /// Whether it has answered our goodbye.
    pub(super) fn has_answered(&self) -> bool {
        self.judge.has_answered
    }

    /// Whether a frame or a head has begun that is not whole.
    pub(super) fn is_within_head(&self) -> bool {
        self.judge.heads.open().is_some() || self.input.is_within_frame()
    }

    /// Takes no more requests; the last stream that counts.
    pub(super) fn close(&mut self) -> u32 {
        let newest = self.judge.streams.newest();
        *self.judge.last.get_or_insert(newest)
    }

    /// Takes note of bytes that go out.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.allowance.sent(bytes);
    }

    /// Takes bytes that have come.
    pub(super) fn push(&mut self, bytes: BytesMut) {
        self.allowance.passed(coarse_ns());
        self.judge.begin();
        self.input.push(bytes);
    }

    /// Looks at what has come, up to the next request in it.
    pub(super) fn next(&mut self, core: &mut Core) -> Result<Option<Request>, Fault> {
        if !self.preface.is_empty() {
            let taken = self.input.take(self.preface).ok_or(Fault::NoPreface)?;
            self.preface = &self.preface[taken..];
            if !self.preface.is_empty() {
                return Ok(None);
            }
        }
        while let Some(piece) = self.input.next()? {
            let within = match &piece {
                // Nobody waits for it any more.
                Piece::End { stream, .. } if core.find(*stream).is_none() => self.allowance.spend(),
                // Padding is not content.
                Piece::End { used, .. } => self.allowance.take(DATA, *used),
                // Trailers, or a stream that is one too many, until it turns out to be a request.
                Piece::Frame(head, _) if head.kind == HEADERS => self.allowance.spend(),
                Piece::Frame(head, _) => self.allowance.take(head.kind, head.length),
                Piece::Content(_) | Piece::Data { .. } => true,
            };
            if !within {
                return Err(Code::EnhanceYourCalm.into());
            }
            if let Some(request) = self.judge.take(piece, core)? {
                self.allowance.head();
                return Ok(Some(request));
            }
        }
        Ok(None)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::h2::frames::{FrameHead, RST_STREAM, SETTINGS, WINDOW_UPDATE};
    use proptest::prelude::*;

    const GET: &[u8] = b"\x82\x87\x84\x41\x01h";
    const POST: &[u8] = b"\x83\x87\x84\x41\x01h\x0f\x0d\x013";

    fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
        let head = FrameHead {
            kind,
            flags,
            stream,
            length: payload.len(),
        };
        [&head.bytes()[..], payload].concat()
    }

    /// What comes of bytes that arrive in pieces of `step`: the requests, how it ends, and what is said.
    fn heard(wire: &[u8], step: usize) -> (Vec<(u32, bool)>, Option<Fault>, Vec<u8>) {
        let bounds = crate::observe::testing::config().bounds;
        let core = Core::new();
        let core = &mut *core.borrow_mut();
        let mut receiver = Receiver::new(&bounds);
        let mut requests = Vec::new();
        for piece in wire.chunks(step) {
            receiver.push(piece.into());
            loop {
                match receiver.next(core) {
                    Ok(Some(request)) => requests.push((request.stream, request.head.is_ok())),
                    Ok(None) => break,
                    Err(fault) => return (requests, Some(fault), core.out.clone()),
                }
            }
        }
        (requests, None, core.out.clone())
    }

    fn begun(frames: &[Vec<u8>]) -> Vec<u8> {
        let settings = frame(SETTINGS, 0, 0, b"");
        [PREFACE, &settings, &frames.concat()].concat()
    }

    #[test]
    fn a_request_with_its_content() {
        let wire = begun(&[
            frame(HEADERS, 4, 1, POST),
            frame(DATA, 0, 1, b"ab"),
            frame(DATA, 1, 1, b"c"),
            frame(HEADERS, 5, 3, GET),
        ]);
        for step in 1..wire.len() {
            let (requests, fault, _) = heard(&wire, step);
            assert_eq!(requests, [(1, true), (3, true)], "in pieces of {step}");
            assert_eq!(fault, None);
        }
    }

    #[test]
    fn what_is_not_http2_ends_at_once() {
        let (_, fault, said) = heard(b"PRI * HTTP/2.0\r\n\r\nXX", 7);
        assert_eq!((fault, said.len()), (Some(Fault::NoPreface), 0));
        let (_, fault, _) = heard(b"GET / HTTP/1.1\r\n\r\n", 100);
        assert_eq!(fault, Some(Fault::NoPreface));
    }

    #[test]
    fn floods_end() {
        let flood = |frame: Vec<u8>, times: usize| {
            let (_, fault, _) = heard(&begun(&[frame.repeat(times)]), 16_384);
            fault
        };
        let calm = Some(Fault::Code(Code::EnhanceYourCalm));
        let ping = frame(6, 0, 0, b"12345678");
        assert_eq!(flood(ping.clone(), 4000), None);
        assert_eq!(flood(ping, 4200), calm);
        assert_eq!(flood(frame(0x77, 0, 0, b""), 4200), calm);
        let resets: Vec<_> = (0..33)
            .flat_map(|n| {
                let request = frame(HEADERS, 5, 2 * n + 1, GET);
                [request, frame(RST_STREAM, 0, 2 * n + 1, b"\0\0\0\x08")]
            })
            .collect();
        let (_, fault, _) = heard(&begun(&resets), 16_384);
        assert_eq!(fault, calm);
    }

    /// Frames of any kind that lead to nothing: those of a stream that is over, and streams beyond the
    /// number allowed.
    #[test]
    fn floods_of_what_nobody_waits_for_end() {
        let calm = Some(Fault::Code(Code::EnhanceYourCalm));
        let flood = |begin: &[Vec<u8>], frame: Vec<u8>, times: usize| {
            let wire = begun(&[begin.concat(), frame.repeat(times)]);
            heard(&wire, 16_384).1
        };
        // Refused for its path, and never ended.
        let refused = [frame(HEADERS, 4, 1, b"\x83\x87\x04\x01x\x41\x01h")];
        for late in [frame(HEADERS, 4, 1, b""), frame(DATA, 0, 1, b"x")] {
            assert_eq!(flood(&refused, late.clone(), 4000), None);
            assert_eq!(flood(&refused, late, 4200), calm);
        }
        let streams = |numbers: std::ops::Range<u32>| {
            numbers
                .map(|n| frame(HEADERS, 5, 2 * n + 1, GET))
                .collect::<Vec<_>>()
        };
        let open = crate::observe::testing::config().bounds.streams;
        let (_, fault, _) = heard(&begun(&streams(0..open + 4000)), 16_384);
        assert_eq!(fault, None);
        let (_, fault, _) = heard(&begun(&streams(0..open + 4200)), 16_384);
        assert_eq!(fault, calm);
    }

    fn any_frame() -> impl Strategy<Value = Vec<u8>> {
        let stream = prop_oneof![Just(0u32), (0u32..6).prop_map(|n| 2 * n + 1), 0u32..9];
        let block = prop_oneof![
            Just(GET.to_vec()),
            Just(POST.to_vec()),
            Just(b"\x40\x01x\x01y".to_vec()),
            prop::collection::vec(any::<u8>(), 0..20),
        ];
        let number = prop_oneof![Just(0u32), 0u32..100, Just(0x7fff_ffff), any::<u32>()];
        prop_oneof![
            6 => (stream.clone(), block, any::<u8>()).prop_map(|(stream, block, flags)| {
                frame(HEADERS, flags & 0x25 | 4, stream, &block)
            }),
            4 => (stream.clone(), prop::collection::vec(any::<u8>(), 0..40), any::<u8>())
                .prop_map(|(stream, data, flags)| frame(DATA, flags & 9, stream, &data)),
            2 => (stream.clone(), number).prop_map(|(stream, number)| {
                frame(WINDOW_UPDATE, 0, stream, &number.to_be_bytes())
            }),
            1 => stream.clone().prop_map(|stream| frame(RST_STREAM, 0, stream, b"\0\0\0\x08")),
            1 => (any::<u8>(), any::<u8>(), stream, prop::collection::vec(any::<u8>(), 0..20))
                .prop_map(|(kind, flags, stream, payload)| frame(kind, flags, stream, &payload)),
        ]
    }

    proptest! {
        #[test]
        fn any_frames_in_any_pieces_mean_the_same(
            frames in prop::collection::vec(any_frame(), 0..30), step in 1usize..60,
        ) {
            let wire = begun(&frames);
            prop_assert_eq!(heard(&wire, step), heard(&wire, wire.len()));
        }

        #[test]
        fn any_bytes_are_taken_or_refused(
            bytes in prop::collection::vec(any::<u8>(), 0..300), step in 1usize..60,
        ) {
            let wire = begun(&[bytes]);
            let (_, _, said) = heard(&wire, step);
            prop_assert!(said.len() < 10_000);
        }
    }
}
