//! One HTTP/3 stream as one exchange: request body in, reply out.
//!
//! Flow control carries the back-pressure both ways: credit is given to the client for content that
//! was taken from the stream, and content waits here until the client has given credit for it and
//! the connection has room in its send buffer.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::Method;
use quinn::{SendStream, StoppedError, VarInt, WriteError};

use super::reader::{Fault, Piece, Reader};
use super::request::{self, HeadError};
use super::shared::Shared;
use crate::message::h3::{self, Error};
use crate::message::{BodyLength, Fields, Frame, RequestHead, ResponseHead};
use crate::net::Timer;
use crate::proxy::{ClientError, Downstream};

/// Content of up to this size is copied behind its frame head; more is handed on as it is.
const COPY_BYTES_MAX: usize = 2048;

/// From so much content on it matters how much the connection holds.
const LARGE_BYTES: usize = 16 * 1024;

type Stopped = Pin<Box<dyn Future<Output = Result<Option<VarInt>, StoppedError>>>>;

/// One stream.
pub(super) struct Stream {
    shared: Rc<Shared>,
    reader: Reader,
    send: SendStream,
    /// Resolves when the client wants no more, or has everything.
    stopped: Option<Stopped>,
    /// Content that is still due, where the client said how much there is.
    due: Option<u64>,
    peeked: Option<Piece>,
    /// The last of the content that is due, until it is certain that no more comes.
    last: Option<Bytes>,
    /// Until it is certain that nothing follows them.
    trailers: Option<Fields>,
    is_head: bool,
    is_tunnel: bool,
    expects_continue: bool,
    head_sent: bool,
    /// The end of what waits to be sent, still growing.
    tail: Vec<u8>,
    waiting: VecDeque<Bytes>,
    waiting_bytes: usize,
    end: End,
    timer: Timer,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum End {
    Open,
    Queued,
    Sent,
    /// Reset by either side.
    Broken,
}

impl Stream {
    pub(super) fn new(shared: Rc<Shared>, reader: Reader, send: SendStream) -> Stream {
        Stream {
            shared,
            reader,
            send,
            stopped: None,
            due: None,
            peeked: None,
            last: None,
            trailers: None,
            is_head: false,
            is_tunnel: false,
            expects_continue: false,
            head_sent: false,
            tail: Vec::new(),
            waiting: VecDeque::new(),
            waiting_bytes: 0,
            end: End::Open,
            timer: Timer::default(),
        }
    }

    /// The encoded field section that a request begins with.
    pub(super) fn poll_section(&mut self, cx: &mut Context<'_>) -> Poll<Result<Vec<u8>, Fault>> {
        Poll::Ready(match ready!(self.reader.poll_next(cx))? {
            Piece::Section(section) => Ok(section),
            // The reader takes no content before the first section.
            Piece::Data(_) => Err(Fault::Connection(Error::FrameUnexpected)),
            Piece::End => Err(Fault::Incomplete),
        })
    }

    /// Whether the request has no content; keeps what it has to look at to know.
    pub(super) fn poll_is_ended(&mut self, cx: &mut Context<'_>) -> Poll<Result<bool, Fault>> {
        if self.peeked.is_none() {
            self.peeked = Some(ready!(self.reader.poll_next(cx))?);
        }
        Poll::Ready(Ok(matches!(self.peeked, Some(Piece::End))))
    }

    /// What is known of the request once its head is.
    pub(super) fn begin(&mut self, head: &RequestHead) {
        self.is_head = head.method == Method::HEAD;
        self.is_tunnel = head.upgrade.is_some();
        self.expects_continue = head.expects_continue;
        self.due = match head.length {
            // What follows an opening is no request body.
            _ if self.is_tunnel => None,
            BodyLength::Exact(n) => Some(n),
            BodyLength::Empty => Some(0),
            _ => None,
        };
    }

