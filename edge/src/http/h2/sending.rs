//! The way out of a stream's frames: into what the connection sends, as far as there is room.

use std::task::{Context, Poll};

use http::StatusCode;

use super::core::Core;
use super::input::{END_HEADERS, END_STREAM};
use super::response;
use crate::message::h2::frames::{CONTINUATION, DATA, FrameHead, HEAD_BYTES, HEADERS};
use crate::message::h2::{Encoder, End, Outgoing};
use crate::message::{BodyLength, Fields, Name, ResponseHead};

/// Bytes that may wait for the kernel before streams do: large enough for a busy connection to have the
/// next send ready, and all that a client that does not read makes us hold.
pub(super) const OUT_MAX: usize = 64 * 1024;
/// Room that is kept when it is not needed any more.
pub(super) const OUT_KEPT: usize = 4 * 1024;
/// Content a frame: while others wait each stream sends so much and waits for its turn.
const TURN_BYTES: usize = 16 * 1024;

/// The stream was reset, or its connection is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Gone;

impl Core {
    /// What may still be queued.
    fn room(&self) -> usize {
        OUT_MAX.saturating_sub(self.out.len() + self.beneath)
    }

    /// Whether the client leaves so much unread that it is to be told no more.
    pub(super) fn is_behind(&self) -> bool {
        self.out.len() + self.beneath > 2 * OUT_MAX
    }

    /// Wakes as many of those who wait as there is room for.
    pub(super) fn offer(&mut self) {
        if self.waiting.is_empty() || self.window <= 0 {
            return;
        }
        for _ in 0..self.room().div_ceil(TURN_BYTES) {
            let Some(key) = self.waiting.pop_front() else {
                return;
            };
            let half = self.half(key);
            half.is_waiting = false;
            half.is_offered = true;
            half.wake();
            self.offered += 1;
        }
    }

    /// Whether other streams wait for their turn, or have it.
    fn has_others(&self) -> bool {
        self.offered > 0 || !self.waiting.is_empty()
    }

    /// A stream has taken the turn that it was offered, or does not need it any more.
    pub(super) fn accept(&mut self, key: usize) {
        if std::mem::take(&mut self.half(key).is_offered) {
            self.offered -= 1;
        }
    }

    /// A stream has nothing more to send: nobody behind it waits for it.
    pub(super) fn leave(&mut self, key: usize) {
        self.accept(key);
        if std::mem::take(&mut self.half(key).is_waiting) {
            self.waiting.retain(|waiting| *waiting != key);
        }
    }

    /// Queues a field block that `lines` writes.
    pub(super) fn send_block(
        &mut self,
        key: usize,
        ends: bool,
        lines: impl FnOnce(&mut Encoder, &mut Vec<u8>),
    ) -> Result<(), Gone> {
        let half = self.half(key);
        if half.is_reset || half.has_ended {
            return Err(Gone);
        }
        half.has_ended = ends;
        let id = half.id;
        self.block(id, ends, lines);
        self.settle(key);
        Ok(())
    }

    /// The same, for a stream that need not be there.
    pub(super) fn block(
        &mut self,
        id: u32,
        ends: bool,
        lines: impl FnOnce(&mut Encoder, &mut Vec<u8>),
    ) {
        let start = self.out.len();
        self.out.extend_from_slice(&[0; HEAD_BYTES]);
        self.encoder.begin(&mut self.out);
        lines(&mut self.encoder, &mut self.out);
        let length = self.out.len() - start - HEAD_BYTES;
        let flags = if ends { END_STREAM } else { 0 };
        if length <= self.frame_bytes_max {
            let head = FrameHead {
                kind: HEADERS,
                flags: flags | END_HEADERS,
                stream: id,
                length,
            };
            self.out[start..start + HEAD_BYTES].copy_from_slice(&head.bytes());
        } else {
            let block = self.out.split_off(start + HEAD_BYTES);
            self.out.truncate(start);
            self.pieces(id, flags, &block);
        }
        self.wake();
    }

    /// Answers a request that never became one, without words where the client has no room for them.
    pub(super) fn answer(&mut self, id: u32, status: StatusCode, json: Option<&str>) {
        let room = self.window.min(self.initial_window);
        let json = json.filter(|json| json.len() as i64 <= room);
        let mut fields = Fields::default();
        if json.is_some() {
            fields.push_known(Name::ContentType, b"application/json");
        }
        let json = json.unwrap_or_default();
        let head = ResponseHead {
            status,
            fields,
            length: BodyLength::Exact(json.len() as u64),
        };
        self.block(id, json.is_empty(), |encoder, out| {
            response::head(&head, false, encoder, out);
        });
        if !json.is_empty() {
            // Far less than any frame.
            self.window -= json.len() as i64;
            self.frame(DATA, END_STREAM, id, json.as_bytes());
        }
    }

