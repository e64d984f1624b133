//! One HTTP/1.1 connection to an upstream server, one exchange at a time.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::{Method, StatusCode};

use super::UpstreamError;
use super::channel::Channel;
use super::conn::Reply;
use super::replay::Replay;
use crate::config::Bounds;
use crate::message::h1::{self, BodyDecoder, Decoded, HeadScan};
use crate::message::{BodyLength, Fields, Frame, Name, RequestHead, Upgrade, websocket_accept};
use crate::net::{Expect, Transport as _};

/// 100 and 103 come in ones; a server that goes on and on is broken.
const INTERIM_MAX: u8 = 16;

/// A connection, idle or with an exchange on it.
pub struct H1 {
    socket: Channel,
    input: BytesMut,
    scan: HeadScan,
    method: Method,
    /// Framing of the request under way; `None` once it is complete.
    request: Option<BodyLength>,
    response: Option<BodyDecoder>,
    /// What a server that agrees to go on in WebSocket must answer.
    accept: Option<String>,
    interim: u8,
    keep_alive: bool,
    /// What had been sent when the exchange began.
    exchange_start_sent: u64,
    /// It has carried an exchange.
    used: bool,
    /// The body of a request that may be sent again, should the connection turn out to be closed.
    replay: Option<Box<Replay>>,
    head_bytes_max: usize,
    head_fields_max: usize,
}

impl H1 {
    /// Wraps an open connection.
    pub(super) fn new(socket: Channel, bounds: &Bounds) -> H1 {
        H1 {
            socket,
            input: BytesMut::new(),
            scan: HeadScan::default(),
            method: Method::GET,
            request: None,
            response: None,
            accept: None,
            interim: 0,
            keep_alive: true,
            exchange_start_sent: 0,
            used: false,
            replay: None,
            head_bytes_max: bounds.head_bytes,
            head_fields_max: bounds.head_fields,
        }
    }

    /// Queues a request head. `host` is what the client asked for, unchanged.
    pub(super) fn start(&mut self, head: &RequestHead, host: &str) {
        self.method = head.method.clone();
        self.scan = HeadScan::default();
        self.response = None;
        self.interim = 0;
        let websocket = head.upgrade == Some(Upgrade::WebSocket);
        self.accept = websocket.then(|| {
            websocket_accept(head.fields.value(Name::SecWebsocketKey).unwrap_or_default())
        });
        self.exchange_start_sent = self.socket.sent();
        let has_body = head.length != BodyLength::Empty;
        self.replay = (self.used && has_body && head.method.is_idempotent()).then(Box::default);
        h1::request_head(
            self.socket.out(),
            &head.method,
            head.sent_target(),
            host,
            &head.fields,
            head.length,
            websocket,
        );
        self.request = match head.length {
            BodyLength::Empty => None,
            length => Some(length),
        };
    }

    /// Queues request content.
    pub(super) fn send_data(&mut self, data: Bytes) {
        if data.is_empty() {
            return; // An empty chunk would end the body.
        }
        Replay::push(&mut self.replay, &data);
        if self.request == Some(BodyLength::Framed) {
            let (out, mut head) = (self.socket.out(), [0; 18]);
            let head = h1::chunk_head(data.len(), &mut head);
            out.reserve(head.len() + data.len() + 2);
            out.extend_from_slice(head);
            out.extend_from_slice(&data);
            out.extend_from_slice(b"\r\n");
            return;
        }
        // What nobody else holds goes to the kernel as it is.
        match data.try_into_mut() {
            Ok(data) => self.socket.send_owned(data),
            Err(data) => self.socket.send(&data),
        }
    }

    /// Queues the end of the request; of the sending direction once the protocol has changed.
    pub(super) fn send_end(&mut self, trailers: Option<&Fields>) {
        Replay::finish(&mut self.replay, trailers);
        match (self.request.take(), trailers) {
            (Some(BodyLength::Framed), Some(fields)) => h1::trailers(self.socket.out(), fields),
            (Some(BodyLength::Framed), None) => self.socket.send(h1::LAST_CHUNK),
            (Some(BodyLength::UntilClose), _) => self.socket.finish(),
            _ => {}
        }
    }

    /// Whether the request under way asks to go on in WebSocket, and has not been granted it.
    pub(super) fn is_opening(&self) -> bool {
        self.accept.is_some()
    }

    /// Whether the request has been queued to its end.
    pub(super) fn request_done(&self) -> bool {
        self.request.is_none()
    }

    /// Bytes of the request that the kernel has not accepted yet.
    pub(super) fn queued(&self) -> usize {
        self.socket.queued()
    }

