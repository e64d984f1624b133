//! One TLS connection without a socket, on owned buffers.
//!
//! Whoever owns the socket hands over the buffers that arrived and takes what came out: plaintext
//! to read, bytes to send. Nothing is buffered beyond one unfinished message, and buffers are let
//! go as soon as they are empty, so that an idle session holds its keys and little else.
//!
//! An error ends the session: the alert that tells the client is in [`Session::drain_outgoing`],
//! and every later call reports the same error. Bytes that follow a close (the client's
//! `close_notify`, or ours) are dropped unread. Whether an end of the byte stream without a
//! `close_notify` is a truncation is for the caller to judge.

use std::sync::Arc;

use bytes::BytesMut;
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::WriteTraffic;
use rustls::{HandshakeKind, NamedGroup, ProtocolVersion, ServerConfig};

use super::choosing::{Choice, Choosing};
use super::clients::ClientCertificate;
use super::drive::Flow;
use super::error::Error;
use super::records::{append_close_notify, append_data};
use super::resolve::{Asked, take_asked};
use super::server::Server;
use super::session_error::SessionError;
use crate::config::ClientAuth;

/// Unfinished input a session may hold; far above any client hello, and room for the largest record.
const UNFINISHED_BYTES_MAX: usize = 64 * 1024;

/// A fatal `access_denied` before encryption, which the library sends when it has no certificate.
const ACCESS_DENIED: [u8; 7] = [21, 3, 3, 0, 2, 2, 49];
/// A fatal `unrecognized_name` (RFC 6066 §3), which says so.
const UNRECOGNIZED_NAME: [u8; 7] = [21, 3, 3, 0, 2, 2, 112];

/// The server's side of a TLS connection.
pub struct Session {
    connection: UnbufferedServerConnection,
    flow: Flow,
    server_name: Option<Box<str>>,
    /// Until the client hello has said which configuration it will be.
    choosing: Option<Box<Choosing>>,
    client_auth: Option<Arc<ClientAuth>>,
    state: State,
}

#[derive(Debug)]
enum State {
    Open,
    /// We sent `close_notify`.
    Closed,
    Failed(SessionError),
}

/// A protocol version.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// TLS 1.2.
    Tls12,
    /// TLS 1.3.
    Tls13,
}

impl Version {
    /// `TLSv1.2` or `TLSv1.3`.
    pub fn as_str(self) -> &'static str {
        match self {
            Version::Tls12 => "TLSv1.2",
            Version::Tls13 => "TLSv1.3",
        }
    }
}

impl Session {
    /// A session that waits for the client's first bytes.
    pub fn new(config: Arc<ServerConfig>) -> Result<Self, Error> {
        Ok(Self {
            connection: UnbufferedServerConnection::new(config)?,
            flow: Flow::default(),
            server_name: None,
            choosing: None,
            client_auth: None,
            state: State::Open,
        })
    }

    /// A session that asks for a certificate if the host does that the client asks for.
    pub fn of(server: &Server) -> Result<Self, Error> {
        let mut session = Self::new(Arc::clone(server.open()))?;
        if server.is_choosing() {
            session.choosing = Some(Box::new(Choosing::new(server.clone())));
        }
        Ok(session)
    }

    /// Takes ciphertext that arrived; moved, not copied, when none is left from before.
    pub fn receive(&mut self, chunk: BytesMut) {
        if self.flow.peer_closed || !matches!(self.state, State::Open) {
            return;
        }
        self.flow.receive(chunk);
    }

    /// Works through all that arrived.
    ///
    /// Plaintext is then in [`take_plaintext`](Self::take_plaintext), also when this fails on a
    /// later record; bytes to send are in [`drain_outgoing`](Self::drain_outgoing).
    pub fn process(&mut self) -> Result<(), SessionError> {
        match &self.state {
            State::Open if self.choosing.is_some() => self.choose(),
            State::Open => self.run(|_, _| ()).map(|_| ()),
            State::Closed => Ok(()),
            State::Failed(error) => Err(error.clone()),
        }
    }

    /// What was decrypted since the last call; never more than what arrived.
    pub fn take_plaintext(&mut self) -> BytesMut {
        std::mem::take(&mut self.flow.plaintext)
    }

    /// Whether there are handshake or alert bytes to send.
    pub fn has_outgoing(&self) -> bool {
        !self.flow.outgoing.is_empty()
    }

    /// Appends handshake and alert bytes that must be sent.
    pub fn drain_outgoing(&mut self, out: &mut BytesMut) {
        let outgoing = std::mem::take(&mut self.flow.outgoing);
        if out.is_empty() && out.capacity() < outgoing.len() {
            *out = outgoing;
        } else {
            out.extend_from_slice(&outgoing);
        }
    }

