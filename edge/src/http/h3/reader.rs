//! The receiving half of a request stream: frames in, content and field sections out.
//!
//! Content is handed on as it arrives, in the buffers it arrived in. What has arrived already of a long
//! body is put together: it comes in pieces of a datagram, and whoever takes it from here does more for
//! a piece than copying it costs. Nothing is waited for but field sections, and those only up to their
//! bound.

use std::future::Future as _;
use std::pin::pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, Bytes, BytesMut};
use quinn::{ReadError, RecvStream, VarInt};

use crate::message::h3::{Error, FrameHead, FrameKind};

/// What is taken from the stream at a time, of a short body.
const CHUNK_BYTES_MAX: usize = 64 * 1024;
/// From so much content on a body is long.
const LONG_BYTES: u64 = 16 * 1024;
/// What is taken at a time then: 64 KiB in datagrams of the usual size.
const CHUNKS_MAX: usize = 48;

/// Frames of a request in a row that carry nothing: one or two of unknown kinds are usual.
const EMPTY_MAX: u16 = 256;

/// A piece of a request.
#[derive(Debug)]
pub(super) enum Piece {
    /// An encoded field section.
    Section(Vec<u8>),
    /// Content.
    Data(Bytes),
    /// The end of the stream.
    End,
}

/// Why reading cannot go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fault {
    /// The client has reset the stream or is gone altogether.
    Gone,
    /// The stream has ended before there was a request.
    Incomplete,
    /// A field section larger than its bound.
    TooLarge,
    /// The message is malformed.
    Malformed,
    /// The whole connection is at fault.
    Connection(Error),
}

/// Where in the message the stream stands.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Head,
    Body,
    Trailers,
}

enum State {
    FrameHead,
    Data(u64),
    Section(u64),
    Skip(u64),
    Ended,
}

pub(super) struct Reader {
    recv: RecvStream,
    chunk: Bytes,
    /// Chunks that were taken behind it, and the first of them that is not used up.
    ahead: Vec<Bytes>,
    next_ahead: usize,
    /// What stands behind content that was put together.
    next: Option<Result<Piece, Fault>>,
    /// How much content there was.
    content: u64,
    /// A frame head or field section that is not whole yet.
    partial: Vec<u8>,
    state: State,
    part: Part,
    /// Frames that carried nothing since one that did.
    empty: u16,
    section_bytes_max: usize,
}

impl Reader {
    pub(super) fn new(recv: RecvStream, section_bytes_max: usize) -> Reader {
        Reader {
            recv,
            chunk: Bytes::new(),
            ahead: Vec::new(),
            next_ahead: 0,
            next: None,
            content: 0,
            partial: Vec::new(),
            state: State::FrameHead,
            part: Part::Head,
            empty: 0,
            section_bytes_max,
        }
    }

    /// The next piece of the request.
    pub(super) fn poll_next(&mut self, cx: &mut Context<'_>) -> Poll<Result<Piece, Fault>> {
        if let Some(next) = self.next.take() {
            return Poll::Ready(next);
        }
        loop {
            match self.advance()? {
                Some(Piece::Data(data)) => {
                    self.content += data.len() as u64;
                    return Poll::Ready(Ok(Piece::Data(self.gather(data))));
                }
                Some(piece) => return Poll::Ready(Ok(piece)),
                None if self.take_ahead() => {}
                None => {
                    // Even empty it would keep the datagrams it came with while an answer streams.
                    self.chunk = Bytes::new();
                    if !ready!(self.poll_chunks(cx))? {
                        return Poll::Ready(self.end());
                    }
                }
            }
        }
    }

    /// Takes what has arrived; false at the end of the stream.
    fn poll_chunks(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        // Futures made for one poll: what they leave behind is the waker, inside the connection.
        let outcome = if self.content < LONG_BYTES {
            let read = pin!(self.recv.read_chunk(CHUNK_BYTES_MAX, true));
            let chunk = ready!(read.poll(cx));
            chunk.map(|chunk| chunk.map(|chunk| self.chunk = chunk.bytes))
        } else {
            self.ahead.resize(CHUNKS_MAX, Bytes::new());
            self.next_ahead = CHUNKS_MAX;
            let count = {
                let read = pin!(self.recv.read_chunks(&mut self.ahead));
                ready!(read.poll(cx))
            };
            self.ahead
                .truncate(count.as_ref().map_or(0, |count| count.unwrap_or(0)));
            self.next_ahead = 0;
            count.map(|count| count.map(|_| ()))
        };
        Poll::Ready(match outcome {
            Ok(taken) => Ok(taken.is_some()),
            Err(ReadError::Reset(_) | ReadError::ConnectionLost(_) | _) => Err(Fault::Gone),
        })
    }

    /// Goes on to the next chunk that was taken, if there is one.
    fn take_ahead(&mut self) -> bool {
        let Some(chunk) = self.ahead.get_mut(self.next_ahead) else {
            return false;
        };
        self.chunk = std::mem::take(chunk);
        self.next_ahead += 1;
        true
    }

