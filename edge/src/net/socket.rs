//! A connected stream socket on the ring: TCP or Unix.

use std::future::Future as _;
use std::io;
use std::net::Shutdown;
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::{Rc, Weak};
use std::task::{Context, Poll, Waker, ready};
use std::time::Duration;

use bytes::{Buf as _, BytesMut};
use socket2::SockRef;

use super::op::{self, Arrival};
use super::ring::hurry;
use super::transport::{Expect, Transport};
use crate::copying::pieces;

/// Where receive buffers start: a request head or a JSON-RPC message fits.
const RECV_BYTES: usize = 4 * 1024;
/// Where they start when nothing is expected: the next small request fits all the same, for the
/// receive that watches for the end of the connection is the one that gets it.
const RECV_BYTES_LITTLE: usize = 1536;
/// Where they stop growing: bulk transfers gain nothing beyond it.
const RECV_BYTES_MAX: usize = 128 * 1024;

/// A connected socket with at most one receive and one send in flight.
pub struct Socket {
    fd: Rc<OwnedFd>,
    receiving: Option<op::Transfer>,
    sending: Option<op::Transfer>,
    /// Bytes in the operation in flight.
    sending_bytes: usize,
    /// Bytes that wait for it to complete.
    out: BytesMut,
    recv_bytes: usize,
    /// Received and given back.
    unread: Option<Box<BytesMut>>,
    received: u64,
    sent: u64,
    send_failed: Option<io::ErrorKind>,
    ended: bool,
    finishing: bool,
}

impl Socket {
    /// Takes over a connected socket.
    pub fn new(fd: OwnedFd) -> Socket {
        Socket {
            fd: Rc::new(fd),
            receiving: None,
            sending: None,
            sending_bytes: 0,
            out: BytesMut::new(),
            recv_bytes: RECV_BYTES,
            unread: None,
            received: 0,
            sent: 0,
            send_failed: None,
            ended: false,
            finishing: false,
        }
    }

    /// A way to end the connection from elsewhere.
    pub fn hang_up(&self) -> HangUp {
        HangUp(Rc::downgrade(&self.fd))
    }

    pub(super) fn fd(&self) -> &Rc<OwnedFd> {
        &self.fd
    }

    /// Bytes received so far.
    pub fn received(&self) -> u64 {
        self.received
    }

    /// Bytes the kernel has accepted so far.
    pub fn sent(&self) -> u64 {
        self.sent
    }

    /// Queues a buffer whole: moved, not copied, when nothing else waits.
    pub fn send_owned(&mut self, data: BytesMut) {
        if self.out.is_empty() {
            self.out = data;
        } else {
            self.out.extend_from_slice(&data);
        }
    }

    /// Gives back bytes that have been received: they are received again, before all others.
    pub fn unread(&mut self, bytes: BytesMut) {
        if !bytes.is_empty() {
            self.unread = Some(Box::new(bytes));
        }
    }

    /// Takes back what was queued since `sent` bytes had left, if the kernel has taken none of it.
    pub fn take_unsent(&mut self, sent: u64) -> Option<BytesMut> {
        self.is_untouched(sent).then(|| self.out.split())
    }

    /// Whether the kernel has taken nothing, and is about to take nothing, since `sent` bytes had left.
    pub fn is_untouched(&self, sent: u64) -> bool {
        self.sent == sent && self.sending.is_none()
    }

    /// Whether the peer has closed or sent something although nothing is due. Leaves a receive
    /// under way that notices it and, if nothing of the kind happens, gets the next answer.
    pub fn is_stale(&mut self) -> bool {
        self.recv_bytes = RECV_BYTES;
        let mut nobody = Context::from_waker(Waker::noop());
        self.poll_recv(&mut nobody, Expect::Message).is_ready()
    }

    fn next_recv_bytes(&mut self, filled: usize, capacity: usize) {
        if filled == capacity {
            self.recv_bytes = (capacity * 4).clamp(RECV_BYTES, RECV_BYTES_MAX);
        } else if filled < capacity / 4 {
            self.recv_bytes = RECV_BYTES;
        }
    }
}

