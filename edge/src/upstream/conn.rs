//! What carries one exchange: a connection of HTTP/1.1, or a stream of HTTP/2.

use std::io;
use std::task::{Context, Poll};

use bytes::{Bytes, BytesMut};
use http::Method;

use super::UpstreamError;
use super::h1::H1;
use super::h2::Stream;
use super::replay::Replay;
use crate::message::{Fields, Frame, RequestHead, ResponseHead};

/// What came in answer to a request.
#[derive(Debug)]
pub enum Reply {
    /// 1xx other than 100 and 101; the final head is still to come.
    Interim(ResponseHead),
    /// The final head.
    Final(ResponseHead),
    /// 101, or what means it over HTTP/2: from here on both directions are WebSocket frames.
    Switched(ResponseHead),
}

/// What carries one exchange at a time. It is handed on often, and waits in tasks that are moved, so it
/// is a pointer.
pub enum Conn {
    /// A connection, which is kept for the next exchange.
    H1(Box<H1>),
    /// A stream beside others.
    H2(Box<Stream>),
}

/// A request that may be sent once more, over another connection.
pub enum Unsent {
    /// All of it, as it would have gone over the wire.
    Bytes(BytesMut),
    /// Its content so far; the head has to be made anew.
    Content(Replay),
    /// The head has to be made anew, and nothing of a body was read.
    Head,
}

impl Conn {
    /// Queues a request head. `host` is what the client asked for, unchanged.
    pub fn start(&mut self, head: &RequestHead, host: &str) {
        match self {
            Conn::H1(conn) => conn.start(head, host),
            Conn::H2(stream) => stream.start(head, host),
        }
    }

    /// Queues request content.
    pub fn send_data(&mut self, data: Bytes) {
        match self {
            Conn::H1(conn) => conn.send_data(data),
            Conn::H2(stream) => stream.send_data(data),
        }
    }

    /// Queues the end of the request; of the sending direction once the protocol has changed.
    pub fn send_end(&mut self, trailers: Option<&Fields>) {
        match self {
            Conn::H1(conn) => conn.send_end(trailers),
            Conn::H2(stream) => stream.send_end(trailers),
        }
    }

    /// Whether the request under way asks to go on in WebSocket, and has not been granted it.
    pub fn is_opening(&self) -> bool {
        match self {
            Conn::H1(conn) => conn.is_opening(),
            Conn::H2(stream) => stream.is_opening(),
        }
    }

    /// Bytes of the request that have not left yet.
    pub fn queued(&self) -> usize {
        match self {
            Conn::H1(conn) => conn.queued(),
            Conn::H2(stream) => stream.queued(),
        }
    }

    /// Sends what is queued; ready when nothing is left.
    pub fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self {
            Conn::H1(conn) => conn.poll_flush(cx),
            Conn::H2(stream) => stream.poll_flush(cx),
        }
    }

    /// The next response head.
    pub fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Reply, UpstreamError>> {
        match self {
            Conn::H1(conn) => conn.poll_head(cx),
            Conn::H2(stream) => stream.poll_head(cx),
        }
    }

    /// The next piece of the response body; `None` at its end. No more than `most` bytes are asked of
    /// a server.
    pub fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<Result<Option<Frame>, UpstreamError>> {
        match self {
            Conn::H1(conn) => conn.poll_body(cx, most),
            // What may come there is a matter of windows.
            Conn::H2(stream) => stream.poll_body(cx),
        }
    }

    /// What may be sent again after `error`, once: a request that the server says it has not looked
    /// at, one of which no byte was taken by a connection that had been used before (`reused`), or
    /// an idempotent one to which such a connection was closed without a byte of an answer: servers
    /// close idle connections, now and then on the heels of a request (RFC 9112 §9.3.1, RFC 9110
    /// §9.2.2). `read_nothing` says that nothing of the client's body was read, or there is none.
    pub fn salvage(
        &mut self,
        error: &UpstreamError,
        method: &Method,
        reused: bool,
        read_nothing: bool,
    ) -> Option<Unsent> {
        let lost = matches!(error, UpstreamError::Broken(_) | UpstreamError::Closed) && reused;
        match (self, error) {
            (Conn::H1(conn), _) if lost => {
                if let Some(bytes) = conn.take_unsent() {
                    return Some(Unsent::Bytes(bytes));
                }
                // What was sealed has to be made anew.
                let harmless = method.is_idempotent() && conn.is_unanswered();
                match conn.is_untouched() || harmless {
                    true if read_nothing => Some(Unsent::Head),
                    true => conn.take_replay().map(Unsent::Content),
                    false => None,
                }
            }
            (Conn::H2(stream), UpstreamError::Unprocessed(_)) => {
                stream.take_replay().map(Unsent::Content)
            }
            (Conn::H2(stream), _) if lost && method.is_idempotent() && stream.is_unanswered() => {
                stream.take_replay().map(Unsent::Content)
            }
            _ => None,
        }
    }

    /// Queues what another connection did not take of this request.
    pub fn resume(&mut self, failed: &Conn, unsent: Unsent, head: &RequestHead) {
        let host = head.sent_host().as_str();
        match (self, failed, unsent) {
            (Conn::H1(conn), Conn::H1(failed), Unsent::Bytes(bytes)) => conn.resume(failed, bytes),
            (conn, _, Unsent::Content(replay)) => {
                conn.start(head, host);
                replay
                    .content
                    .into_iter()
                    .for_each(|data| conn.send_data(data));
                if let Some(trailers) = replay.end {
                    conn.send_end(trailers.as_ref());
                }
            }
            (conn, ..) => conn.start(head, host),
        }
    }
}