    /// Content with all that was taken behind it.
    fn gather(&mut self, first: Bytes) -> Bytes {
        let ahead = &self.ahead[self.next_ahead..];
        if ahead.is_empty() {
            return first;
        }
        let bytes: usize = ahead.iter().map(Bytes::len).sum();
        let mut whole = BytesMut::with_capacity(first.len() + self.chunk.len() + bytes);
        whole.extend_from_slice(&first);
        loop {
            match self.advance() {
                Ok(Some(Piece::Data(data))) => {
                    self.content += data.len() as u64;
                    whole.extend_from_slice(&data);
                }
                Ok(None) if self.take_ahead() => {}
                Ok(None) => break,
                Ok(Some(piece)) => {
                    self.next = Some(Ok(piece));
                    break;
                }
                Err(fault) => {
                    self.next = Some(Err(fault));
                    break;
                }
            }
        }
        whole.freeze()
    }

    /// RFC 9114 §7.1: a stream that ends inside a frame is an error of the connection.
    fn end(&mut self) -> Result<Piece, Fault> {
        match self.state {
            State::FrameHead if self.partial.is_empty() => self.state = State::Ended,
            State::Ended => {}
            _ => return Err(Fault::Connection(Error::Frame)),
        }
        Ok(Piece::End)
    }

    /// Works through what has arrived; `None` when more is needed.
    fn advance(&mut self) -> Result<Option<Piece>, Fault> {
        loop {
            match &mut self.state {
                State::Ended => return Ok(Some(Piece::End)),
                State::FrameHead => match self.frame_head()? {
                    Some(state) => self.state = state,
                    None => return Ok(None),
                },
                State::Data(0) | State::Skip(0) => self.state = State::FrameHead,
                State::Section(0) => {
                    self.state = State::FrameHead;
                    return Ok(Some(Piece::Section(std::mem::take(&mut self.partial))));
                }
                _ if self.chunk.is_empty() => return Ok(None),
                State::Data(left) => {
                    let len = clamp(*left, self.chunk.len());
                    *left -= len as u64;
                    return Ok(Some(Piece::Data(self.chunk.split_to(len))));
                }
                State::Skip(left) => {
                    let len = clamp(*left, self.chunk.len());
                    *left -= len as u64;
                    self.chunk.advance(len);
                }
                State::Section(left) => {
                    let len = clamp(*left, self.chunk.len());
                    *left -= len as u64;
                    self.partial.extend_from_slice(&self.chunk[..len]);
                    self.chunk.advance(len);
                }
            }
        }
    }

    /// Reads the head of the next frame, whose bytes may come one at a time.
    fn frame_head(&mut self) -> Result<Option<State>, Fault> {
        let head = loop {
            let gathered = match self.partial.is_empty() {
                true => FrameHead::decode(&self.chunk),
                false => FrameHead::decode(&self.partial),
            };
            match gathered {
                Some((head, len)) => {
                    match self.partial.is_empty() {
                        true => self.chunk.advance(len),
                        false => self.partial.clear(),
                    }
                    break head;
                }
                None if self.chunk.is_empty() => return Ok(None),
                // At most fifteen times: the head is whole after sixteen bytes.
                None => self.partial.push(self.chunk.get_u8()),
            }
        };
        self.begin(head).map(Some)
    }

    /// RFC 9114 §4.1: HEADERS, any number of DATA, at most one HEADERS more; others in between.
    fn begin(&mut self, head: FrameHead) -> Result<State, Fault> {
        let carries = head.kind != FrameKind::Unknown && head.len > 0;
        self.empty = if carries { 0 } else { self.empty + 1 };
        if self.empty > EMPTY_MAX {
            return Err(Fault::Connection(Error::ExcessiveLoad)); // §10.5.
        }
        match (head.kind, self.part) {
            (FrameKind::Unknown, _) => Ok(State::Skip(head.len)),
            (FrameKind::Data, Part::Body) => Ok(State::Data(head.len)),
            (FrameKind::Headers, Part::Head | Part::Body) => {
                self.part = match self.part {
                    Part::Head => Part::Body,
                    _ => Part::Trailers,
                };
                if head.len > self.section_bytes_max as u64 {
                    return Err(Fault::TooLarge);
                }
                Ok(State::Section(head.len))
            }
            _ => Err(Fault::Connection(Error::FrameUnexpected)),
        }
    }

    /// Whether it came in early data.
    pub(super) fn is_early(&self) -> bool {
        self.recv.is_0rtt()
    }

    /// Asks the client to stop sending, unless it is done.
    pub(super) fn stop(&mut self, error: Error) {
        if !matches!(self.state, State::Ended) {
            self.state = State::Ended;
            (self.ahead, self.next) = (Vec::new(), None);
            self.next_ahead = 0;
            // Fails only on a stream that is over.
            let _ = self.recv.stop(VarInt::from_u32(error.code()));
        }
    }
}

fn clamp(left: u64, room: usize) -> usize {
    usize::try_from(left).unwrap_or(usize::MAX).min(room)
}
