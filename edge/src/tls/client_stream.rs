//! A connection to a server over TLS, on owned buffers: the counterpart of [`super::TlsStream`].

use std::io;
use std::task::{Context, Poll, ready};

use bytes::BytesMut;
use rustls::Error as TlsError;
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::unbuffered::WriteTraffic;

use super::drive::Flow;
use super::records::{append_close_notify, append_data};
use crate::copying::pieces;
use crate::net::{Expect, Socket, Transport};

/// Plaintext gathered before it is sealed: one full record.
const GATHER_BYTES: usize = 16 * 1024;
/// Unfinished input a session may hold: a server's certificates, and room for the largest record.
const UNFINISHED_BYTES_MAX: usize = 128 * 1024;

/// A connection to a server over TLS.
pub struct ClientStream {
    socket: Socket,
    connection: UnbufferedClientConnection,
    flow: Flow,
    /// To be sealed.
    plain: BytesMut,
    finished: bool,
    closed: bool,
    /// Why the session has ended; the library must not be asked again.
    failed: Option<TlsError>,
}

type Traffic<'c> = WriteTraffic<'c, ClientConnectionData>;

impl ClientStream {
    /// Performs the handshake over a connected socket.
    pub(super) async fn handshake(
        socket: Socket,
        connection: UnbufferedClientConnection,
    ) -> io::Result<Box<ClientStream>> {
        let mut stream = Box::new(ClientStream {
            socket,
            connection,
            flow: Flow::default(),
            plain: BytesMut::new(),
            finished: false,
            closed: false,
            failed: None,
        });
        std::future::poll_fn(|cx| stream.poll_handshake(cx)).await?;
        Ok(stream)
    }

    /// The protocol agreed by ALPN.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.connection.alpn_protocol()
    }

    /// The socket below.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Whether the server has closed or sent something although nothing is due.
    pub fn is_stale(&mut self) -> bool {
        if self.flow.peer_closed || !self.flow.plaintext.is_empty() {
            return true;
        }
        // What may come at any time are session tickets, which are no answer.
        let mut nobody = Context::from_waker(std::task::Waker::noop());
        self.poll_recv(&mut nobody, Expect::Message).is_ready()
    }

    fn poll_handshake(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let outcome = self.process();
            self.queue();
            if let Err(error) = outcome {
                // The alert says why; dropping the socket earlier would overtake it.
                let _ = ready!(self.socket.poll_flush(cx));
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
            }
            let _ = self.socket.poll_flush(cx)?;
            if !self.connection.is_handshaking() {
                return Poll::Ready(Ok(()));
            }
            let chunk = ready!(self.socket.poll_recv(cx, Expect::Message))?;
            if chunk.is_empty() {
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.flow.receive(chunk);
        }
    }

    /// Moves handshake and alert bytes to the socket.
    fn queue(&mut self) {
        let outgoing = std::mem::take(&mut self.flow.outgoing);
        if !outgoing.is_empty() {
            self.socket.send(&outgoing);
        }
    }

    fn process(&mut self) -> Result<(), TlsError> {
        self.run(|_, _| Ok(())).map(|_| ())
    }

    fn seal(&mut self) -> io::Result<()> {
        let plain = std::mem::take(&mut self.plain);
        let mut sealed = BytesMut::new();
        let written = self.run(|mut traffic, outgoing| {
            sealed.extend_from_slice(&std::mem::take(outgoing));
            append_data(&mut traffic, &plain, &mut sealed)
        });
        match written.map_err(io::Error::other)? {
            Some(()) => {
                self.socket.send_owned(sealed);
                Ok(())
            }
            None => Err(io::ErrorKind::NotConnected.into()),
        }
    }

    /// Drives the library until it has no more to do with what arrived; `write` is called if
    /// application data may be sent, and gets the buffer of what must be sent before. An error ends
    /// the session: every later call reports the same.
    fn run(
        &mut self,
        write: impl FnMut(Traffic<'_>, &mut BytesMut) -> Result<(), super::SessionError>,
    ) -> Result<Option<()>, TlsError> {
        if let Some(error) = &self.failed {
            return Err(error.clone());
        }
        let outcome = self.flow.drive(&mut self.connection, write);
        let outcome = match outcome {
            Ok(Some(Err(error))) => Err(TlsError::General(error.to_string())),
            Ok(Some(Ok(()))) => Ok(Some(())),
            Ok(None) => Ok(None),
            Err(error) => Err(error),
        };
        let outcome = match self.flow.incoming.len() > UNFINISHED_BYTES_MAX {
            true => Err(TlsError::General(
                "an unfinished message is too long".into(),
            )),
            false => outcome,
        };
        if let Err(error) = &outcome {
            self.flow.fail(&mut self.connection);
            self.failed = Some(error.clone());
        }
        outcome
    }
}

impl Transport for ClientStream {
    fn poll_recv(&mut self, cx: &mut Context<'_>, expect: Expect) -> Poll<io::Result<BytesMut>> {
        loop {
            if !self.flow.plaintext.is_empty() || self.flow.peer_closed {
                return Poll::Ready(Ok(std::mem::take(&mut self.flow.plaintext)));
            }
            let chunk = ready!(self.socket.poll_recv(cx, expect))?;
            if chunk.is_empty() {
                // A body that ends with the connection must not end with a forged FIN (RFC 9112
                // §9.8); whatever has a length or chunks shows in its own framing.
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.flow.receive(chunk);
            let outcome = self.process();
            self.queue();
            if let Err(error) = outcome {
                let _ = self.socket.poll_flush(cx);
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
            }
        }
    }

    fn send(&mut self, data: &[u8]) {
        self.plain.reserve(data.len());
        pieces(data).for_each(|piece| self.plain.extend_from_slice(piece));
        if self.plain.len() >= GATHER_BYTES {
            // An error comes up again when the rest is sealed, where it can be reported.
            let _ = self.seal();
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
            let closed =
                self.run(|mut traffic, outgoing| append_close_notify(&mut traffic, outgoing));
            if closed.is_ok() {
                self.queue();
            }
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
