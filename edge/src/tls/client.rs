//! TLS towards servers: whom to believe and what to show, and one connection on owned buffers.
//!
//! The counterpart of [`super::Session`]: there edge answers, here it asks. Sessions are resumed, by
//! what the library remembers for each server name.

use std::io;
use std::sync::Arc;
use std::task::{Context, Poll, ready};

use bytes::{Buf as _, BytesMut};
use rustls::client::UnbufferedClientConnection;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, verify_tls12_signature, verify_tls13_signature};
use rustls::unbuffered::{ConnectionState, UnbufferedStatus, WriteTraffic};
use rustls::{
    CertificateError, ClientConfig, DigitallySignedStruct, Error as TlsError, RootCertStore,
    SignatureScheme,
};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName, UnixTime};

use super::config::provider;
use super::records::{append_close_notify, append_data, append_queued};
use crate::config::UpstreamTls;
use crate::net::{Expect, Socket, Transport};

/// Plaintext gathered before it is sealed: one full record.
const GATHER_BYTES: usize = 16 * 1024;
/// Unfinished input a session may hold: a server's certificates, and room for the largest record.
const UNFINISHED_BYTES_MAX: usize = 128 * 1024;

/// Why the files of an [`UpstreamTls`] cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// A file holds no certificate.
    #[error("holds no certificate in PEM form: it must contain -----BEGIN CERTIFICATE-----")]
    NoCertificate,
    /// A file holds no key.
    #[error("holds no private key in PEM form that can be read without a passphrase")]
    NoKey,
    /// An authority's certificate cannot be used.
    #[error("holds a certificate that cannot be used as an authority ({0})")]
    Authority(#[source] TlsError),
    /// Certificate and key cannot be used together.
    #[error("cannot be used with its key ({0})")]
    Identity(#[source] TlsError),
    /// The machine trusts nobody.
    #[error(
        "this machine trusts no certificate authority: install ca-certificates, or name one in `ca`"
    )]
    NoRoots,
}

/// How connections to the servers of an upstream are secured; shared by all workers.
#[derive(Clone, Debug)]
pub struct Client(Arc<ClientConfig>);

impl Client {
    /// From settings whose files have been read.
    pub fn new(settings: &UpstreamTls) -> Result<Client, ClientError> {
        let provider = Arc::new(provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider knows the default versions");
        let builder = match settings.insecure {
            true => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Anybody(provider))),
            false => builder.with_root_certificates(roots(settings)?),
        };
        let mut config = match &settings.content.identity {
            None => builder.with_no_client_auth(),
            Some([chain, key]) => {
                let chain = certificates(chain)?;
                let key = PrivateKeyDer::from_pem_slice(key).map_err(|_| ClientError::NoKey)?;
                builder
                    .with_client_auth_cert(chain, key)
                    .map_err(ClientError::Identity)?
            }
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(Client(Arc::new(config)))
    }

    /// The library's own configuration, for connections with blocking calls.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.0
    }

    /// Performs the handshake. The caller sets the deadline.
    pub async fn connect(
        &self,
        socket: Socket,
        name: ServerName<'static>,
    ) -> Result<Box<ClientStream>, io::Error> {
        let connection =
            UnbufferedClientConnection::new(Arc::clone(&self.0), name).map_err(io::Error::other)?;
        let mut stream = Box::new(ClientStream {
            socket,
            connection,
            incoming: BytesMut::new(),
            plaintext: BytesMut::new(),
            outgoing: BytesMut::new(),
            plain: BytesMut::new(),
            peer_closed: false,
            finished: false,
            closed: false,
            failed: None,
        });
        std::future::poll_fn(|cx| stream.poll_handshake(cx)).await?;
        Ok(stream)
    }
}

fn roots(settings: &UpstreamTls) -> Result<RootCertStore, ClientError> {
    let mut roots = RootCertStore::empty();
    match &settings.content.ca {
        Some(pem) => {
            for certificate in certificates(pem)? {
                roots.add(certificate).map_err(ClientError::Authority)?;
            }
        }
        None => {
            let native = rustls_native_certs::load_native_certs().certs;
            if roots.add_parsable_certificates(native).0 == 0 {
                return Err(ClientError::NoRoots);
            }
        }
    }
    Ok(roots)
}

fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, ClientError> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    chain
        .ok()
        .filter(|chain| !chain.is_empty())
        .ok_or(ClientError::NoCertificate)
}

/// Why a server is not believed, as a word for logs; `None` where something else went wrong.
pub fn distrust(error: &io::Error) -> Option<&'static str> {
    let inner = error.get_ref()?.downcast_ref::<TlsError>()?;
    let TlsError::InvalidCertificate(reason) = inner else {
        return Some("upstream_tls");
    };
    Some(match reason {
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "upstream_certificate_expired"
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "upstream_certificate_not_yet_valid"
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            "upstream_certificate_name"
        }
        // An authority of the same name with another key shows as a bad signature.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "upstream_certificate_untrusted"
        }
        _ => "upstream_certificate",
    })
}