impl Transport for Socket {
    fn poll_recv(&mut self, cx: &mut Context<'_>, expect: Expect) -> Poll<io::Result<BytesMut>> {
        if let Some(bytes) = self.unread.take() {
            return Poll::Ready(Ok(*bytes));
        }
        if self.ended {
            return Poll::Ready(Ok(BytesMut::new()));
        }
        let operation = self.receiving.get_or_insert_with(|| {
            let bytes = match expect {
                Expect::End => RECV_BYTES_LITTLE,
                Expect::Trickle(_) if self.recv_bytes == RECV_BYTES => RECV_BYTES_LITTLE,
                Expect::Trickle(most) => self.recv_bytes.min(most),
                Expect::Message => self.recv_bytes,
            };
            // Buffers have grown where bytes come faster than they are read.
            let arrival = match self.recv_bytes == RECV_BYTES {
                true => Arrival::Later,
                false => Arrival::Now,
            };
            op::recv(&self.fd, BytesMut::with_capacity(bytes), arrival)
        });
        let (outcome, buf) = ready!(Pin::new(operation).poll(cx));
        self.receiving = None;
        match outcome {
            Ok(0) => self.ended = true,
            Ok(n) => {
                self.received += n as u64;
                self.next_recv_bytes(n, buf.capacity());
            }
            Err(error) => return Poll::Ready(Err(error)),
        }
        Poll::Ready(Ok(buf))
    }

    fn send(&mut self, data: &[u8]) {
        self.out.reserve(data.len());
        pieces(data).for_each(|piece| self.out.extend_from_slice(piece));
    }

    fn out(&mut self) -> &mut BytesMut {
        &mut self.out
    }

    fn queued(&self) -> usize {
        self.out.len() + self.sending_bytes
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if let Some(kind) = self.send_failed {
            return Poll::Ready(Err(kind.into()));
        }
        loop {
            if let Some(operation) = &mut self.sending {
                let Poll::Ready((outcome, mut buf)) = Pin::new(operation).poll(cx) else {
                    if self.finishing || !self.out.is_empty() {
                        hurry();
                    }
                    return Poll::Pending;
                };
                self.sending = None;
                self.sending_bytes = 0;
                let n = match outcome {
                    Ok(0) if !buf.is_empty() => {
                        return self.fail(buf, io::ErrorKind::WriteZero.into());
                    }
                    Ok(n) => n,
                    Err(error) => return self.fail(buf, error),
                };
                self.sent += n as u64;
                buf.advance(n);
                if !buf.is_empty() {
                    self.submit(buf);
                }
            } else if !self.out.is_empty() {
                let buf = std::mem::take(&mut self.out);
                self.submit(buf);
            } else {
                break;
            }
        }
        if std::mem::take(&mut self.finishing) {
            // The peer may have closed first: then there is nothing left to end.
            let _ = SockRef::from(&*self.fd).shutdown(Shutdown::Write);
        }
        Poll::Ready(Ok(()))
    }

    fn reset(&mut self) {
        // Fails only on a socket that is gone already.
        let _ = SockRef::from(&*self.fd).set_linger(Some(Duration::ZERO));
    }

    fn finish(&mut self) {
        self.finishing = true;
    }
}

impl Socket {
    fn submit(&mut self, buf: BytesMut) {
        self.sending_bytes = buf.len();
        self.sending = Some(op::send(&self.fd, buf));
    }

    /// What could not be sent stays, for whoever wants to send it over another connection.
    fn fail(&mut self, mut unsent: BytesMut, error: io::Error) -> Poll<io::Result<()>> {
        self.send_failed = Some(error.kind());
        unsent.extend_from_slice(&self.out);
        self.out = unsent;
        Poll::Ready(Err(error))
    }
}

/// Ends a connection that somebody else holds, if it is still there.
pub struct HangUp(Weak<OwnedFd>);

impl HangUp {
    /// As if the peer had closed: what is received ends, what is sent fails.
    pub fn now(&self) {
        if let Some(fd) = self.0.upgrade() {
            // Fails only on a socket that has ended already.
            let _ = SockRef::from(&*fd).shutdown(Shutdown::Both);
        }
    }
}

impl Drop for Socket {
    fn drop(&mut self) {
        if self.receiving.is_some() || self.sending.is_some() {
            // An operation in flight keeps the descriptor open; this completes it.
            let _ = SockRef::from(&*self.fd).shutdown(Shutdown::Both);
        }
    }
}