    /// Whether the request came in early data.
    pub(super) fn is_early(&self) -> bool {
        self.reader.is_early()
    }

    /// Whether the client was given a response head.
    pub(super) fn is_answered(&self) -> bool {
        self.head_sent
    }

    /// Resets both directions.
    pub(super) fn reset(&mut self, error: Error) {
        if matches!(self.end, End::Open | End::Queued) {
            self.end = End::Broken;
            // Fails only on a stream that is over.
            let _ = self.send.reset(VarInt::from_u32(error.code()));
        }
        self.reader.stop(error);
        self.waiting = VecDeque::new();
        self.waiting_bytes = 0;
        self.tail = Vec::new();
    }

    /// Ends the stream by its client's fault.
    pub(super) fn fault(&mut self, fault: Fault) {
        match fault {
            Fault::Gone => self.reset(Error::RequestCancelled),
            Fault::Incomplete => self.reset(Error::RequestIncomplete),
            Fault::TooLarge | Fault::Malformed => self.reset(Error::Message),
            Fault::Connection(error) => {
                self.shared.fail(error);
                self.reset(error);
            }
        }
    }

    /// Waits until the client has all of the response, so that closing the connection takes nothing
    /// away from it; gives up at `deadline_ns`.
    pub(super) async fn settle(mut self, deadline_ns: u64) {
        // RFC 9114 §4.1: an answer that needs no more of the request.
        self.reader.stop(Error::NoError);
        if self.end != End::Sent {
            self.reset(Error::Internal);
            return;
        }
        std::future::poll_fn(|cx| {
            let stopped = self
                .stopped
                .get_or_insert_with(|| Box::pin(self.send.stopped()));
            match stopped.as_mut().poll(cx) {
                Poll::Ready(_) => Poll::Ready(()),
                Poll::Pending => self.timer.poll(cx, deadline_ns),
            }
        })
        .await;
    }

    fn queue_tail(&mut self) {
        if !self.tail.is_empty() {
            self.waiting
                .push_back(Bytes::from(std::mem::take(&mut self.tail)));
        }
    }

    /// Adds to the tail what `write` appends to it.
    fn append(&mut self, write: impl FnOnce(&mut Vec<u8>)) {
        let before = self.tail.len();
        write(&mut self.tail);
        self.waiting_bytes += self.tail.len() - before;
    }

    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), WriteError>> {
        self.queue_tail();
        while !self.waiting.is_empty() {
            if self.waiting_bytes >= LARGE_BYTES {
                self.shared.fit_send_window();
            }
            let chunks = self.waiting.make_contiguous();
            let written = ready!(pin!(self.send.write_chunks(chunks)).poll(cx))?;
            self.waiting.drain(..written.chunks);
            self.waiting_bytes -= written.bytes;
        }
        if self.end == End::Queued {
            // Fails only on a stream that the client has stopped, which `stopped` tells.
            let _ = self.send.finish();
            self.end = End::Sent;
        }
        Poll::Ready(Ok(()))
    }

    /// What a piece means for the exchange; `None` when the next one decides.
    fn take(&mut self, piece: Piece) -> Result<Option<Option<Frame>>, Fault> {
        match piece {
            Piece::Data(data) => {
                if let Some(due) = &mut self.due {
                    *due = due.checked_sub(data.len() as u64).ok_or(Fault::Malformed)?;
                }
                Ok(Some(Some(Frame::Data(data))))
            }
            // RFC 9114 §4.4: a tunnel is DATA and nothing else that is known.
            Piece::Section(_) if self.is_tunnel => Err(Fault::Connection(Error::FrameUnexpected)),
            Piece::Section(section) => {
                let bytes_max = self.shared.section_bytes_max();
                let trailers = request::trailers(&section, bytes_max);
                self.trailers = Some(trailers.map_err(|error| match error {
                    HeadError::Connection(error) => Fault::Connection(error),
                    _ => Fault::Malformed,
                })?);
                Ok(None)
            }
            // RFC 9114 §4.1.2: content that falls short of its length is malformed.
            Piece::End if matches!(self.due, Some(1..)) => Err(Fault::Malformed),
            Piece::End => Ok(Some(self.trailers.take().map(Frame::Trailers))),
        }
    }