    /// Appends `plaintext` as records, after whatever must be sent before them.
    ///
    /// One record for each started 16 KiB. Input that arrived but was not processed is processed
    /// first.
    pub fn encrypt(&mut self, plaintext: &[u8], out: &mut BytesMut) -> Result<(), SessionError> {
        match &self.state {
            State::Open => {}
            State::Closed => return Err(SessionError::Closed),
            State::Failed(error) => return Err(error.clone()),
        }
        let sealed = self.run(|mut traffic, outgoing| {
            out.extend_from_slice(&std::mem::take(outgoing));
            append_data(&mut traffic, plaintext, out)
        })?;
        match sealed {
            Some(Ok(())) => Ok(()),
            // Nothing was written; the library has queued a close_notify.
            Some(Err(error)) => Err(self.fail(error)),
            None => Err(SessionError::Handshaking),
        }
    }

    /// Appends whatever must still be sent and, if the handshake is complete, a `close_notify`.
    ///
    /// Nothing is decrypted or encrypted after this.
    pub fn close(&mut self, out: &mut BytesMut) {
        if matches!(self.state, State::Open) {
            let closed =
                self.run(|mut traffic, outgoing| append_close_notify(&mut traffic, outgoing));
            if closed.is_ok() {
                self.state = State::Closed;
            }
            self.flow.incoming = BytesMut::new();
        }
        self.drain_outgoing(out);
    }

    /// Whether the handshake is still going on.
    pub fn is_handshaking(&self) -> bool {
        self.connection.is_handshaking()
    }

    /// Whether the client has said that it will send nothing more.
    pub fn peer_closed(&self) -> bool {
        self.flow.peer_closed
    }

    /// The protocol agreed by ALPN, once the handshake got that far.
    pub fn alpn(&self) -> Option<&[u8]> {
        self.connection.alpn_protocol()
    }

    /// The version agreed, once the handshake got that far.
    pub fn version(&self) -> Option<Version> {
        match self.connection.protocol_version()? {
            ProtocolVersion::TLSv1_3 => Some(Version::Tls13),
            _ => Some(Version::Tls12),
        }
    }

    /// The name the client asked for, in lower case; `None` when it sent none.
    pub fn server_name(&self) -> Option<&str> {
        self.server_name.as_deref()
    }

    /// Whether the session continues an earlier one by ticket.
    pub fn is_resumed(&self) -> bool {
        self.connection.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    /// The group the keys were agreed in; `None` before, and for resumed TLS 1.2 sessions.
    pub fn key_exchange(&self) -> Option<NamedGroup> {
        Some(self.connection.negotiated_key_exchange_group()?.name())
    }

    /// What was asked of the client, if anything was.
    pub fn client_auth(&self) -> Option<&Arc<ClientAuth>> {
        self.client_auth.as_ref()
    }

    /// The certificate that the client has shown, and that was found good.
    pub fn client_certificate(&self) -> Option<ClientCertificate> {
        let chain = self.connection.peer_certificates()?;
        chain.first().map(ClientCertificate::of)
    }

    /// Looks for the name in what has arrived of the client hello.
    fn choose(&mut self) -> Result<(), SessionError> {
        let Some(choosing) = &mut self.choosing else {
            return Ok(());
        };
        // What is too long or no client hello is for the library to refuse.
        let chosen = match self.flow.incoming.len() > UNFINISHED_BYTES_MAX {
            true => Choice::Open,
            false => choosing.choose(&self.flow.incoming),
        };
        match chosen {
            Choice::Later => return Ok(()),
            Choice::Open => {}
            Choice::Guarded(guarded) => {
                let config = Arc::clone(&guarded.config);
                self.connection = UnbufferedServerConnection::new(config)
                    .map_err(|error| self.fail(SessionError::from_library(error)))?;
                self.client_auth = Some(Arc::clone(&guarded.settings));
            }
        }
        self.choosing = None;
        self.process()
    }

    /// Drives the library until it has no more to do with what arrived; `write` is called if
    /// application data may be sent, and gets the buffer of what must be sent before.
    fn run<R>(
        &mut self,
        write: impl FnMut(WriteTraffic<'_, ServerConnectionData>, &mut BytesMut) -> R,
    ) -> Result<Option<R>, SessionError> {
        let handshaking = self.connection.is_handshaking();
        let result = self.flow.drive(&mut self.connection, write);
        let asked = if handshaking { take_asked() } else { None };
        let result = result.map_err(|error| match &asked {
            Some(Asked {
                name: Some(name),
                known: false,
            }) => SessionError::UnknownName(name.clone()),
            _ => SessionError::from_library(error),
        });
        if let Some(asked) = asked {
            self.server_name = asked.name;
        }
        let written = result.map_err(|error| self.fail(error))?;

        if self.flow.incoming.len() > UNFINISHED_BYTES_MAX {
            return Err(self.fail(SessionError::Oversized(UNFINISHED_BYTES_MAX)));
        }
        Ok(written)
    }

    /// Ends the session: collects the alert for the client and lets go of the input.
    fn fail(&mut self, error: SessionError) -> SessionError {
        self.flow.fail(&mut self.connection);
        if matches!(error, SessionError::UnknownName(_))
            && self.flow.outgoing.ends_with(&ACCESS_DENIED)
        {
            let start = self.flow.outgoing.len() - ACCESS_DENIED.len();
            self.flow.outgoing[start..].copy_from_slice(&UNRECOGNIZED_NAME);
        }
        self.state = State::Failed(error.clone());
        error
    }
}

#[cfg(test)]
mod tests;