    /// A field block that does not fit into one frame (RFC 9113 §4.3).
    fn pieces(&mut self, id: u32, flags: u8, block: &[u8]) {
        let last = block.len().div_ceil(self.frame_bytes_max) - 1;
        for (at, piece) in block.chunks(self.frame_bytes_max).enumerate() {
            let (kind, flags) = match at {
                0 => (HEADERS, flags),
                _ if at == last => (CONTINUATION, END_HEADERS),
                _ => (CONTINUATION, 0),
            };
            self.frame(kind, flags, id, piece);
        }
    }

    /// Moves what waits to what goes out; ready when nothing waits.
    pub(super) fn poll_send(
        &mut self,
        key: usize,
        outgoing: &mut Outgoing,
        cx: &Context<'_>,
    ) -> Poll<Result<(), Gone>> {
        self.accept(key);
        loop {
            let half = self.half(key);
            if half.is_reset {
                return Poll::Ready(Err(Gone));
            }
            let Some(data) = outgoing.front() else {
                return Poll::Ready(self.send_end(key, outgoing));
            };
            let (id, window) = (half.id, half.window);
            if window <= 0 {
                half.watch(cx);
                // Somebody else may have use for the room that was offered.
                if !self.waiting.is_empty() {
                    self.wake();
                }
                return Poll::Pending;
            }
            let room = self.room().min(TURN_BYTES).min(self.frame_bytes_max);
            let credit = window.min(self.window).max(0) as usize;
            let length = data.len().min(room).min(credit);
            if length == 0 {
                self.wait(key, cx);
                return Poll::Pending;
            }
            let piece = &data[..length];
            let ends = outgoing.ends_with(length);
            let flags = if ends { END_STREAM } else { 0 };
            self.frame(DATA, flags, id, piece);
            outgoing.sent(length);
            self.window -= length as i64;
            let half = self.half(key);
            half.window -= length as i64;
            half.has_ended |= ends;
            if ends {
                outgoing.close();
                self.leave(key);
                self.settle(key);
            } else if outgoing.front().is_some() && self.has_others() {
                self.wait(key, cx);
                return Poll::Pending;
            }
        }
    }

    fn send_end(&mut self, key: usize, outgoing: &mut Outgoing) -> Result<(), Gone> {
        self.leave(key);
        match outgoing.take_end() {
            End::Queued(Some(trailers)) => self.send_block(key, true, |encoder, out| {
                response::lines(&trailers, encoder, out);
            }),
            End::Queued(None) => {
                let half = self.half(key);
                half.has_ended = true;
                let id = half.id;
                self.frame(DATA, END_STREAM, id, &[]);
                self.settle(key);
                Ok(())
            }
            End::Open | End::Sent => Ok(()),
        }
    }