    /// Hands queued bytes to the kernel; ready when none is left.
    pub(super) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket.poll_flush(cx)
    }

    /// The next response head.
    pub(super) fn poll_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<Reply, UpstreamError>> {
        loop {
            let end = self
                .scan
                .end_of_head(&self.input)
                .map_err(|_| h1::ResponseError::Syntax)?;
            if end.unwrap_or(self.input.len()) > self.head_bytes_max {
                return Poll::Ready(Err(UpstreamError::HeadTooLarge));
            }
            match end {
                Some(end) => match self.take_head(end)? {
                    Some(reply) => return Poll::Ready(Ok(reply)),
                    None => continue,
                },
                None => ready!(self.poll_more_head(cx))?,
            }
        }
    }

    /// Parses the head that fills the first `end` bytes; `None` for 100 (Continue), which the
    /// client's own front has already answered.
    fn take_head(&mut self, end: usize) -> Result<Option<Reply>, UpstreamError> {
        let parsed = h1::parse_response(&self.input[..end], &self.method, self.head_fields_max)?;
        let _ = self.input.split_to(end);
        self.scan = HeadScan::default();
        self.replay = None;
        match parsed.head.status {
            StatusCode::SWITCHING_PROTOCOLS => self.switch(parsed).map(Some),
            status if status.is_informational() => {
                self.interim += 1;
                if self.interim > INTERIM_MAX {
                    return Err(UpstreamError::TooManyInterim);
                }
                let skip = status == StatusCode::CONTINUE;
                Ok((!skip).then_some(Reply::Interim(parsed.head)))
            }
            _ => {
                self.keep_alive = parsed.keep_alive;
                self.response = Some(BodyDecoder::new(parsed.head.length, self.head_bytes_max));
                Ok(Some(Reply::Final(parsed.head)))
            }
        }
    }

    /// Only what was asked for is agreed to, and only by a server that has understood it (RFC 6455
    /// §4.1); bytes behind the head are the first of the new protocol.
    fn switch(&mut self, parsed: h1::ParsedResponse) -> Result<Reply, UpstreamError> {
        let accepted = parsed.head.fields.value(Name::SecWebsocketAccept);
        let expected = self.accept.take();
        if !parsed.is_websocket || expected.is_none_or(|key| accepted != Some(key.as_bytes())) {
            return Err(UpstreamError::UnexpectedUpgrade);
        }
        self.keep_alive = false;
        self.request = Some(BodyLength::UntilClose);
        self.response = Some(BodyDecoder::new(BodyLength::UntilClose, 0));
        Ok(Reply::Switched(parsed.head))
    }

    fn poll_more_head(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), UpstreamError>> {
        let expect = Expect::Message;
        let chunk = ready!(self.socket.poll_recv(cx, expect)).map_err(UpstreamError::Broken)?;
        if chunk.is_empty() {
            return Poll::Ready(Err(match self.input.is_empty() {
                true => UpstreamError::Closed,
                false => h1::ResponseError::Syntax.into(),
            }));
        }
        append(&mut self.input, chunk);
        // Garbage is told from a head at its first bytes, not when the timeout comes.
        let n = self.input.len().min(5);
        match self.input[..n] == b"HTTP/"[..n] {
            true => Poll::Ready(Ok(())),
            false => Poll::Ready(Err(h1::ResponseError::Syntax.into())),
        }
    }

    /// The next piece of the response body; `None` at its end. No more than `most` bytes are asked for.
    pub(super) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
        most: usize,
    ) -> Poll<Result<Option<Frame>, UpstreamError>> {
        loop {
            let decoder = self.response.as_mut().expect("the head came first");
            match decoder.decode(&mut self.input)? {
                Decoded::Data(data) => return Poll::Ready(Ok(Some(Frame::Data(data)))),
                Decoded::Trailers(fields) => return Poll::Ready(Ok(Some(Frame::Trailers(fields)))),
                Decoded::End => return Poll::Ready(Ok(None)),
                // The buffer is let go: a quiet stream holds no more than the next receive.
                Decoded::More if self.input.is_empty() => self.input = BytesMut::new(),
                // The beginning of a trailer section.
                Decoded::More => {}
            }
            match ready!(self.socket.poll_recv(cx, Expect::Trickle(most))) {
                Ok(chunk) if !chunk.is_empty() => append(&mut self.input, chunk),
                // A reset is no proper end, not even for a body that ends with the connection.
                Err(_) => return Poll::Ready(Err(h1::BodyError::Truncated.into())),
                Ok(_) => decoder.end_of_input()?,
            }
        }
    }

    /// Whether the response has ended.
    pub(super) fn response_done(&self) -> bool {
        self.response.as_ref().is_some_and(BodyDecoder::is_ended)
    }

    /// Takes back the queued request if the kernel has accepted none of it.
    pub(super) fn take_unsent(&mut self) -> Option<BytesMut> {
        self.socket.take_unsent(self.exchange_start_sent)
    }

    /// Whether the kernel has accepted nothing of the request.
    pub(super) fn is_untouched(&self) -> bool {
        self.socket.is_untouched(self.exchange_start_sent)
    }

    /// Whether not a byte of an answer has come.
    pub(super) fn is_unanswered(&self) -> bool {
        self.input.is_empty() && self.interim == 0 && self.response.is_none()
    }

    /// What was sent of the body, if all of it is still known.
    pub(super) fn take_replay(&mut self) -> Option<Replay> {
        self.replay.take().map(|replay| *replay)
    }

    /// Queues a request taken back from another connection.
    pub(super) fn resume(&mut self, failed: &H1, unsent: BytesMut) {
        self.method = failed.method.clone();
        self.accept.clone_from(&failed.accept);
        self.request = failed.request;
        self.exchange_start_sent = self.socket.sent();
        self.socket.send_owned(unsent);
    }

    /// Whether the connection may carry another exchange.
    pub(super) fn is_reusable(&self) -> bool {
        self.keep_alive
            && self.request_done()
            && self.response_done()
            && self.input.is_empty()
            && self.socket.queued() == 0
    }

    /// Whether an idle connection has become useless; it is being watched from now on.
    pub(super) fn is_stale(&mut self) -> bool {
        self.socket.is_stale()
    }

    /// Gives back memory that an idle connection does not need.
    pub(super) fn rest(&mut self) {
        self.input = BytesMut::new();
        self.response = None;
        self.used = true;
    }
}

fn append(buf: &mut BytesMut, chunk: BytesMut) {
    if buf.is_empty() {
        *buf = chunk;
    } else {
        buf.extend_from_slice(&chunk);
    }
}
