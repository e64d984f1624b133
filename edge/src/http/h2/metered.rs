//! A transport whose bytes pass by a [`Budget`] and [`Refusals`] on their way.

use std::cell::{Cell, RefCell};
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use h2::Reason;

use super::budget::Budget;
use super::refusals::{Refusal, Refusals};
use crate::clock::coarse_ns;
use crate::net::{Expect, Transport};

/// The client's side of a connection: once it has gone too far nothing more is read of it.
pub(super) struct Metered<T> {
    transport: T,
    budget: Budget,
    seen: Rc<Seen>,
}

/// What has been seen, for whoever serves the connection.
pub(super) struct Seen {
    fault: Cell<Option<Reason>>,
    refusals: RefCell<Refusals>,
    /// Refused since they were last asked for; bounded by what is read in one turn.
    refused: RefCell<Vec<Refusal>>,
}

impl Seen {
    /// Why the connection has to end: the client has sent a frame that it must not, or more without
    /// content than it may, or has spoilt more streams than it may (ENHANCE_YOUR_CALM).
    pub(super) fn fault(&self) -> Option<Reason> {
        self.fault.get()
    }

    /// A request was taken out of `h2`.
    pub(super) fn handed_over(&self, stream: h2::StreamId) {
        self.refusals.borrow_mut().handed_over(stream.as_u32());
    }

    /// What `h2` has refused since the last call.
    pub(super) fn refused(&self) -> Vec<Refusal> {
        self.refused.take()
    }
}

impl<T: Transport> Metered<T> {
    pub(super) fn new(transport: T) -> Metered<T> {
        Metered {
            transport,
            budget: Budget::new(coarse_ns()),
            seen: Rc::new(Seen {
                fault: Cell::new(None),
                refusals: RefCell::new(Refusals::new()),
                refused: RefCell::default(),
            }),
        }
    }

    /// What is seen from now on.
    pub(super) fn seen(&self) -> Rc<Seen> {
        Rc::clone(&self.seen)
    }
}

impl<T: Transport> Transport for Metered<T> {
    fn poll_recv(&mut self, cx: &mut Context<'_>, expect: Expect) -> Poll<io::Result<BytesMut>> {
        if self.seen.fault().is_some() {
            return Poll::Pending; // Whoever serves the connection looks after every turn.
        }
        let mut received = ready!(self.transport.poll_recv(cx, expect))?;
        let mut refusals = self.seen.refusals.borrow_mut();
        let head = |stream| refusals.received(stream);
        if let Err((good, reason)) = self.budget.received(&received, coarse_ns(), head) {
            self.seen.fault.set(Some(reason));
            received.truncate(good);
            if good == 0 {
                return Poll::Pending;
            }
        }
        Poll::Ready(Ok(received))
    }

    fn send(&mut self, data: &[u8]) {
        self.budget.sent(data.len());
        // Where we have ended it ourselves the word about that is ours, and counted.
        let is_ours = self.seen.fault().is_some();
        let refused = |refusal| match refusal {
            Refusal::Endless if is_ours => {}
            refusal => self.seen.refused.borrow_mut().push(refusal),
        };
        let mut refusals = self.seen.refusals.borrow_mut();
        refusals.sent(data, refused);
        if refusals.has_spoilt_many() && !is_ours {
            self.seen.fault.set(Some(Reason::ENHANCE_YOUR_CALM));
        }
        drop(refusals);
        self.transport.send(data);
    }

    fn out(&mut self) -> &mut BytesMut {
        self.transport.out()
    }

    fn queued(&self) -> usize {
        self.transport.queued()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport.poll_flush(cx)
    }

    fn reset(&mut self) {
        self.transport.reset();
    }

    fn finish(&mut self) {
        self.transport.finish();
    }
}
