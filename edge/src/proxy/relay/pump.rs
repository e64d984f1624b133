//! What moves in one turn: request content one way, the response the other.

use std::task::{Context, Poll};

use bytes::Bytes;

use super::{End, Phase, Relay};
use crate::clock::{coarse_ns, monotonic_ns};
use crate::mcp::{BodyFacts, KeepAlive, is_event_stream};
use crate::message::{BodyLength, Fields, Frame, Name, ResponseHead, Version};
use crate::net;
use crate::proxy::exchange::{ClientError, Downstream};
use crate::proxy::reply::push_date;
use crate::upstream::{Reply, UpstreamError};

/// From this mark on it is one that somebody has raised.
const HIGH_WATER_RAISED: usize = 64 * 1024 + 1;

impl<D: Downstream> Relay<'_, D> {
    pub(super) fn pump_request(&mut self, cx: &mut Context<'_>) -> Result<(), ClientError> {
        while !self.send_failed {
            let mut starved = self.request_ended || self.holds_request();
            while !starved && self.conn.queued() < self.limits.high_water {
                match self.client.poll_body(cx)? {
                    Poll::Ready(Some(Frame::Data(data))) => {
                        self.progress.bytes_in += data.len() as u64;
                        let most = self.limits.body_bytes_max.unwrap_or(u64::MAX);
                        if self.progress.bytes_in > most && self.tunnel.is_none() {
                            return Err(ClientError::TooLarge);
                        }
                        if let Some(call) = &mut self.call {
                            call.request_passed(&data)?;
                        }
                        if self.request_goes_on(&data) {
                            self.conn.send_data(data);
                        }
                    }
                    Poll::Ready(Some(Frame::Trailers(fields))) => {
                        self.conn.send_end(Some(&fields));
                        self.request_ended = true;
                        starved = true;
                    }
                    Poll::Ready(None) => {
                        self.conn.send_end(None);
                        self.request_ended = true;
                        starved = true;
                    }
                    Poll::Pending => starved = true,
                }
            }
            // The answer is what it waits for, or more of the request.
            let flushed = match starved {
                true => net::unawaited(|| self.conn.poll_flush(cx)),
                false => self.conn.poll_flush(cx),
            };
            match flushed {
                Poll::Ready(Ok(())) if starved => break,
                Poll::Ready(Ok(())) => {}
                // The server may have answered before it stopped reading: the response decides.
                Poll::Ready(Err(_)) => self.send_failed = true,
                Poll::Pending => break,
            }
        }
        Ok(())
    }

    pub(super) fn pump_response(&mut self, cx: &mut Context<'_>) -> Option<End> {
        loop {
            let mut starved = false;
            let (most, high_water) = self.ahead();
            while !starved && self.client.queued() < high_water {
                starved = match self.phase {
                    Phase::Head => match self.conn.poll_head(cx) {
                        Poll::Ready(Ok(Reply::Interim(head))) => {
                            if self.version != Version::Http10 {
                                self.client.send_interim(&head);
                            }
                            false
                        }
                        Poll::Ready(Ok(Reply::Switched(head))) => {
                            self.start_tunnel(head);
                            false
                        }
                        Poll::Ready(Ok(Reply::Final(head))) => {
                            if let Err(error) = self.judge_refusal(&head) {
                                return Some(End::Upstream(error));
                            }
                            let capture = self.capture.as_mut();
                            if capture.is_some_and(|capture| capture.takes(&head)) {
                                // It has no content; read to its end, the connection is free.
                                let _ = self.conn.poll_body(cx, most);
                                return Some(End::Complete);
                            }
                            let capture = self.capture.as_ref();
                            if capture.is_some_and(|capture| capture.replaces(head.status)) {
                                let error = UpstreamError::Unwanted(head.status);
                                return Some(End::Upstream(error));
                            }
                            self.start_response(head);
                            false
                        }
                        Poll::Ready(Err(error)) => return Some(End::Upstream(error)),
                        Poll::Pending => true,
                    },
                    Phase::Body => match self.conn.poll_body(cx, most) {
                        Poll::Ready(Ok(Some(Frame::Data(data)))) => {
                            self.send_data(data);
                            false
                        }
                        Poll::Ready(Ok(Some(Frame::Trailers(fields)))) => {
                            self.end_response(Some(&fields));
                            true
                        }
                        Poll::Ready(Ok(None)) => {
                            self.end_response(None);
                            true
                        }
                        Poll::Ready(Err(error)) => {
                            self.phase = Phase::Abort(error);
                            true
                        }
                        Poll::Pending => true,
                    },
                    Phase::HalfClosed | Phase::Flush | Phase::Abort(_) | Phase::Ended => true,
                };
            }
            // More of the answer is what it waits for.
            let flushed = match starved && matches!(self.phase, Phase::Head | Phase::Body) {
                true => net::unawaited(|| self.client.poll_flush(cx)),
                false => self.client.poll_flush(cx),
            };
            match flushed {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(error)) => return Some(self.client_left(error)),
                Poll::Pending => return None,
            }
            match std::mem::replace(&mut self.phase, Phase::Ended) {
                Phase::Flush => return Some(End::Complete),
                Phase::HalfClosed if self.tunnel_has_ended() => return Some(End::Complete),
                Phase::Abort(error) => {
                    self.client.abort();
                    return Some(End::Upstream(error));
                }
                phase => self.phase = phase,
            }
            if starved {
                return None;
            }
        }
    }

    /// How much of the response to read at a time, and how much may wait for the client when more is
    /// read. Who has raised the mark wants servers to be rid of slow clients.
    fn ahead(&mut self) -> (usize, usize) {
        let taken = self.progress.bytes_out;
        let taken = taken.saturating_sub(self.client.queued() as u64);
        let most = self.appetite.bytes(coarse_ns(), taken);
        match self.limits.high_water {
            raised @ HIGH_WATER_RAISED.. => (usize::MAX, raised),
            mark => (most, mark.min(most / 2)),
        }
    }

    pub(super) fn start_response(&mut self, mut head: ResponseHead) {
        self.progress.status = Some(head.status);
        let now_ns = monotonic_ns();
        self.progress.head_ns = now_ns;
        self.body_is_sized = matches!(head.length, BodyLength::Exact(_));
        if head.fields.value(Name::Date).is_none() {
            push_date(&mut head.fields);
        }
        if let Some(capture) = &mut self.capture {
            capture.responds(&mut head);
        }
        if self.limits.advertises {
            self.worker.advertise(&mut head.fields);
        }
        let content_type = head.fields.value(Name::ContentType);
        if content_type.is_some_and(is_event_stream) && head.length != BodyLength::Empty {
            let facts = BodyFacts {
                content_type,
                content_encoding: head.fields.value(Name::ContentEncoding),
                has_content_length: self.body_is_sized,
            };
            let interval = self.limits.keep_alive;
            self.events = interval.and_then(|every| KeepAlive::new(&facts, every, now_ns));
            // Proxies in front of this one must not buffer either.
            if head.fields.value(Name::XAccelBuffering).is_none() {
                head.fields.push_known(Name::XAccelBuffering, b"no");
            }
            // RFC 10036: the same, for those that go by a standard.
            if head.fields.values_of("incremental").next().is_none() {
                head.fields.push(b"incremental", b"?1");
            }
            self.begin_stream();
        }
        if let Some(call) = &mut self.call {
            call.responds(&mut head, self.progress.is_stream, self.worker);
        }
        if let Some(rules) = self.rules {
            rules.apply(&mut head.fields);
        }
        self.client.send_head(&head);
        self.phase = Phase::Body;
    }

    pub(super) fn send_data(&mut self, data: Bytes) {
        if !self.response_goes_on(&data) {
            return;
        }
        self.progress.bytes_out += data.len() as u64;
        if self.progress.is_stream && self.tunnel.is_none() {
            net::event_passed();
        }
        if let Some(events) = &mut self.events {
            events.passed(&data, coarse_ns());
        }
        if let Some(call) = &mut self.call {
            call.response_passed(&data, self.worker);
        }
        if let Some(capture) = &mut self.capture {
            capture.passed(&data);
        }
        self.client.send_data(data);
    }

    pub(super) fn end_response(&mut self, trailers: Option<&Fields>) {
        if let Some(capture) = &mut self.capture {
            capture.ended(trailers.is_none());
        }
        self.client.send_end(trailers);
        self.phase = match self.tunnel {
            Some(_) => Phase::HalfClosed,
            None => Phase::Flush,
        };
    }
}
