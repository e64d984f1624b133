//! One HTTP/2 stream as one exchange: request body in, reply out.
//!
//! Flow control carries the back-pressure both ways: window is given back to the client for content
//! that has moved on, and content waits here until the client's window has room for it.

use std::future::poll_fn;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};

use super::request;
use crate::message::h2::{Outgoing, fields, header_map};
use crate::message::{BodyLength, Fields, Frame, ResponseHead};
use crate::net::{self, Timer};
use crate::proxy::{ClientError, Downstream};

/// How long a client may go on sending a body after the answer to it.
const LINGER: Duration = Duration::from_secs(2);
/// How much of it.
const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// One stream.
pub(super) struct Stream {
    body: RecvStream,
    is_head: bool,
    expects_continue: bool,
    data_ended: bool,
    /// Content handed out whose window has not been given back.
    unreleased: usize,
    respond: SendResponse<Bytes>,
    send: Option<SendStream<Bytes>>,
    outgoing: Outgoing,
    failed: bool,
    aborted: bool,
    timer: Timer,
}

impl Stream {
    pub(super) fn new(
        body: RecvStream,
        respond: SendResponse<Bytes>,
        is_head: bool,
        expects_continue: bool,
    ) -> Stream {
        Stream {
            body,
            is_head,
            expects_continue,
            data_ended: false,
            unreleased: 0,
            respond,
            send: None,
            outgoing: Outgoing::default(),
            failed: false,
            aborted: false,
            timer: Timer::default(),
        }
    }

    fn release(&mut self) {
        let bytes = std::mem::take(&mut self.unreleased);
        if bytes > 0 {
            // Fails only on a stream that is gone, which the next read reports.
            let _ = self.body.flow_control().release_capacity(bytes);
        }
    }

    /// Whether it ended before an answer began: the client has gone.
    pub(super) fn was_given_up(&self) -> bool {
        self.send.is_none()
    }

    /// Takes what is still on its way of a body that has been answered already. Reset at once, as RFC
    /// 9113 §8.1 allows, some clients throw away the answer that they have just received.
    pub(super) async fn linger(&mut self) {
        if self.failed || self.aborted || !self.outgoing.is_sent() {
            return;
        }
        let mut left = LINGER_BYTES_MAX;
        let ended = poll_fn(|cx| {
            loop {
                self.release();
                match ready!(self.body.poll_data(cx)) {
                    Some(Ok(data)) if data.len() <= left => {
                        left -= data.len();
                        self.unreleased = data.len();
                    }
                    _ => return Poll::Ready(()),
                }
            }
        });
        let _ = net::timeout(LINGER, ended).await;
    }
}

impl Downstream for Stream {
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>, ClientError>> {
        self.release();
        if std::mem::take(&mut self.expects_continue) && self.send.is_none() {
            let mut response = http::Response::new(());
            *response.status_mut() = http::StatusCode::CONTINUE;
            let _ = self.respond.send_informational(response);
        }
        if !self.data_ended {
            match ready!(self.body.poll_data(cx)) {
                Some(Ok(data)) => {
                    self.unreleased = data.len();
                    return Poll::Ready(Ok(Some(Frame::Data(data))));
                }
                Some(Err(_)) => return Poll::Ready(Err(ClientError::Gone)),
                None => self.data_ended = true,
            }
        }
        match ready!(self.body.poll_trailers(cx)) {
            Ok(Some(trailers)) => Poll::Ready(Ok(Some(Frame::Trailers(fields(&trailers))))),
            Ok(None) => Poll::Ready(Ok(None)),
            Err(_) => Poll::Ready(Err(ClientError::Gone)),
        }
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        let reset = match &mut self.send {
            Some(_) if self.outgoing.is_sent() => return Poll::Pending,
            Some(send) => send.poll_reset(cx),
            None => self.respond.poll_reset(cx),
        };
        reset.map(|_| ())
    }

    /// A stream of its own is in nobody's way.
    fn drop_body(&mut self) {}

    fn send_interim(&mut self, head: &ResponseHead) {
        // The client may have gone meanwhile; the final head will tell.
        let _ = self
            .respond
            .send_informational(request::response(head, false));
    }

    fn send_head(&mut self, head: &ResponseHead) {
        let ended = head.length == BodyLength::Empty || self.is_head;
        match self
            .respond
            .send_response(request::response(head, self.is_head), ended)
        {
            Ok(send) => self.send = Some(send),
            Err(_) => self.failed = true,
        }
        if ended {
            self.outgoing.close();
        }
    }

    fn send_data(&mut self, data: Bytes) {
        self.outgoing.push(data);
    }

    fn send_end(&mut self, trailers: Option<&Fields>) {
        self.outgoing.finish(trailers.map(header_map));
    }

    fn abort(&mut self) {
        let reason = match self.send {
            Some(_) => Reason::INTERNAL_ERROR,
            None => Reason::CANCEL,
        };
        match &mut self.send {
            Some(send) => send.send_reset(reason),
            None => self.respond.send_reset(reason),
        }
        self.aborted = true;
        self.outgoing.close();
    }

    fn queued(&self) -> usize {
        self.outgoing.queued()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        if self.failed {
            return Poll::Ready(Err(ClientError::Gone));
        }
        match &mut self.send {
            Some(send) => {
                let sent = self.outgoing.poll_send(send, cx);
                sent.map_err(|_| ClientError::Gone)
            }
            None => Poll::Ready(Ok(())),
        }
    }

    fn timer(&mut self) -> &mut Timer {
        &mut self.timer
    }
}
