//! One connection of the origin: read once, answer everything that is complete, write once.

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::os::fd::{AsFd as _, BorrowedFd};

use super::bulk::{PATTERN_BYTES, pattern};
use super::request::{
    ANSWER_BYTES, EVENTS_HEAD, NONCE_BYTES, Refusal, Request, answer, parse, write_event,
};
use super::websocket::{ANSWER_HEAD, agreement, message};

/// Largest request head and body together.
const REQUEST_MAX: usize = 16 << 10;
/// Of a large body, what is sent in a turn, so that others have theirs.
const BODY_TURN_BYTES: usize = 4 * PATTERN_BYTES;

/// What a turn of a connection came to.
pub(super) enum Turn {
    /// Nothing that concerns the server.
    Kept,
    /// It is an event stream from now on; 0 is silence.
    Streaming { interval_ms: u64 },
    /// It is over.
    Closed,
}

/// Scratch space that all connections share, as only one is served at a time.
pub(super) struct Scratch {
    received: Vec<u8>,
    answer: Vec<u8>,
    body_at: usize,
    nonce_at: usize,
}

/// What a flush came to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flushed {
    Whole,
    /// The rest when the socket takes more.
    Partly,
}

/// What a connection is used for.
enum Talk {
    Calls,
    /// It is an event stream; so many were sent.
    Events(u64),
    Messages,
}

/// A body that is being sent.
struct Body {
    sent: u64,
    bytes: u64,
}

impl Default for Scratch {
    fn default() -> Self {
        let (answer, nonce_at) = answer();
        Self {
            received: vec![0; REQUEST_MAX],
            body_at: answer.len() - ANSWER_BYTES,
            answer,
            nonce_at,
        }
    }
}

/// A connection; `socket` does not block.
pub(super) struct Connection {
    socket: TcpStream,
    /// The beginning of a request that has not come whole; usually empty and unallocated.
    partial: Vec<u8>,
    /// Answers for [`Connection::flush`] to send.
    out: Vec<u8>,
    talk: Talk,
    body: Option<Body>,
}

impl Connection {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            partial: Vec::new(),
            out: Vec::new(),
            talk: Talk::Calls,
            body: None,
        }
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Whether it is an event stream.
    pub(super) fn is_stream(&self) -> bool {
        matches!(self.talk, Talk::Events(_))
    }

    /// Reads what has come and prepares the answers, for [`Connection::flush`] to send.
    pub(super) fn ready(&mut self, scratch: &mut Scratch, now_us: impl Fn() -> u64) -> Turn {
        let count = match self.socket.read(&mut scratch.received) {
            Ok(0) => return Turn::Closed,
            Ok(count) => count,
            Err(error) if is_transient(&error) => return Turn::Kept,
            Err(_) => return Turn::Closed,
        };
        let joined;
        let mut rest = &scratch.received[..count];
        if !self.partial.is_empty() {
            let mut whole = std::mem::take(&mut self.partial);
            whole.extend_from_slice(rest);
            joined = whole;
            rest = &joined;
        }
        let mut turn = Turn::Kept;
        while !rest.is_empty() {
            // Nobody may ask for more before the body before it is through.
            let taken = match self.body {
                Some(_) => Err(Refusal::Body),
                None => self.take(rest, scratch, &now_us, &mut turn),
            };
            match taken {
                Ok(Some(bytes)) => rest = &rest[bytes..],
                Ok(None) if rest.len() < REQUEST_MAX => {
                    self.partial = rest.to_vec();
                    break;
                }
                Ok(None) | Err(_) => return Turn::Closed,
            }
        }
        turn
    }

    /// Prepares the answer to what is at the start of `bytes`; returns its length, or nothing if more
    /// has to come.
    fn take(
        &mut self,
        bytes: &[u8],
        scratch: &Scratch,
        now_us: impl Fn() -> u64,
        turn: &mut Turn,
    ) -> Result<Option<usize>, Refusal> {
        if let Talk::Messages = self.talk {
            let Some((nonce, length)) = message(bytes)? else {
                return Ok(None);
            };
            self.out.extend_from_slice(&ANSWER_HEAD);
            self.answer(scratch, scratch.body_at, &nonce);
            return Ok(Some(length));
        }
        let Some((request, length)) = parse(bytes)? else {
            return Ok(None);
        };
        match request {
            Request::Call { nonce } => self.answer(scratch, 0, &nonce),
            Request::Events { interval_ms } => {
                self.out.extend_from_slice(EVENTS_HEAD);
                write_event(&mut self.out, 0, now_us());
                self.talk = Talk::Events(1);
                *turn = Turn::Streaming { interval_ms };
            }
            Request::Body { bytes } => {
                let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {bytes}\r\n\r\n");
                self.out.extend_from_slice(head.as_bytes());
                self.body = Some(Body { sent: 0, bytes });
            }
            Request::WebSocket { accept } => {
                self.out.extend_from_slice(agreement(&accept).as_bytes());
                self.talk = Talk::Messages;
            }
        }
        Ok(Some(length))
    }

    /// The answer to a call from its byte `from` on.
    fn answer(&mut self, scratch: &Scratch, from: usize, nonce: &[u8; NONCE_BYTES]) {
        let start = self.out.len() + scratch.nonce_at - from;
        self.out.extend_from_slice(&scratch.answer[from..]);
        self.out[start..start + nonce.len()].copy_from_slice(nonce);
    }

    /// Sends the answers that were prepared, and of a large body as much as the socket takes.
    ///
    /// A peer that takes less than all of the rest at once does not belong to a measurement.
    pub(super) fn flush(&mut self) -> io::Result<Flushed> {
        let whole = self.out.is_empty() || self.socket.write(&self.out)? == self.out.len();
        self.out.clear();
        if !whole {
            return Err(io::ErrorKind::WriteZero.into());
        }
        let Some(body) = &mut self.body else {
            return Ok(Flushed::Whole);
        };
        let mut room = BODY_TURN_BYTES;
        while body.sent < body.bytes {
            let left = usize::try_from(body.bytes - body.sent).unwrap_or(usize::MAX);
            let piece = &pattern(body.sent)[..left.min(PATTERN_BYTES).min(room)];
            if piece.is_empty() {
                return Ok(Flushed::Partly);
            }
            match self.socket.write(piece) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => {
                    body.sent += count as u64;
                    room -= count;
                }
                Err(error) if is_transient(&error) => return Ok(Flushed::Partly),
                Err(error) => return Err(error),
            }
        }
        self.body = None;
        Ok(Flushed::Whole)
    }

    /// Sends the next event of a stream; an error ends it.
    pub(super) fn send_event(&mut self, now_us: u64) -> io::Result<()> {
        let Talk::Events(seq) = &mut self.talk else {
            return Ok(());
        };
        write_event(&mut self.out, *seq, now_us);
        *seq += 1;
        self.flush()?;
        Ok(())
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