    /// Queues up for room.
    fn wait(&mut self, key: usize, cx: &Context<'_>) {
        let half = self.half(key);
        half.watch(cx);
        if !std::mem::replace(&mut half.is_waiting, true) {
            self.waiting.push_back(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::content::Content;
    use super::super::settings::Setting;
    use super::*;
    use crate::message::h2::frames::Frames;
    use bytes::Bytes;
    use std::task::Waker;

    fn open(core: &mut Core, id: u32) -> usize {
        core.insert(id, Content::new(None, true))
    }

    fn body(bytes: usize) -> Outgoing {
        let mut outgoing = Outgoing::default();
        outgoing.push(Bytes::from(vec![b'x'; bytes]));
        outgoing.finish(None);
        outgoing
    }

    /// The streams of the DATA frames that were sent, and how much each had; the kernel takes all.
    fn sent(core: &mut Core) -> Vec<(u32, usize, bool)> {
        let out = std::mem::take(&mut core.out);
        let (mut rest, mut all) = (&out[..], Vec::new());
        while let [a, b, c, kind, flags, d, e, f, g, more @ ..] = rest {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            assert_eq!(*kind, DATA);
            all.push((u32::from_be_bytes([*d, *e, *f, *g]), length, flags & 1 != 0));
            rest = &more[length..];
        }
        core.offer();
        all
    }

    #[test]
    fn streams_take_turns() {
        let core = Core::new();
        let core = &mut *core.borrow_mut();
        core.widen(1 << 30).expect("valid");
        core.apply(Setting::InitialWindow(1 << 30)).expect("valid");
        let cx = &Context::from_waker(Waker::noop());
        let mut streams = [1, 3, 5].map(|id| (open(core, id), body(150_000)));
        let mut order = Vec::new();
        for _ in 0..20 {
            for (key, outgoing) in &mut streams {
                let half = core.half(*key);
                if !half.is_waiting {
                    let _ = core.poll_send(*key, outgoing, cx);
                }
            }
            order.extend(sent(core));
        }
        for id in [1, 3, 5] {
            let own = order.iter().filter(|(stream, ..)| *stream == id);
            let own: Vec<_> = own.collect();
            assert_eq!(
                own.iter().map(|(_, length, _)| length).sum::<usize>(),
                150_000
            );
            assert!(own.last().is_some_and(|(_, _, ends)| *ends), "{order:?}");
        }
        // Nobody has finished before everybody has begun to.
        let first_end = order.iter().position(|(.., ends)| *ends).expect("an end");
        for id in [1, 3, 5] {
            assert!(
                order[..first_end].iter().any(|(stream, ..)| *stream == id),
                "{order:?}"
            );
        }
        assert!(core.waiting.is_empty());
    }

    #[test]
    fn nothing_is_sent_beyond_a_window() {
        let core = Core::new();
        let core = &mut *core.borrow_mut();
        let cx = &Context::from_waker(Waker::noop());
        core.apply(Setting::InitialWindow(10)).expect("valid");
        let key = open(core, 1);
        let mut outgoing = body(100);
        assert!(core.poll_send(key, &mut outgoing, cx).is_pending());
        assert_eq!(sent(core), [(1, 10, false)]);
        core.widen_of(key, 85).expect("valid");
        assert!(core.poll_send(key, &mut outgoing, cx).is_pending());
        core.widen_of(key, 5).expect("valid");
        assert_eq!(core.poll_send(key, &mut outgoing, cx), Poll::Ready(Ok(())));
        assert_eq!(sent(core), [(1, 85, false), (1, 5, true)]);
        // That of the connection.
        core.window = 3;
        let key = open(core, 3);
        let mut outgoing = body(5);
        core.widen_of(key, 100).expect("valid");
        assert!(core.poll_send(key, &mut outgoing, cx).is_pending());
        assert_eq!(sent(core), [(3, 3, false)]);
        assert_eq!(core.waiting.len(), 1);
        core.widen(100).expect("valid");
        core.offer();
        assert!(core.waiting.is_empty());
        assert_eq!(core.poll_send(key, &mut outgoing, cx), Poll::Ready(Ok(())));
        assert_eq!(sent(core), [(3, 2, true)]);
    }

    #[test]
    fn an_answer_without_an_exchange_keeps_to_the_windows() {
        let core = Core::new();
        let core = &mut *core.borrow_mut();
        let kinds = |core: &mut Core| {
            core.answer(1, StatusCode::BAD_REQUEST, Some("{}"));
            let (mut frames, mut kinds) = (Frames::default(), Vec::new());
            let out = std::mem::take(&mut core.out);
            let mut rest = &out[..];
            while let Some(frame) = frames.next(&mut rest) {
                kinds.push((frame.kind, frame.flags & END_STREAM != 0));
            }
            kinds
        };
        let (with, without) = ([(HEADERS, false), (DATA, true)], [(HEADERS, true)]);
        assert_eq!(kinds(core), with);
        core.window = 3;
        assert_eq!(kinds(core), with);
        assert_eq!(kinds(core), without);
        core.window = 100;
        core.apply(Setting::InitialWindow(1)).expect("valid");
        assert_eq!(kinds(core), without);
        assert_eq!(core.window, 100);
    }

    /// Nobody waits behind streams that are gone, or have sent all when it was not their turn.
    #[test]
    fn the_last_of_many_is_offered_the_room() {
        let core = Core::new();
        let core = &mut *core.borrow_mut();
        let cx = &Context::from_waker(Waker::noop());
        core.window = 0;
        for id in 0..20 {
            let key = core.insert(2 * id + 1, Content::new(None, false));
            let outgoing = &mut body(10);
            assert!(core.poll_send(key, outgoing, cx).is_pending());
            if id % 2 == 0 {
                core.given_up(2 * id + 1);
                core.remove(key);
            } else {
                core.window = 10;
                assert_eq!(core.poll_send(key, outgoing, cx), Poll::Ready(Ok(())));
            }
        }
        core.out.clear();
        let last = open(core, 99);
        assert!(core.poll_send(last, &mut body(10), cx).is_pending());
        core.widen(1000).expect("valid");
        core.offer();
        assert!(core.half(last).is_offered);
        assert_eq!((core.waiting.len(), core.offered), (0, 1));
    }

    #[test]
    fn a_block_is_cut_into_frames_that_the_client_takes() {
        let core = Core::new();
        let core = &mut *core.borrow_mut();
        let key = open(core, 1);
        let long = vec![b'v'; 40_000];
        let line = |encoder: &mut Encoder, out: &mut Vec<u8>| {
            encoder.line(Name::Other, b"x", &long, out);
        };
        assert_eq!(core.send_block(key, true, line), Ok(()));
        let mut rest = &core.out[..];
        let mut frames = Vec::new();
        while let [a, b, c, kind, flags, _, _, _, _, more @ ..] = rest {
            let length = u32::from_be_bytes([0, *a, *b, *c]) as usize;
            frames.push((*kind, *flags, length));
            rest = &more[length..];
        }
        let (first, last) = (frames[0], frames[2]);
        assert_eq!(
            (first, frames[1]),
            ((HEADERS, 1, 16_384), (CONTINUATION, 0, 16_384))
        );
        assert_eq!((last.0, last.1), (CONTINUATION, END_HEADERS));
        assert_eq!(core.send_block(key, true, line), Err(Gone));
    }
}
