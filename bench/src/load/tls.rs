//! TLS over a non-blocking socket, with the bytes in our hands.

use std::io::{self, BufRead as _, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};
use rustls::client::Resumption;
use rustls::crypto::aws_lc_rs::{self, cipher_suite, kx_group};
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore, version};
use socket2::{Domain, Socket, Type};

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

/// What is read from a socket at a time; one buffer for all of a thread's connections.
pub(super) const WIRE_BYTES: usize = 64 << 10;

/// A client connection.
pub(super) struct Tls {
    socket: TcpStream,
    tls: ClientConnection,
}

impl Tls {
    /// Connects and shakes hands, waiting for both; reading goes on waiting until
    /// [`Tls::do_not_wait`].
    pub(super) fn connect(address: SocketAddr, config: &Arc<ClientConfig>) -> Result<Self> {
        Self::shake(socket(address, None)?, address, config)
    }

    /// The same with a receive buffer of this size, for who reads slowly: the rest waits elsewhere.
    pub(super) fn connect_narrow(
        address: SocketAddr,
        config: &Arc<ClientConfig>,
        bytes: usize,
    ) -> Result<Self> {
        Self::shake(socket(address, Some(bytes))?, address, config)
    }

    fn shake(
        mut socket: TcpStream,
        address: SocketAddr,
        config: &Arc<ClientConfig>,
    ) -> Result<Self> {
        socket.set_read_timeout(Some(PATIENCE))?;
        let mut tls = client(config)?;
        while tls.is_handshaking() {
            tls.complete_io(&mut socket)
                .with_context(|| format!("TLS handshake with {address}"))?;
        }
        Ok(Self { socket, tls })
    }

    /// Connects and has the first message of the handshake ready to be sent; the rest is up to
    /// [`Tls::receive`] and [`Tls::flush`].
    pub(super) fn start(address: SocketAddr, config: &Arc<ClientConfig>) -> Result<Self> {
        let tls = Self {
            socket: socket(address, None)?,
            tls: client(config)?,
        };
        tls.do_not_wait()?;
        Ok(tls)
    }

    /// From now on nothing waits for the socket.
    pub(super) fn do_not_wait(&self) -> io::Result<()> {
        self.socket.set_nonblocking(true)
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

    /// Sends what is queued, all of it, or fails: there is never more under way than a socket takes.
    pub(super) fn flush(&mut self) -> io::Result<()> {
        while self.tls.wants_write() {
            self.tls.write_tls(&mut self.socket)?;
        }
        Ok(())
    }

    /// Reads once from the socket, as much as `wire` holds, and hands on what it means, which may be
    /// nothing. The end of the connection is an error.
    pub(super) fn receive(
        &mut self,
        wire: &mut [u8],
        mut take: impl FnMut(&[u8]) -> Result<()>,
    ) -> Result<()> {
        let count = match self.socket.read(wire) {
            Ok(0) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error.into()),
        };
        let mut rest = &wire[..count];
        // A read of the socket may be several of the session's, whose own buffer is small.
        while !rest.is_empty() {
            self.tls.read_tls(&mut rest)?;
            self.tls.process_new_packets().map_err(io::Error::other)?;
            let mut reader = self.tls.reader();
            loop {
                let plain = match reader.fill_buf() {
                    Ok([]) => return Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                    Ok(plain) => plain,
                    Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                    Err(error) => return Err(error.into()),
                };
                let length = plain.len();
                take(plain)?;
                reader.consume(length);
            }
        }
        Ok(())
    }
}

fn socket(address: SocketAddr, receive_bytes: Option<usize>) -> Result<TcpStream> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if let Some(bytes) = receive_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket
        .connect_timeout(&address.into(), PATIENCE)
        .with_context(|| format!("cannot connect to {address}"))?;
    socket.set_tcp_nodelay(true)?;
    Ok(socket.into())
}

fn client(config: &Arc<ClientConfig>) -> Result<ClientConnection> {
    let name = ServerName::try_from(SERVER_NAME).expect("the name is valid");
    Ok(ClientConnection::new(Arc::clone(config), name)?)
}
