//! The connection as one exchange sees it: request body in, reply out.

use std::task::{Context, Poll, ready};

use bytes::{Bytes, BytesMut};
use http::StatusCode;

use super::connection::{Connection, ReplyState};
use crate::message::h1::{self, BodyDecoder, Decoded};
use crate::message::{BodyLength, Fields, Frame, Name, ResponseHead, Version};
use crate::net::{Expect, Timer, Transport};
use crate::proxy::{ClientError, Downstream};

impl<T: Transport> Connection<'_, T> {
    pub(super) fn append(&mut self, chunk: BytesMut) {
        if self.input.is_empty() {
            self.input = chunk;
        } else {
            self.input.extend_from_slice(&chunk);
        }
    }

    /// RFC 9110 §10.1.1: told to go on only when somebody wants the body, and not when it is
    /// already coming.
    fn send_continue(&mut self, cx: &mut Context<'_>) -> Result<(), ClientError> {
        let expected = std::mem::take(&mut self.exchange.expects_continue);
        if !expected || !self.input.is_empty() || self.exchange.reply != ReplyState::Waiting {
            return Ok(());
        }
        self.io.send(b"HTTP/1.1 100 Continue\r\n\r\n");
        match self.io.poll_flush(cx) {
            Poll::Ready(Err(_)) => Err(ClientError::Gone),
            _ => Ok(()),
        }
    }
}

impl<T: Transport> Downstream for Connection<'_, T> {
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>, ClientError>> {
        self.send_continue(cx)?;
        loop {
            match self.exchange.body.decode(&mut self.input) {
                Ok(Decoded::Data(data)) => return Poll::Ready(Ok(Some(Frame::Data(data)))),
                Ok(Decoded::Trailers(fields)) => {
                    return Poll::Ready(Ok(Some(Frame::Trailers(fields))));
                }
                Ok(Decoded::End) => return Poll::Ready(Ok(None)),
                Ok(Decoded::More) => {}
                Err(_) => {
                    self.exchange.body_bad = true;
                    return Poll::Ready(Err(ClientError::BadBody));
                }
            }
            let expect = match self.exchange.switched {
                true => Expect::Trickle(usize::MAX),
                false => Expect::Message,
            };
            if self.exchange.switched {
                // A quiet connection holds no more than the next receive.
                self.input = BytesMut::new();
            }
            match ready!(self.io.poll_recv(cx, expect)) {
                Ok(chunk) if !chunk.is_empty() => self.append(chunk),
                // The end of one direction, where that is how it ends.
                Ok(_) if self.exchange.body.end_of_input().is_ok() => {}
                _ => return Poll::Ready(Err(ClientError::Gone)),
            }
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        while !self.input_ended && self.input.len() < self.ahead_bytes_max {
            match ready!(self.io.poll_recv(cx, Expect::End)) {
                Ok(chunk) if !chunk.is_empty() => self.append(chunk),
                // A client that has sent all its requests ahead may end its side and still wait
                // for the answers; one that has none pending has simply left.
                Ok(_) if !self.input.is_empty() => self.input_ended = true,
                _ => return Poll::Ready(()),
            }
        }
        Poll::Pending
    }

    fn drop_body(&mut self) {
        if !self.discard() {
            self.exchange.keep_alive = false;
        }
    }

    fn send_interim(&mut self, head: &ResponseHead) {
        h1::response_head(self.io.out(), head.status, &head.fields, None, None);
    }

    fn send_head(&mut self, head: &ResponseHead) {
        let exchange = &mut self.exchange;
        if exchange.expects_continue || exchange.body_bad || self.drain.is_started() {
            // Refused before the client was told to go on, or in the middle of a body that cannot
            // be understood: what comes next is anyone's guess. Or about to stop.
            exchange.keep_alive = false;
        }
        let bodiless = matches!(
            head.status,
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
        );
        let framing = match head.length {
            _ if bodiless => None,
            BodyLength::Empty if exchange.is_head => None,
            BodyLength::Framed | BodyLength::UntilClose if exchange.version == Version::Http10 => {
                exchange.keep_alive = false;
                Some(BodyLength::UntilClose)
            }
            BodyLength::UntilClose => Some(BodyLength::Framed),
            length => Some(length),
        };
        let connection = match (exchange.keep_alive, exchange.version) {
            (false, _) => Some("close"),
            (true, Version::Http10) => Some("keep-alive"),
            (true, _) => None,
        };
        exchange.reply = ReplyState::Body(match framing {
            Some(framing) if !exchange.is_head => framing,
            _ => BodyLength::Empty,
        });
        let out = self.io.out();
        h1::response_head(out, head.status, &head.fields, framing, connection);
    }

    fn send_switch(&mut self, head: &ResponseHead) {
        let exchange = &mut self.exchange;
        exchange.keep_alive = false;
        exchange.switched = true;
        exchange.body = BodyDecoder::new(BodyLength::UntilClose, 0);
        exchange.reply = ReplyState::Body(BodyLength::UntilClose);
        let mut fields = head.fields.clone();
        fields.push_known(Name::Upgrade, b"websocket");
        let out = self.io.out();
        h1::response_head(out, head.status, &fields, None, Some("upgrade"));
    }

    fn send_data(&mut self, data: Bytes) {
        match self.exchange.reply {
            ReplyState::Body(BodyLength::Framed) if !data.is_empty() => {
                self.io.send(h1::chunk_head(data.len(), &mut [0; 18]));
                self.io.send(&data);
                self.io.send(b"\r\n");
            }
            ReplyState::Body(BodyLength::Exact(_) | BodyLength::UntilClose) => self.io.send(&data),
            _ => {}
        }
    }

    fn send_end(&mut self, trailers: Option<&Fields>) {
        if self.exchange.reply == ReplyState::Body(BodyLength::Framed) {
            match trailers {
                Some(fields) => h1::trailers(self.io.out(), fields),
                None => self.io.send(h1::LAST_CHUNK),
            }
        }
        if self.exchange.switched {
            self.io.finish();
        }
        self.exchange.reply = ReplyState::Ended;
    }

    fn abort(&mut self) {
        if self.exchange.reply == ReplyState::Body(BodyLength::UntilClose) {
            self.io.reset();
        }
        self.exchange.reply = ReplyState::Aborted;
    }

    fn queued(&self) -> usize {
        self.io.queued()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        self.io.poll_flush(cx).map_err(|_| ClientError::Gone)
    }

    fn timer(&mut self) -> &mut Timer {
        &mut self.timer
    }
}
