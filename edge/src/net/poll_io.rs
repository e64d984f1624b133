//! A [`Transport`] as the pair of traits `h2` wants.
//!
//! The transport keeps at most one read and one write in flight and is polled by the connection's
//! task only, so wake-ups cannot be lost: every poll leaves its waker with the operation it waits
//! for.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::transport::{Expect, Transport};

/// Queued bytes beyond which writing waits for the socket.
const QUEUED_BYTES_MAX: usize = 64 * 1024;

/// Queued bytes up to which flushing does not wait for the send that is under way: `h2` flushes after
/// each DATA frame, and frames that come meanwhile leave together.
const GATHERED_BYTES_MAX: usize = 48 * 1024;

/// `AsyncRead + AsyncWrite` over a transport.
pub struct PollIo<T> {
    transport: T,
    input: BytesMut,
    finished: bool,
}

impl<T: Transport> PollIo<T> {
    /// Wraps a transport.
    pub fn new(transport: T) -> PollIo<T> {
        PollIo {
            transport,
            input: BytesMut::new(),
            finished: false,
        }
    }

    fn poll_room(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if self.transport.queued() < QUEUED_BYTES_MAX {
            return Poll::Ready(Ok(()));
        }
        self.transport.poll_flush(cx)
    }
}

impl<T: Transport> AsyncRead for PollIo<T> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        if self.input.is_empty() {
            self.input = ready!(self.transport.poll_recv(cx, Expect::Message))?;
        }
        let n = self.input.len().min(buf.remaining());
        buf.put_slice(&self.input[..n]);
        self.input.advance(n);
        if self.input.is_empty() {
            self.input = BytesMut::new();
        }
        Poll::Ready(Ok(()))
    }
}

impl<T: Transport> AsyncWrite for PollIo<T> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_room(cx))?;
        self.transport.send(buf);
        Poll::Ready(Ok(buf.len()))
    }

    fn poll_write_vectored(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        ready!(self.poll_room(cx))?;
        for buf in bufs {
            self.transport.send(buf);
        }
        Poll::Ready(Ok(bufs.iter().map(|buf| buf.len()).sum()))
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// Ready says that all of it leaves without another call: at the end of a send the task runs, and
    /// `h2` flushes whenever it does. [`AsyncWrite::poll_shutdown`] waits for the last byte.
    fn poll_flush(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.transport.poll_flush(cx) {
            Poll::Pending if self.transport.queued() < GATHERED_BYTES_MAX => Poll::Ready(Ok(())),
            flushed => flushed,
        }
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.finished {
            self.finished = true;
            self.transport.finish();
        }
        self.transport.poll_flush(cx)
    }
}
