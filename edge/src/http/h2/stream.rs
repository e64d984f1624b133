//! One HTTP/2 stream as one exchange: request body in, reply out.
//!
//! Flow control carries the back-pressure both ways: window is given back to the client for content
//! that has moved on, and content waits here until the client's window has room for it.

use std::cell::RefCell;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Method, StatusCode};

use super::core::Core;
use super::response;
use crate::message::h2::{Code, Outgoing};
use crate::message::{BodyLength, Fields, Frame, RequestHead, ResponseHead};
use crate::net::{self, Timer};
use crate::proxy::{ClientError, Downstream};

/// How long a client may go on sending a body after the answer to it.
const LINGER: Duration = Duration::from_secs(2);
/// How much of it.
const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// One stream. Dropped, it is over: what has not ended is reset.
pub(super) struct Stream {
    core: Rc<RefCell<Core>>,
    key: usize,
    is_head: bool,
    expects_continue: bool,
    /// Content handed out that has not moved on yet.
    unclaimed: usize,
    outgoing: Outgoing,
    timer: Timer,
}

impl Stream {
    pub(super) fn new(core: Rc<RefCell<Core>>, key: usize, head: &RequestHead) -> Stream {
        Stream {
            core,
            key,
            is_head: head.method == Method::HEAD,
            expects_continue: head.expects_continue,
            unclaimed: 0,
            outgoing: Outgoing::default(),
            timer: Timer::default(),
        }
    }

    fn claim(&mut self, core: &mut Core) {
        let bytes = std::mem::take(&mut self.unclaimed);
        if bytes > 0 {
            core.claim_of(self.key, bytes);
        }
    }

    fn poll_content(&mut self, cx: &Context<'_>) -> Poll<Result<Option<Frame>, ClientError>> {
        let core = Rc::clone(&self.core);
        let core = &mut *core.borrow_mut();
        self.claim(core);
        let half = core.half(self.key);
        if half.is_reset {
            return Poll::Ready(Err(ClientError::Gone));
        }
        match half.content.next() {
            Some(frame) => {
                if let Some(Frame::Data(data)) = &frame {
                    self.unclaimed = data.len();
                }
                Poll::Ready(Ok(frame))
            }
            None => {
                half.watch(cx);
                Poll::Pending
            }
        }
    }

    /// Takes what is still on its way of a body that has been answered already. Reset at once, as RFC
    /// 9113 §8.1 allows, some clients throw away the answer that they have just received.
    pub(super) async fn linger(&mut self) {
        if !self.outgoing.is_sent() || self.core.borrow_mut().half(self.key).content.has_ended() {
            return;
        }
        let mut left = LINGER_BYTES_MAX;
        let ended = poll_fn(|cx| {
            loop {
                match self.poll_content(cx) {
                    Poll::Ready(Ok(Some(Frame::Data(data)))) if data.len() <= left => {
                        left -= data.len();
                    }
                    Poll::Ready(_) => return Poll::Ready(()),
                    Poll::Pending => return Poll::Pending,
                }
            }
        });
        let _ = net::timeout(LINGER, ended).await;
    }
}

impl Drop for Stream {
    fn drop(&mut self) {
        let mut core = self.core.borrow_mut();
        core.claim(self.unclaimed);
        core.remove(self.key);
    }
}

impl Downstream for Stream {
    fn poll_body(&mut self, cx: &mut Context<'_>) -> Poll<Result<Option<Frame>, ClientError>> {
        let continues = std::mem::take(&mut self.expects_continue);
        if continues && !self.core.borrow_mut().half(self.key).has_head {
            self.send_interim(&ResponseHead {
                status: StatusCode::CONTINUE,
                fields: Fields::default(),
                length: BodyLength::Empty,
            });
        }
        self.poll_content(cx)
    }

    fn poll_gone(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        if self.outgoing.is_sent() {
            return Poll::Pending;
        }
        let mut core = self.core.borrow_mut();
        let half = core.half(self.key);
        if half.is_reset {
            return Poll::Ready(());
        }
        half.watch(cx);
        Poll::Pending
    }

    /// A stream of its own is in nobody's way.
    fn drop_body(&mut self) {}

    fn send_interim(&mut self, head: &ResponseHead) {
        let mut core = self.core.borrow_mut();
        // The client may have gone meanwhile; the final head will tell.
        let _ = core.send_block(self.key, false, |encoder, out| {
            response::head(head, false, encoder, out);
        });
    }

    fn send_head(&mut self, head: &ResponseHead) {
        let ends = head.length == BodyLength::Empty || self.is_head;
        let mut core = self.core.borrow_mut();
        core.half(self.key).has_head = true;
        // Of a client that has gone meanwhile the next flush tells.
        let _ = core.send_block(self.key, ends, |encoder, out| {
            response::head(head, self.is_head, encoder, out);
        });
        if ends {
            self.outgoing.close();
        }
    }

    fn send_data(&mut self, data: Bytes) {
        self.outgoing.push(data);
    }

    fn send_end(&mut self, trailers: Option<&Fields>) {
        self.outgoing.finish(trailers);
    }

    fn abort(&mut self) {
        let mut core = self.core.borrow_mut();
        let code = match core.half(self.key).has_head {
            true => Code::InternalError,
            false => Code::Cancel,
        };
        core.reset(self.key, code);
        self.outgoing.close();
    }

    fn queued(&self) -> usize {
        self.outgoing.queued()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), ClientError>> {
        let mut core = self.core.borrow_mut();
        let sent = core.poll_send(self.key, &mut self.outgoing, cx);
        sent.map_err(|_| ClientError::Gone)
    }

    fn timer(&mut self) -> &mut Timer {
        &mut self.timer
    }
}