    fn poll_frame(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>, Fault>> {
        loop {
            let piece = match self.peeked.take() {
                Some(piece) => piece,
                None => ready!(self.reader.poll_next(cx))?,
            };
            // RFC 9114 §4.1.2: a message with more content than its length is not passed on. What
            // would make it whole waits for what stands behind it, which mostly has come with it.
            if !matches!(piece, Piece::Data(_))
                && let Some(last) = self.last.take()
            {
                self.peeked = Some(piece);
                return Poll::Ready(Ok(Some(Frame::Data(last))));
            }
            match self.take(piece)? {
                Some(Some(Frame::Data(data))) if data.is_empty() => {}
                Some(Some(Frame::Data(data))) if self.due == Some(0) => self.last = Some(data),
                Some(frame) => return Poll::Ready(Ok(frame)),
                None => {}
            }
        }
    }
}

impl Downstream for Stream {
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>, ClientError>> {
        if std::mem::take(&mut self.expects_continue) && !self.head_sent {
            self.send_interim(&ResponseHead {
                status: http::StatusCode::CONTINUE,
                fields: Fields::default(),
                length: BodyLength::Empty,
            });
            // What does not leave now leaves with the response.
            let _ = self.poll_send(cx);
        }
        let outcome = ready!(self.poll_frame(cx));
        Poll::Ready(outcome.map_err(|fault| {
            self.fault(fault);
            match fault {
                Fault::Gone => ClientError::Gone,
                _ => ClientError::BadBody,
            }
        }))
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.end == End::Sent {
            return Poll::Pending;
        }
        let stopped = self
            .stopped
            .get_or_insert_with(|| Box::pin(self.send.stopped()));
        stopped.as_mut().poll(cx).map(|_| ())
    }

    /// A stream of its own is in nobody's way.
    fn drop_body(&mut self) {}

    fn send_interim(&mut self, head: &ResponseHead) {
        self.append(|out| request::encode_head(head, false, out));
    }

    fn send_head(&mut self, head: &ResponseHead) {
        let is_head = self.is_head;
        self.append(|out| request::encode_head(head, is_head, out));
        self.head_sent = true;
        if (head.length == BodyLength::Empty || is_head) && self.end == End::Open {
            self.end = End::Queued;
        }
    }

    fn send_data(&mut self, data: Bytes) {
        if data.is_empty() || self.end != End::Open {
            return;
        }
        self.append(|out| h3::data_head(data.len(), out));
        if data.len() <= COPY_BYTES_MAX {
            self.append(|out| out.extend_from_slice(&data));
        } else {
            self.queue_tail();
            self.waiting_bytes += data.len();
            self.waiting.push_back(data);
        }
    }

    fn send_end(&mut self, trailers: Option<&Fields>) {
        if self.end != End::Open {
            return;
        }
        if let Some(trailers) = trailers {
            self.append(|out| request::encode_trailers(trailers, out));
        }
        self.end = End::Queued;
    }

    fn abort(&mut self) {
        self.reset(match self.head_sent {
            // RFC 9220 §3: what a reset is over TCP.
            _ if self.is_tunnel => Error::RequestCancelled,
            true => Error::Internal,
            false => Error::RequestCancelled,
        });
    }

    fn queued(&self) -> usize {
        self.waiting_bytes
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        if self.end == End::Broken {
            return Poll::Ready(Err(ClientError::Gone));
        }
        self.poll_send(cx).map_err(|_| ClientError::Gone)
    }

    fn timer(&mut self) -> &mut Timer {
        &mut self.timer
    }
}
