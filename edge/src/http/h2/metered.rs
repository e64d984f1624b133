//! A transport whose bytes pass by a [`Budget`] on their way.

use std::cell::Cell;
use std::io;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;

use super::budget::Budget;
use crate::clock::coarse_ns;
use crate::net::{Expect, Transport};

/// The client's side of a connection: once its budget is spent nothing more is read of it.
pub(super) struct Metered<T> {
    transport: T,
    budget: Budget,
    spent: Rc<Cell<bool>>,
}

impl<T: Transport> Metered<T> {
    pub(super) fn new(transport: T) -> Metered<T> {
        Metered {
            transport,
            budget: Budget::new(coarse_ns()),
            spent: Rc::default(),
        }
    }

    /// Tells when the client has sent more frames without content than it may.
    pub(super) fn spent(&self) -> Rc<Cell<bool>> {
        Rc::clone(&self.spent)
    }
}

impl<T: Transport> Transport for Metered<T> {
    fn poll_recv(&mut self, cx: &mut Context<'_>, expect: Expect) -> Poll<io::Result<BytesMut>> {
        if self.spent.get() {
            return Poll::Pending; // Whoever serves the connection looks after every turn.
        }
        let received = ready!(self.transport.poll_recv(cx, expect))?;
        if !self.budget.received(&received, coarse_ns()) {
            self.spent.set(true);
            return Poll::Pending;
        }
        Poll::Ready(Ok(received))
    }

    fn send(&mut self, data: &[u8]) {
        self.budget.sent(data.len());
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
