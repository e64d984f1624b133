//! One exchange as a stream: request out, response in.
//!
//! Flow control carries the back-pressure both ways: content waits until the server's window has room
//! for it, and window is given back to the server for content that has moved on.

use std::io;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::client::ResponseFuture;
use h2::{Reason, RecvStream, SendStream};
use http::{Method, StatusCode};

use super::head;
use super::link::Hold;
use super::sending::poll_send;
use crate::config::Bounds;
use crate::message::h1::BodyError;
use crate::message::h2::Outgoing;
use crate::message::{
    BodyLength, Fields, Frame, Name, RequestHead, ResponseHead, Upgrade, trailer_line,
    websocket_accept,
};
use crate::upstream::UpstreamError;
use crate::upstream::conn::Reply;
use crate::upstream::replay::Replay;

/// 103 comes in ones; a server that goes on and on is broken.
const INTERIM_MAX: u8 = 16;

/// One exchange on a shared connection.
pub struct Stream {
    hold: Hold,
    secure: bool,
    method: Method,
    response: Option<ResponseFuture>,
    send: Option<SendStream<Bytes>>,
    body: Option<RecvStream>,
    outgoing: Outgoing,
    /// Content handed out whose window has not been given back.
    unreleased: usize,
    data_ended: bool,
    /// What a client of HTTP/1.1 has to be shown once its WebSocket is open.
    accept: Option<String>,
    interim: u8,
    replay: Option<Box<Replay>>,
    failed: Option<UpstreamError>,
    head_fields_max: usize,
}

impl Stream {
    pub(in crate::upstream) fn new(hold: Hold, secure: bool, bounds: &Bounds) -> Stream {
        Stream {
            hold,
            secure,
            method: Method::GET,
            response: None,
            send: None,
            body: None,
            outgoing: Outgoing::default(),
            unreleased: 0,
            data_ended: false,
            accept: None,
            interim: 0,
            replay: None,
            failed: None,
            head_fields_max: bounds.head_fields,
        }
    }

    /// The connection gets no other stream: the server is not answering on it.
    pub(in crate::upstream) fn retire(&self) {
        self.hold.link().retire();
    }

    /// Whether it fails with its connection, of which another stream has told.
    pub(in crate::upstream) fn was_blamed(&self, error: &UpstreamError) -> bool {
        let of_connection = matches!(
            error,
            UpstreamError::Broken(_)
                | UpstreamError::Closed
                | UpstreamError::Http2(_)
                | UpstreamError::Unprocessed(_)
        );
        of_connection && self.hold.link().was_blamed()
    }

    pub(in crate::upstream) fn start(&mut self, head: &RequestHead, host: &str) {
        self.method = head.method.clone();
        self.replay = Some(Box::default());
        if let Err(error) = self.open(head, host) {
            self.failed = Some(error);
        }
    }

    fn open(&mut self, head: &RequestHead, host: &str) -> Result<(), UpstreamError> {
        let mut requests = match self.hold.link().requests() {
            Some(requests) => requests,
            // The server has said that it takes no more; nothing was sent.
            None => return Err(UpstreamError::Unprocessed(Reason::REFUSED_STREAM)),
        };
        let is_opening = head.upgrade == Some(Upgrade::WebSocket);
        if is_opening {
            if !requests.is_extended_connect_protocol_enabled() {
                return Err(UpstreamError::UnexpectedUpgrade);
            }
            let key = head.fields.value(Name::SecWebsocketKey).unwrap_or_default();
            self.accept = Some(websocket_accept(key));
        }
        let request = head::request(head, host, self.secure).ok_or(UpstreamError::Unspeakable)?;
        let ended = head.length == BodyLength::Empty && !is_opening;
        let (response, send) = requests.send_request(request, ended).map_err(failure)?;
        self.response = Some(response);
        self.send = Some(send);
        if ended {
            self.outgoing.close();
        }
        Ok(())
    }

    pub(in crate::upstream) fn send_data(&mut self, data: Bytes) {
        Replay::push(&mut self.replay, &data);
        self.outgoing.push(data);
    }

    pub(in crate::upstream) fn send_end(&mut self, trailers: Option<&Fields>) {
        self.outgoing.finish(trailers);
        Replay::finish(&mut self.replay, trailers);
    }

    pub(in crate::upstream) fn is_opening(&self) -> bool {
        self.accept.is_some()
    }

    pub(in crate::upstream) fn queued(&self) -> usize {
        self.outgoing.queued()
    }

