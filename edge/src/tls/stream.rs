//! TLS over a socket of the ring: the transport of every HTTPS connection.
//!
//! No adapter stands between the session and the ring: received buffers move into the session and
//! what it seals goes straight into the socket's queue.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;

use super::clients::ClientCertificate;
use super::server::Server;
use super::session::{Session, Version};
use super::session_error::SessionError;
use crate::config::ClientAuth;
use crate::copying::pieces;
use crate::net::{Expect, Socket, Transport};

/// Plaintext gathered before it is sealed: one full record. Heads and small bodies share a record.
const GATHER_BYTES: usize = 16 * 1024;

/// A TLS connection.
pub struct TlsStream {
    socket: Socket,
    session: Session,
    plain: BytesMut,
    finished: bool,
    closed: bool,
    /// Why the handshake has failed, until the client has been told.
    failure: Option<SessionError>,
}

/// Why a handshake failed.
#[derive(Debug, thiserror::Error)]
pub enum HandshakeError {
    /// The connection broke.
    #[error("connection lost: {0}")]
    Io(#[from] io::Error),
    /// The client closed before it was done.
    #[error("closed by the client")]
    Closed,
    /// The handshake itself failed.
    #[error(transparent)]
    Tls(#[from] SessionError),
}

impl TlsStream {
    /// Performs the handshake. The caller sets the deadline.
    pub async fn accept(socket: Socket, server: &Server) -> Result<Box<TlsStream>, HandshakeError> {
        let session =
            Session::of(server).map_err(|error| HandshakeError::Io(io::Error::other(error)))?;
        let mut stream = Box::new(TlsStream {
            socket,
            session,
            plain: BytesMut::new(),
            finished: false,
            closed: false,
            failure: None,
        });
        std::future::poll_fn(|cx| stream.poll_handshake(cx)).await?;
        Ok(stream)
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), HandshakeError>> {
        loop {
            self.session.drain_outgoing(self.socket.out());
            if self.failure.is_some() {
                // Dropping the socket earlier would overtake the alert.
                let _ = ready!(self.socket.poll_flush(cx));
                let failure = self.failure.take().expect("looked at above");
                return Poll::Ready(Err(failure.into()));
            }
            if !self.session.is_handshaking() {
                // What is queued here, session tickets, leaves with the first flush.
                return Poll::Ready(Ok(()));
            }
            let _ = self.socket.poll_flush(cx)?;
            let chunk = ready!(self.socket.poll_recv(cx, Expect::Message))?;
            if chunk.is_empty() {
                return Poll::Ready(Err(HandshakeError::Closed));
            }
            self.session.receive(chunk);
            self.failure = self.session.process().err();
        }
    }

    /// The protocol agreed by ALPN is HTTP/2.
    pub fn is_h2(&self) -> bool {
        self.session.alpn() == Some(b"h2")
    }

    /// The version agreed.
    pub fn version(&self) -> Version {
        self.session.version().unwrap_or(Version::Tls13)
    }

    /// What was asked of the client, if anything was.
    pub fn client_auth(&self) -> Option<&Arc<ClientAuth>> {
        self.session.client_auth()
    }

    /// The certificate that the client has shown, and that was found good.
    pub fn client_certificate(&self) -> Option<ClientCertificate> {
        self.session.client_certificate()
    }

    fn seal(&mut self) -> io::Result<()> {
        let plain = std::mem::take(&mut self.plain);
        self.session
            .encrypt(&plain, self.socket.out())
            .map_err(io::Error::other)
    }
}

impl Transport for TlsStream {
    fn poll_recv(&mut self, cx: &mut Context<'_>, expect: Expect) -> Poll<io::Result<BytesMut>> {
        loop {
            let plaintext = self.session.take_plaintext();
            if !plaintext.is_empty() || self.session.peer_closed() {
                return Poll::Ready(Ok(plaintext));
            }
            let chunk = ready!(self.socket.poll_recv(cx, expect))?;
            if chunk.is_empty() {
                // No close_notify: a message that is cut short shows in its own framing.
                return Poll::Ready(Ok(chunk));
            }
            self.session.receive(chunk);
            let outcome = self.session.process();
            self.session.drain_outgoing(self.socket.out());
            if let Err(error) = outcome {
                let _ = self.socket.poll_flush(cx);
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
            }
        }
    }

    fn send(&mut self, data: &[u8]) {
        let whole_records = self.plain.is_empty() && data.len() >= GATHER_BYTES;
        if !whole_records || self.session.encrypt(data, self.socket.out()).is_err() {
            // An error comes up again when this is sealed, where it can be reported.
            self.plain.reserve(data.len());
            pieces(data).for_each(|piece| self.plain.extend_from_slice(piece));
        }
    }

    fn out(&mut self) -> &mut BytesMut {
        &mut self.plain
    }

    fn queued(&self) -> usize {
        self.plain.len() + self.socket.queued()
    }

    fn poll_flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        if !self.plain.is_empty() {
            self.seal()?;
        }
        if self.finished {
            self.finished = false;
            self.session.close(self.socket.out());
            self.socket.finish();
        }
        self.socket.poll_flush(cx)
    }

    fn reset(&mut self) {
        self.socket.reset();
    }

    fn finish(&mut self) {
        // Once: behind a close_notify nothing may follow (RFC 8446 §6.1).
        self.finished = !self.closed;
        self.closed = true;
    }
}
