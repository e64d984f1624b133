//! One connection of the origin: read once, answer everything that is complete, write once.

use std::io::{self, Read, Write};
use std::net::TcpStream;

use super::request::{EVENTS_HEAD, Request, answer, parse, write_event};

/// Largest request head and body together.
const REQUEST_MAX: usize = 16 << 10;

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
    nonce_at: usize,
}

impl Default for Scratch {
    fn default() -> Self {
        let (answer, nonce_at) = answer();
        Self {
            received: vec![0; REQUEST_MAX],
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
    /// Events sent, if it is a stream.
    events: Option<u64>,
}

impl Connection {
    pub(super) fn new(socket: TcpStream) -> Self {
        Self {
            socket,
            partial: Vec::new(),
            out: Vec::new(),
            events: None,
        }
    }

    /// Whether it is an event stream.
    pub(super) fn is_stream(&self) -> bool {
        self.events.is_some()
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
            match parse(rest) {
                Ok(Some((request, bytes))) => {
                    rest = &rest[bytes..];
                    match request {
                        Request::Call { nonce } => {
                            let start = self.out.len() + scratch.nonce_at;
                            self.out.extend_from_slice(&scratch.answer);
                            self.out[start..start + nonce.len()].copy_from_slice(&nonce);
                        }
                        Request::Events { interval_ms } => {
                            self.out.extend_from_slice(EVENTS_HEAD);
                            write_event(&mut self.out, 0, now_us());
                            self.events = Some(1);
                            turn = Turn::Streaming { interval_ms };
                        }
                    }
                }
                Ok(None) if rest.len() < REQUEST_MAX => {
                    self.partial = rest.to_vec();
                    break;
                }
                Ok(None) | Err(_) => return Turn::Closed,
            }
        }
        turn
    }

    /// Sends the answers that were prepared.
    ///
    /// A peer that takes less than all of them at once does not belong to a measurement.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        let whole = self.out.is_empty() || self.socket.write(&self.out)? == self.out.len();
        self.out.clear();
        match whole {
            true => Ok(()),
            false => Err(io::ErrorKind::WriteZero.into()),
        }
    }

    /// Sends the next event of a stream; an error ends it.
    pub(super) fn send_event(&mut self, now_us: u64) -> io::Result<()> {
        let Some(seq) = &mut self.events else {
            return Ok(());
        };
        write_event(&mut self.out, *seq, now_us);
        *seq += 1;
        self.flush()
    }
}

fn is_transient(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted
    )
}