    pub(in crate::upstream) fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match &mut self.send {
            Some(send) => poll_send(&mut self.outgoing, send, cx).map_err(io::Error::other),
            // What went wrong is told in place of the response.
            None => Poll::Ready(Ok(())),
        }
    }

    pub(in crate::upstream) fn poll_head(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Reply, UpstreamError>> {
        if let Some(error) = self.failed.take() {
            return Poll::Ready(Err(error));
        }
        let Some(response) = &mut self.response else {
            return Poll::Ready(Err(UpstreamError::Closed));
        };
        if let Poll::Ready(Some(interim)) = response.poll_informational(cx) {
            let (parts, ()) = interim.map_err(failure)?.into_parts();
            self.interim += 1;
            if self.interim > INTERIM_MAX {
                return Poll::Ready(Err(UpstreamError::TooManyInterim));
            }
            if parts.status == StatusCode::SWITCHING_PROTOCOLS {
                return Poll::Ready(Err(UpstreamError::UnexpectedUpgrade)); // RFC 9113 §8.6.
            }
            if parts.status == StatusCode::CONTINUE {
                // The client's own front has answered it already.
                cx.waker().wake_by_ref();
                return Poll::Pending;
            }
            let head = self.head(parts.status, &parts.headers, false)?;
            return Poll::Ready(Ok(Reply::Interim(head)));
        }
        let (parts, body) = ready!(std::pin::Pin::new(response).poll(cx))
            .map_err(failure)?
            .into_parts();
        self.response = None;
        // It has been looked at.
        self.replay = None;
        let mut head = self.head(parts.status, &parts.headers, body.is_end_stream())?;
        self.data_ended = head.length == BodyLength::Empty;
        self.body = Some(body);
        let accept = self.accept.take_if(|_| parts.status.is_success());
        Poll::Ready(Ok(match accept {
            Some(accept) => {
                // As HTTP/1.1 says it (RFC 6455 §4.2.2).
                head.status = StatusCode::SWITCHING_PROTOCOLS;
                head.fields.set(Name::SecWebsocketAccept, accept.as_bytes());
                self.data_ended = false;
                Reply::Switched(head)
            }
            None => Reply::Final(head),
        }))
    }

    fn head(
        &self,
        status: StatusCode,
        headers: &http::HeaderMap,
        ended: bool,
    ) -> Result<ResponseHead, UpstreamError> {
        head::response(status, headers, ended, &self.method, self.head_fields_max)
    }

    pub(in crate::upstream) fn poll_body(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame>, UpstreamError>> {
        let Some(body) = &mut self.body else {
            return Poll::Ready(Ok(None));
        };
        let taken = std::mem::take(&mut self.unreleased);
        if taken > 0 {
            // Fails only on a stream that is gone, which the next read reports.
            let _ = body.flow_control().release_capacity(taken);
        }
        if self.data_ended {
            self.body = None;
            return Poll::Ready(Ok(None));
        }
        match ready!(body.poll_data(cx)) {
            Some(Ok(data)) => {
                self.unreleased = data.len();
                return Poll::Ready(Ok(Some(Frame::Data(data))));
            }
            Some(Err(error)) => return Poll::Ready(Err(failure(error))),
            None => {}
        }
        let trailers = ready!(body.poll_trailers(cx)).map_err(failure)?;
        self.data_ended = true;
        let Some(trailers) = trailers else {
            return Poll::Ready(Ok(None));
        };
        let mut fields = Fields::default();
        for (name, value) in &trailers {
            let name = name.as_str().as_bytes();
            if matches!(Name::of(name), Name::ContentLength | Name::Host) {
                return Poll::Ready(Err(BodyError::Trailers.into()));
            }
            trailer_line(name, value.as_bytes(), &mut fields).ok_or(BodyError::Trailers)?;
        }
        Poll::Ready(Ok(Some(Frame::Trailers(fields))))
    }

    /// Whether the server has said nothing on the stream.
    pub(in crate::upstream) fn is_unanswered(&self) -> bool {
        self.interim == 0 && self.body.is_none()
    }

    /// What was sent of the body, if all of it is still known.
    pub(in crate::upstream) fn take_replay(&mut self) -> Option<Replay> {
        self.replay.take().map(|replay| *replay)
    }
}

/// What an error of the stream means for its request.
fn failure(error: h2::Error) -> UpstreamError {
    let reason = error.reason().unwrap_or(Reason::INTERNAL_ERROR);
    // A GOAWAY reaches the streams beyond the last that was looked at (RFC 9113 §6.8), and nothing
    // has happened to a stream that is refused (§8.7).
    let unprocessed = error.is_go_away() || reason == Reason::REFUSED_STREAM;
    if error.is_remote() && unprocessed {
        return UpstreamError::Unprocessed(reason);
    }
    match (error.is_remote(), error.is_io()) {
        (true, _) => UpstreamError::Reset(reason),
        (_, true) => match error.into_io() {
            Some(error) => UpstreamError::Broken(error),
            None => UpstreamError::Closed,
        },
        _ => UpstreamError::Http2(reason),
    }
}