/// Believes any certificate whose key the server has: `insecure = true`.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, TlsError> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, TlsError> {
        let algorithms = &self.0.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

/// A connection to a server over TLS.
pub struct ClientStream {
    socket: Socket,
    connection: UnbufferedClientConnection,
    /// Ciphertext not yet understood.
    incoming: BytesMut,
    /// Decrypted and not yet asked for.
    plaintext: BytesMut,
    /// Handshake and alert bytes in the order they must be sent.
    outgoing: BytesMut,
    /// To be sealed.
    plain: BytesMut,
    peer_closed: bool,
    finished: bool,
    closed: bool,
    /// Why the session has ended; the library must not be asked again.
    failed: Option<TlsError>,
}

type Traffic<'c> = WriteTraffic<'c, rustls::client::ClientConnectionData>;

impl ClientStream {
    /// The socket below.
    pub fn socket(&self) -> &Socket {
        &self.socket
    }

    /// Whether the server has closed or sent something although nothing is due.
    pub fn is_stale(&mut self) -> bool {
        if self.peer_closed || !self.plaintext.is_empty() {
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
            self.receive(chunk);
        }
    }

    fn receive(&mut self, chunk: BytesMut) {
        if self.incoming.is_empty() {
            self.incoming = chunk;
        } else {
            self.incoming.extend_from_slice(&chunk);
        }
    }

    /// Moves handshake and alert bytes to the socket.
    fn queue(&mut self) {
        let outgoing = std::mem::take(&mut self.outgoing);
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
        let outcome = self.drive(write);
        if let Err(error) = &outcome {
            self.failed = Some(error.clone());
            self.incoming = BytesMut::new();
        }
        outcome
    }

    fn drive(
        &mut self,
        mut write: impl FnMut(Traffic<'_>, &mut BytesMut) -> Result<(), super::SessionError>,
    ) -> Result<Option<()>, TlsError> {
        let arrived = self.incoming.len();
        loop {
            let UnbufferedStatus { mut discard, state } =
                self.connection.process_tls_records(&mut self.incoming);
            let done = match state {
                Ok(ConnectionState::ReadTraffic(mut traffic)) => {
                    self.plaintext.reserve(arrived);
                    let mut failed = None;
                    while let Some(record) = traffic.next_record() {
                        match record {
                            Ok(record) => {
                                discard += record.discard;
                                self.plaintext.extend_from_slice(record.payload);
                            }
                            Err(error) => {
                                failed = Some(Err(error));
                                break;
                            }
                        }
                    }
                    failed
                }
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append_queued(&mut data, &mut self.outgoing);
                    None
                }
                Ok(ConnectionState::TransmitTlsData(data)) => {
                    data.done();
                    None
                }
                Ok(ConnectionState::PeerClosed) => {
                    self.peer_closed = true;
                    None
                }
                Ok(ConnectionState::WriteTraffic(traffic)) => Some(
                    write(traffic, &mut self.outgoing)
                        .map(Some)
                        .map_err(|error| TlsError::General(error.to_string())),
                ),
                Ok(ConnectionState::BlockedHandshake | ConnectionState::Closed) => Some(Ok(None)),
                Ok(_) => Some(Err(TlsError::General("unexpected state".to_owned()))),
                Err(error) => {
                    self.collect_alert();
                    Some(Err(error))
                }
            };
            self.incoming.advance(discard.min(self.incoming.len()));
            let Some(result) = done else { continue };
            if self.incoming.len() > UNFINISHED_BYTES_MAX {
                return Err(TlsError::General(
                    "an unfinished message is too long".into(),
                ));
            }
            if self.incoming.is_empty() {
                self.incoming = BytesMut::new();
            }
            return result;
        }
    }

    /// Only queued bytes are asked for: going on to the input would fail again.
    fn collect_alert(&mut self) {
        while self.connection.wants_write() {
            let UnbufferedStatus { state, .. } =
                self.connection.process_tls_records(&mut self.incoming);
            match state {
                Ok(ConnectionState::EncodeTlsData(mut data)) => {
                    append_queued(&mut data, &mut self.outgoing);
                }
                _ => break,
            }
        }
    }
}

impl Transport for ClientStream {
    fn poll_recv(&mut self, cx: &mut Context<'_>, expect: Expect) -> Poll<io::Result<BytesMut>> {
        loop {
            if !self.plaintext.is_empty() || self.peer_closed {
                return Poll::Ready(Ok(std::mem::take(&mut self.plaintext)));
            }
            let chunk = ready!(self.socket.poll_recv(cx, expect))?;
            if chunk.is_empty() {
                // A body that ends with the connection must not end with a forged FIN (RFC 9112
                // §9.8); whatever has a length or chunks shows in its own framing.
                return Poll::Ready(Err(io::ErrorKind::UnexpectedEof.into()));
            }
            self.receive(chunk);
            let outcome = self.process();
            self.queue();
            if let Err(error) = outcome {
                let _ = self.socket.poll_flush(cx);
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidData, error)));
            }
        }
    }

    fn send(&mut self, data: &[u8]) {
        self.plain.extend_from_slice(data);
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
