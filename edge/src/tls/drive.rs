//! The walk through what has arrived: one loop for both sides of a TLS connection.
//!
//! The library reads from buffers of ours and says what it wants next; what it has read, and what
//! must be sent, is gathered here. How an error is told, and whether there is a second time, is for
//! the two sides to say.

use bytes::{Buf as _, BytesMut};
use rustls::client::{ClientConnectionData, UnbufferedClientConnection};
use rustls::server::{ServerConnectionData, UnbufferedServerConnection};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus, WriteTraffic};

use super::records::append_queued;

/// A side of a connection, as far as both are alike.
pub(super) trait Side {
    /// What tells the sides apart for the library.
    type Data;

    /// The next thing the library wants.
    fn process<'c, 'i>(
        &'c mut self,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data>;

    /// Whether handshake or alert bytes are queued inside the library.
    fn has_queued(&self) -> bool;
}

impl Side for UnbufferedClientConnection {
    type Data = ClientConnectionData;

    fn process<'c, 'i>(
        &'c mut self,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }

    fn has_queued(&self) -> bool {
        self.wants_write()
    }
}

impl Side for UnbufferedServerConnection {
    type Data = ServerConnectionData;

    fn process<'c, 'i>(
        &'c mut self,
        incoming: &'i mut [u8],
    ) -> UnbufferedStatus<'c, 'i, Self::Data> {
        self.process_tls_records(incoming)
    }

    fn has_queued(&self) -> bool {
        self.wants_write()
    }
}

/// What goes through a connection, in buffers that are let go as soon as they are empty.
#[derive(Default)]
pub(super) struct Flow {
    /// Ciphertext not yet understood.
    pub(super) incoming: BytesMut,
    /// Decrypted and not yet asked for.
    pub(super) plaintext: BytesMut,
    /// Handshake and alert bytes in the order they must be sent.
    pub(super) outgoing: BytesMut,
    /// The other side has said that it will send nothing more.
    pub(super) peer_closed: bool,
}

impl Flow {
    /// Takes ciphertext that arrived; moved, not copied, when none is left from before.
    pub(super) fn receive(&mut self, chunk: BytesMut) {
        if self.incoming.is_empty() {
            self.incoming = chunk;
        } else {
            self.incoming.extend_from_slice(&chunk);
        }
    }

    /// Drives the library until it has no more to do with what arrived; `write` is called if
    /// application data may be sent, and gets the buffer of what must be sent before.
    pub(super) fn drive<S: Side, R>(
        &mut self,
        side: &mut S,
        mut write: impl FnMut(WriteTraffic<'_, S::Data>, &mut BytesMut) -> R,
    ) -> Result<Option<R>, rustls::Error> {
        let arrived = self.incoming.len();
        let result = loop {
            let UnbufferedStatus { mut discard, state } = side.process(&mut self.incoming);
            let step = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    if self.plaintext.is_empty() {
                        // One allocation for all that arrived: plaintext is shorter than records.
                        self.plaintext.reserve(arrived);
                    }
                    loop {
                        match traffic.next_record() {
                            Some(Ok(record)) => {
                                discard += record.discard;
                                self.plaintext.extend_from_slice(record.payload);
                            }
                            Some(Err(error)) => break Some(Err(error)),
                            None => break None,
                        }
                    }
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append_queued(&mut data, &mut self.outgoing);
                    None
                }
                // Sent, as far as the library is concerned: our buffer keeps it, and the order.
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    None
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.peer_closed = true;
                    None
                }
                Ok(ConnectionState::WriteTraffic(traffic)) => {
                    Some(Ok(Some(write(traffic, &mut self.outgoing))))
                }
                Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => Some(Ok(None)),
                // Early data is refused by the configuration; other states do not exist yet.
                Ok(_) => Some(Err(rustls::Error::General("unexpected state".to_owned()))),
                Err(error) => Some(Err(error)),
            };
            self.incoming.advance(discard);
            if let Some(result) = step {
                break result;
            }
        };
        if self.incoming.is_empty() || self.peer_closed {
            self.incoming = BytesMut::new();
        }
        result
    }

    /// After an error: gathers the alert that tells the other side, and lets go of the input.
    pub(super) fn fail<S: Side>(&mut self, side: &mut S) {
        // Only queued bytes are asked for: going on to the input would fail again.
        while side.has_queued() {
            match side.process(&mut self.incoming).state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append_queued(&mut data, &mut self.outgoing);
                }
                _ => break,
            }
        }
        self.incoming = BytesMut::new();
    }
}
