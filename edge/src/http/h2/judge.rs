//! What each frame of a client means (RFC 9113 §5, §6), and whether it may come.
//!
//! An error of the connection ends it with the code that is returned. An error of a stream resets that
//! stream, and many of them are one of the connection (CVE-2025-8671).

use super::content::Content;
use super::core::Core;
use super::heads::{Block, Heads, Said};
use super::input::{ACK, END_HEADERS, END_STREAM, HAS_PRIORITY, PADDED, Piece};
use super::receiver::{Fault, GOODBYE, Request};
use super::settings;
use super::streams::{ClientStreams, Headers};
use crate::config::Bounds;
use crate::http::opening;
use crate::message::h2::Code;
use crate::message::h2::frames::{
    CONTINUATION, FrameHead, GOAWAY, HEADERS, PING, PRIORITY, PUSH_PROMISE, RST_STREAM, SETTINGS,
    WINDOW_UPDATE,
};
use crate::message::{BodyLength, Fields, RequestHead, RequestSection, SectionError, Version};

/// Streams that a client may make us reset by breaking rules, each of them perhaps begun with; an
/// honest one breaks none.
const SPOILT_MAX: u32 = 100;
/// Streams that a client may open and reset in one go, before any of them was begun with
/// (CVE-2023-44487).
const RESET_AT_ONCE_MAX: u32 = 32;
/// Weight and dependency, where HEADERS has them (§6.2).
const PRIORITY_BYTES: usize = 5;

/// Judges one frame after the other.
pub(super) struct Judge {
    /// The client's first SETTINGS have come.
    pub(super) has_begun: bool,
    /// It opens no more streams.
    pub(super) has_left: bool,
    /// It has answered our last word.
    pub(super) has_answered: bool,
    /// Requests above this number are not taken.
    pub(super) last: Option<u32>,
    pub(super) streams: ClientStreams,
    pub(super) heads: Heads,
    streams_max: usize,
    /// SETTINGS of ours that were not acknowledged.
    unacknowledged: u32,
    spoilt: u32,
    /// The newest stream before what is being looked at, and how many since were reset.
    before: u32,
    reset_at_once: u32,
}

impl Judge {
    pub(super) fn new(bounds: &Bounds) -> Judge {
        Judge {
            has_begun: false,
            has_left: false,
            has_answered: false,
            last: None,
            streams: ClientStreams::default(),
            heads: Heads::new(bounds),
            streams_max: bounds.streams as usize,
            unacknowledged: 1,
            spoilt: 0,
            before: 0,
            reset_at_once: 0,
        }
    }

    /// What follows has come in one go.
    pub(super) fn begin(&mut self) {
        self.before = self.streams.newest();
        self.reset_at_once = 0;
    }

    /// Takes what has come next; a request, if that makes one.
    pub(super) fn take(
        &mut self,
        piece: Piece<'_>,
        core: &mut Core,
    ) -> Result<Option<Request>, Fault> {
        match piece {
            Piece::Content(head) => self.content(&head, core)?,
            Piece::Data { stream, data } => {
                let length = data.len();
                let pushed = core.find(stream).map(|(key, half)| {
                    half.wake();
                    (key, half.content.push(data))
                });
                match pushed {
                    Some((key, pushed)) => self.settle(key, pushed, core)?,
                    // Nobody waits for it any more.
                    None => core.claim(length),
                }
            }
            Piece::End {
                stream,
                unused,
                ends_stream,
                ..
            } => match core.find(stream).map(|(key, _)| key) {
                Some(key) => {
                    core.claim_of(key, unused);
                    if ends_stream {
                        self.end(key, None, core)?;
                    }
                }
                None => core.claim(unused),
            },
            Piece::Frame(head, payload) => return self.frame(&head, payload, core),
        }
        Ok(None)
    }

    fn content(&mut self, head: &FrameHead, core: &mut Core) -> Result<(), Fault> {
        if !self.has_begun || self.heads.open().is_some() || head.stream == 0 {
            return Err(Code::ProtocolError.into());
        }
        let ends = head.flags & END_STREAM != 0;
        self.streams.content(head.stream, ends)?;
        core.received(head.length)?;
        let begun = core
            .find(head.stream)
            .map(|(key, half)| (key, half.content.begin(head.length)));
        match begun {
            Some((key, begun)) => self.settle(key, begun, core),
            None => Ok(()),
        }
    }

