//! What the protocol fronts and the upstream side see of a connection.

use std::io;
use std::task::{Context, Poll};

use bytes::BytesMut;

/// How much is likely to arrive next; sizes the buffer that waits for it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Expect {
    /// Nothing but the end of the connection: the smallest buffer.
    End,
    /// Little at a time, as in an event stream, unless it turns out to be much; so much at most.
    Trickle(usize),
    /// The next message.
    Message,
}

/// A byte stream with at most one read and one write under way.
///
/// Polled, not awaited: one task can watch both directions and its deadlines in one place, and
/// nothing is lost when it turns to something else.
pub trait Transport: Unpin + 'static {
    /// The next bytes that arrived; empty at the end of the stream.
    fn poll_recv(&mut self, cx: &mut Context<'_>, expect: Expect) -> Poll<io::Result<BytesMut>>;

    /// Queues bytes; they leave with [`Transport::poll_flush`].
    fn send(&mut self, data: &[u8]);

    /// The end of the queue, to write a head or other small pieces into.
    fn out(&mut self) -> &mut BytesMut;

    /// Bytes queued that the kernel has not accepted yet.
    fn queued(&self) -> usize;

    /// Hands queued bytes to the kernel; ready when it has accepted them all.
    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>>;

    /// Makes the end of the connection show as a reset: what was sent is not the whole message.
    fn reset(&mut self);

    /// Queues the end of the sending direction: it follows the bytes already queued.
    fn finish(&mut self);
}

impl<T: Transport> Transport for Box<T> {
    fn poll_recv(&mut self, cx: &mut Context<'_>, expect: Expect) -> Poll<io::Result<BytesMut>> {
        (**self).poll_recv(cx, expect)
    }

    fn send(&mut self, data: &[u8]) {
        (**self).send(data);
    }

    fn out(&mut self) -> &mut BytesMut {
        (**self).out()
    }

    fn queued(&self) -> usize {
        (**self).queued()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        (**self).poll_flush(cx)
    }

    fn reset(&mut self) {
        (**self).reset();
    }

    fn finish(&mut self) {
        (**self).finish();
    }
}
