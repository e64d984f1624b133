//! What carries the bytes to a server: a socket, or TLS over one.

use std::io;
use std::task::{Context, Poll};

use bytes::BytesMut;

use crate::net::{Expect, Socket, Transport};
use crate::tls::ClientStream;

/// A connection to a server.
pub(super) enum Channel {
    /// Bytes as they are.
    Plain(Socket),
    /// TLS.
    Tls(Box<ClientStream>),
}

impl Channel {
    fn socket(&self) -> &Socket {
        match self {
            Channel::Plain(socket) => socket,
            Channel::Tls(stream) => stream.socket(),
        }
    }

    /// Bytes the kernel has accepted so far, of the connection and not of its content.
    pub(super) fn sent(&self) -> u64 {
        self.socket().sent()
    }

    /// Takes back what is queued, if the kernel has taken nothing since `sent` bytes. What has been
    /// sealed cannot be sent over another connection.
    pub(super) fn take_unsent(&mut self, sent: u64) -> Option<BytesMut> {
        match self {
            Channel::Plain(socket) => socket.take_unsent(sent),
            Channel::Tls(_) => None,
        }
    }

    /// Whether the kernel has taken nothing since `sent` bytes had left.
    pub(super) fn is_untouched(&self, sent: u64) -> bool {
        self.socket().is_untouched(sent)
    }

    /// Queues a buffer whole.
    pub(super) fn send_owned(&mut self, data: BytesMut) {
        match self {
            Channel::Plain(socket) => socket.send_owned(data),
            Channel::Tls(stream) => stream.send(&data),
        }
    }

    /// Whether the server has closed or sent something although nothing is due.
    pub(super) fn is_stale(&mut self) -> bool {
        match self {
            Channel::Plain(socket) => socket.is_stale(),
            Channel::Tls(stream) => stream.is_stale(),
        }
    }

    fn transport(&mut self) -> &mut dyn Transport {
        match self {
            Channel::Plain(socket) => socket,
            Channel::Tls(stream) => &mut **stream,
        }
    }
}

impl Transport for Channel {
    fn poll_recv(&mut self, cx: &mut Context<'_>, expect: Expect) -> Poll<io::Result<BytesMut>> {
        match self {
            Channel::Plain(socket) => socket.poll_recv(cx, expect),
            Channel::Tls(stream) => stream.poll_recv(cx, expect),
        }
    }

    fn send(&mut self, data: &[u8]) {
        self.transport().send(data);
    }

    fn out(&mut self) -> &mut BytesMut {
        match self {
            Channel::Plain(socket) => socket.out(),
            Channel::Tls(stream) => stream.out(),
        }
    }

    fn queued(&self) -> usize {
        match self {
            Channel::Plain(socket) => socket.queued(),
            Channel::Tls(stream) => stream.queued(),
        }
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.transport().poll_flush(cx)
    }

    fn reset(&mut self) {
        self.transport().reset();
    }

    fn finish(&mut self) {
        self.transport().finish();
    }
}