    fn end(&mut self, key: usize, trailers: Option<Fields>, core: &mut Core) -> Result<(), Fault> {
        let half = core.half(key);
        half.wake();
        let ended = half.content.end(trailers);
        core.settle(key);
        self.settle(key, ended, core)
    }

    /// Resets a stream whose client has done wrong.
    fn settle(&mut self, key: usize, done: Result<(), Code>, core: &mut Core) -> Result<(), Fault> {
        match done {
            Ok(()) => Ok(()),
            Err(code) => {
                core.reset(key, code);
                self.spoil()
            }
        }
    }

    fn spoil(&mut self) -> Result<(), Fault> {
        self.spoilt += 1;
        match self.spoilt > SPOILT_MAX {
            true => Err(Code::EnhanceYourCalm.into()),
            false => Ok(()),
        }
    }

    fn frame(
        &mut self,
        head: &FrameHead,
        payload: &[u8],
        core: &mut Core,
    ) -> Result<Option<Request>, Fault> {
        let is_ack = head.flags & ACK != 0;
        // §3.4: the preface ends with SETTINGS, which may be empty.
        if !self.has_begun && (head.kind != SETTINGS || is_ack) {
            return Err(Code::ProtocolError.into());
        }
        // §4.3, §6.10: nothing comes between the frames of a block, and those belong together.
        let goes_on = head.kind == CONTINUATION && self.heads.open() == Some(head.stream);
        if !goes_on && (head.kind == CONTINUATION || self.heads.open().is_some()) {
            return Err(Code::ProtocolError.into());
        }
        let is_of_connection = matches!(head.kind, SETTINGS | PING | GOAWAY);
        let is_of_stream = matches!(head.kind, HEADERS | PRIORITY | RST_STREAM);
        if (is_of_connection && head.stream != 0) || (is_of_stream && head.stream == 0) {
            return Err(Code::ProtocolError.into());
        }
        let ends_block = head.flags & END_HEADERS != 0;
        match head.kind {
            HEADERS => {
                let ends = head.flags & END_STREAM != 0;
                let kind = self.streams.headers(head.stream, ends)?;
                let (fragment, depends_on) = fragment(head, payload)?;
                let is_trailers = kind == Headers::Trailers;
                let is_bad = depends_on == Some(head.stream);
                self.heads.begin(head.stream, is_trailers, ends, is_bad);
                let block = self.heads.take(fragment, ends_block)?;
                return block.map_or(Ok(None), |block| self.block(block, core));
            }
            CONTINUATION => {
                let block = self.heads.take(payload, ends_block)?;
                return block.map_or(Ok(None), |block| self.block(block, core));
            }
            SETTINGS if is_ack => {
                let left = self.unacknowledged.checked_sub(1);
                self.unacknowledged = left.ok_or(Code::ProtocolError)?;
            }
            SETTINGS => {
                settings::each(payload, |setting| core.apply(setting))?;
                core.acknowledge_settings();
                self.has_begun = true;
            }
            PING if is_ack => self.has_answered |= payload == GOODBYE,
            PING => core.pong(payload),
            GOAWAY => self.has_left = true,
            WINDOW_UPDATE => self.window(head.stream, number(payload), core)?,
            RST_STREAM => self.reset(head.stream, core)?,
            PRIORITY => self.priority(head.stream, number(payload), core)?,
            PUSH_PROMISE => return Err(Code::ProtocolError.into()), // §8.4.
            _ => {}
        }
        Ok(None)
    }

    fn window(&mut self, stream: u32, increment: u32, core: &mut Core) -> Result<(), Fault> {
        if stream == 0 {
            core.widen(increment)?;
            core.offer();
            return Ok(());
        }
        if self.streams.is_idle(stream) {
            return Err(Code::ProtocolError.into());
        }
        match core.find(stream).map(|(key, _)| key) {
            Some(key) => {
                let widened = core.widen_of(key, increment);
                self.settle(key, widened, core)
            }
            None => Ok(()),
        }
    }

