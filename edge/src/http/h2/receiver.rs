//! The way in: bytes of a client to requests, and to what they mean for streams that are there.

use bytes::BytesMut;

use super::core::Core;
use super::input::{Input, Piece};
use super::judge::Judge;
use crate::clock::coarse_ns;
use crate::config::Bounds;
use crate::message::h2::frames::DATA;
use crate::message::h2::{Allowance, Code};
use crate::message::{RequestHead, SectionError};

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
                // Padding is not content.
                Piece::End { used, .. } => self.allowance.take(DATA, *used),
                Piece::Frame(head, _) => self.allowance.take(head.kind, head.length),
                Piece::Content(_) | Piece::Data { .. } => true,
            };
            if !within {
                return Err(Code::EnhanceYourCalm.into());
            }
            if let Some(request) = self.judge.take(piece, core)? {
                return Ok(Some(request));
            }
        }
        Ok(None)
    }
}
