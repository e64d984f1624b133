//! TLS over a non-blocking socket, with the bytes in our hands.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, version};

/// For a connection and its handshake.
const PATIENCE: Duration = Duration::from_secs(10);
/// The name in the certificate.
pub(crate) const SERVER_NAME: &str = "localhost";

/// TLS 1.3 with one suite and one group, so that every proxy does the same cryptography.
pub(crate) fn client_config(
    authority: CertificateDer<'static>,
    protocol: &str,
) -> Result<ClientConfig> {
    let mut provider = aws_lc_rs::default_provider();
    provider.cipher_suites = vec![cipher_suite::TLS13_AES_128_GCM_SHA256];
    provider.kx_groups = vec![kx_group::X25519];
    let mut roots = RootCertStore::empty();
    roots.add(authority)?;
    let mut config = ClientConfig::builder_with_provider(Arc::new(provider))
        .with_protocol_versions(&[&version::TLS13])?
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = vec![protocol.as_bytes().to_vec()];
    config.resumption = Resumption::disabled();
    Ok(config)
}

/// The same for clients that come back: what each has of a server is used once.
pub(crate) fn resuming(config: &ClientConfig) -> ClientConfig {
    let mut config = config.clone();
    config.resumption = Resumption::in_memory_sessions(1);
    config
}

/// A client connection after its handshake.
pub(super) struct Tls {
    socket: TcpStream,
    tls: ClientConnection,
}

impl Tls {
    /// Connects and shakes hands, waiting for both.
    pub(super) fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> Result<Self> {
        let mut socket = TcpStream::connect_timeout(&address, PATIENCE)
            .with_context(|| format!("cannot connect to {address}"))?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(PATIENCE))?;
        let name = ServerName::try_from(SERVER_NAME).expect("the name is valid");
        let mut tls = ClientConnection::new(Arc::clone(config), name)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)
                .with_context(|| format!("TLS handshake with {address}"))?;
        }
        socket.set_nonblocking(true)?;
        Ok(Self { socket, tls })
    }

    /// Connects and has the first message of the handshake ready to be sent; the rest is up to
    /// [`Tls::receive`] and [`Tls::flush`].
    pub(super) fn start(address: SocketAddr, config: &Arc<ClientConfig>) -> Result<Self> {
        let socket = TcpStream::connect_timeout(&address, PATIENCE)
            .with_context(|| format!("cannot connect to {address}"))?;
        socket.set_nodelay(true)?;
        socket.set_nonblocking(true)?;
        let name = ServerName::try_from(SERVER_NAME).expect("the name is valid");
        let tls = ClientConnection::new(Arc::clone(config), name)?;
        Ok(Self { socket, tls })
    }

    pub(super) fn is_resumed(&self) -> bool {
        self.tls.handshake_kind() == Some(HandshakeKind::Resumed)
    }

    pub(super) fn close(&mut self) -> io::Result<()> {
        self.tls.send_close_notify();
        self.flush()
    }

    pub(super) fn socket(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }

    /// Encrypts, for [`Tls::flush`] to send.
    pub(super) fn queue(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.tls.writer().write_all(bytes)
    }

    /// Sends what is queued, all of it, or fails: there is never more than one request under way.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    /// Reads once from the socket and puts what it means into `into`; returns how many bytes that
    /// is, which may be none. The end of the connection is an error.
    pub(super) fn receive(&mut self, into: &mut [u8]) -> io::Result<usize> {
        match self.tls.read_tls(&mut self.socket) {
            Ok(0) => return Err(io::ErrorKind::UnexpectedEof.into()),
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            Err(error) => return Err(error),
        }
        self.tls.process_new_packets().map_err(io::Error::other)?;
        match self.tls.reader().read(into) {
            Ok(0) => Err(io::ErrorKind::UnexpectedEof.into()),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(0),
            result => result,
        }
    }
}