    fn reset(&mut self, stream: u32, core: &mut Core) -> Result<(), Fault> {
        if self.streams.is_idle(stream) {
            return Err(Code::ProtocolError.into());
        }
        self.streams.reset(stream);
        core.given_up(stream);
        self.reset_at_once += u32::from(stream > self.before);
        match self.reset_at_once > RESET_AT_ONCE_MAX {
            true => Err(Code::EnhanceYourCalm.into()),
            false => Ok(()),
        }
    }

    /// RFC 7540 §5.3.1; what priorities say otherwise is nothing to us (RFC 9113 §5.3.2).
    fn priority(&mut self, stream: u32, depends_on: u32, core: &mut Core) -> Result<(), Fault> {
        if stream != depends_on {
            return Ok(());
        }
        match core.find(stream).map(|(key, _)| key) {
            Some(key) => self.settle(key, Err(Code::ProtocolError), core),
            None if self.streams.is_idle(stream) => Err(Code::ProtocolError.into()),
            None => Ok(()),
        }
    }

    fn block(&mut self, block: Block, core: &mut Core) -> Result<Option<Request>, Fault> {
        let Block {
            stream,
            ends_stream,
            said,
        } = block;
        match said {
            Said::Trailers(trailers) => {
                let Some(key) = core.find(stream).map(|(key, _)| key) else {
                    return Ok(None);
                };
                match trailers {
                    // §8.1: there is one such section, and it is the end.
                    Ok(trailers) if ends_stream => self.end(key, Some(trailers), core)?,
                    _ => self.settle(key, Err(Code::ProtocolError), core)?,
                }
                Ok(None)
            }
            Said::Request { section, is_head } => {
                let is_late = self.last.is_some_and(|last| stream > last);
                if is_late || core.open() >= self.streams_max {
                    core.refuse(stream, Code::RefusedStream); // §5.1.2, §6.8.
                    return Ok(None);
                }
                let head = section
                    .and_then(|section: Box<RequestSection>| {
                        section.finish(Version::Http2, ends_stream)
                    })
                    .map(opening::as_get);
                if head.as_ref().err() == Some(&SectionError::Malformed) {
                    core.refuse(stream, Code::ProtocolError); // §8.1.1.
                    self.spoil()?;
                }
                let head = head.map(|head| {
                    let content = Content::new(due(&head), ends_stream);
                    (core.insert(stream, content), head)
                });
                Ok(Some(Request {
                    stream,
                    head,
                    is_head,
                    ends_stream,
                }))
            }
        }
    }
}

/// How much content a request has, where that is known.
fn due(head: &RequestHead) -> Option<u64> {
    match head.length {
        // What follows an opening is no request body.
        _ if head.upgrade.is_some() => None,
        BodyLength::Exact(n) => Some(n),
        BodyLength::Empty => Some(0),
        BodyLength::Framed | BodyLength::UntilClose => None,
    }
}

/// What of a HEADERS frame belongs to its block, and on which stream it says that it depends (§6.2).
fn fragment<'a>(head: &FrameHead, mut payload: &'a [u8]) -> Result<(&'a [u8], Option<u32>), Code> {
    let mut padding = 0;
    if head.flags & PADDED != 0 {
        let (length, rest) = payload.split_first().ok_or(Code::FrameSizeError)?;
        (padding, payload) = (usize::from(*length), rest);
    }
    let mut depends_on = None;
    if head.flags & HAS_PRIORITY != 0 {
        let (priority, rest) = payload
            .split_at_checked(PRIORITY_BYTES)
            .ok_or(Code::FrameSizeError)?;
        (depends_on, payload) = (Some(number(priority)), rest);
    }
    let length = payload.len().checked_sub(padding);
    Ok((&payload[..length.ok_or(Code::ProtocolError)?], depends_on))
}

/// The 31 bits that a payload begins with; its size was looked at.
fn number(payload: &[u8]) -> u32 {
    let bytes = payload.first_chunk().copied().unwrap_or_default();
    u32::from_be_bytes(bytes) & 0x7fff_ffff
}
