//! A raw HTTP/1.1 client over TCP or TLS: sends exactly the bytes it is given, and never waits unbounded.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{CertificateDer, PrivateKeyDer, ServerName};

use super::certs::Leaf;
use super::response::{Response, parse};

/// What to offer for HTTP/1.1 only.
pub(crate) const ALPN_H1: &[&[u8]] = &[b"http/1.1"];
/// What to offer for HTTP/2 only.
pub(crate) const ALPN_H2: &[&[u8]] = &[b"h2"];

/// How long a test waits for something that should take milliseconds.
const PATIENCE: Duration = Duration::from_secs(5);

enum Transport {
    Plain(TcpStream),
    Tls(Box<StreamOwned<ClientConnection, TcpStream>>),
}

/// One connection.
pub(crate) struct Client {
    transport: Transport,
    /// Received and not yet consumed.
    buffer: Vec<u8>,
}

/// Why no more bytes come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// FIN, and over TLS a close_notify before it.
    Clean,
    /// RST, or FIN without close_notify.
    Cut,
    /// Nothing came in time.
    TimedOut,
}

impl Client {
    /// Connects over TCP.
    pub(crate) fn plain(address: SocketAddr) -> Client {
        Client {
            transport: Transport::Plain(connect(address)),
            buffer: Vec::new(),
        }
    }

    /// Connects over TCP from an address of this machine's; `None` when nothing answers in time.
    pub(crate) fn plain_from(
        source: IpAddr,
        address: SocketAddr,
        limit: Duration,
    ) -> Option<Client> {
        let domain = socket2::Domain::for_address(address);
        let socket = socket2::Socket::new(domain, socket2::Type::STREAM, None).expect("a socket");
        socket
            .bind(&SocketAddr::new(source, 0).into())
            .expect("the address is ours");
        socket.connect_timeout(&address.into(), limit).ok()?;
        Some(Client {
            transport: Transport::Plain(socket.into()),
            buffer: Vec::new(),
        })
    }

    /// Turns a plain connection into a TLS one to `localhost`.
    pub(crate) fn into_tls(
        self,
        roots: &Arc<RootCertStore>,
        alpn: &[&[u8]],
    ) -> std::io::Result<Client> {
        let Transport::Plain(stream) = self.transport else {
            return Ok(self);
        };
        handshake(stream, "localhost", tls_config(roots, alpn))
    }

    /// Connects and completes the TLS handshake for `name`.
    pub(crate) fn tls(
        address: SocketAddr,
        name: &str,
        roots: &Arc<RootCertStore>,
        alpn: &[&[u8]],
    ) -> Client {
        Client::try_tls(address, name, roots, alpn)
            .unwrap_or_else(|error| panic!("TLS to {address}: {error}"))
    }

    /// Like [`Client::tls`], for handshakes that are expected to fail.
    pub(crate) fn try_tls(
        address: SocketAddr,
        name: &str,
        roots: &Arc<RootCertStore>,
        alpn: &[&[u8]],
    ) -> std::io::Result<Client> {
        Client::tls_using(address, name, tls_config(roots, alpn))
    }

    /// Connects with a configuration of the test's own.
    pub(crate) fn tls_using(
        address: SocketAddr,
        name: &str,
        config: Arc<ClientConfig>,
    ) -> std::io::Result<Client> {
        handshake(connect(address), name, config)
    }

    /// Sends bytes; fails when the peer has closed.
    pub(crate) fn send(&mut self, bytes: impl AsRef<[u8]>) {
        self.try_send(bytes.as_ref())
            .expect("the peer takes the bytes");
    }

    /// Sends bytes to a peer that may answer and close before it has read all of them.
    pub(crate) fn try_send(&mut self, bytes: &[u8]) -> std::io::Result<()> {
        self.socket().set_write_timeout(Some(PATIENCE))?;
        match &mut self.transport {
            Transport::Plain(stream) => stream.write_all(bytes),
            Transport::Tls(stream) => stream.write_all(bytes).and_then(|()| stream.flush()),
        }
    }

    /// Sends a request and reads its whole answer.
    pub(crate) fn exchange(&mut self, request: impl AsRef<[u8]>) -> Response {
        self.send(request.as_ref());
        let method = request
            .as_ref()
            .split(|byte| *byte == b' ')
            .next()
            .unwrap_or_default();
        self.response(method == b"HEAD")
    }

    /// Reads one whole answer; interim ones (1xx) count as answers.
    pub(crate) fn response(&mut self, to_head: bool) -> Response {
        self.response_within(to_head, PATIENCE)
            .unwrap_or_else(|reason| panic!("no answer: {reason}"))
    }

    /// Reads one whole answer, or says why there is none.
    pub(crate) fn response_within(
        &mut self,
        to_head: bool,
        limit: Duration,
    ) -> Result<Response, String> {
        let deadline = Instant::now() + limit;
        let mut end = None;
        loop {
            if let Some((response, used)) = parse(&self.buffer, to_head, end == Some(End::Clean))? {
                self.buffer.drain(..used);
                return Ok(response);
            }
            if let Some(end) = end {
                return Err(format!(
                    "{end:?} after {:?}",
                    String::from_utf8_lossy(&self.buffer)
                ));
            }
            end = self.fill(deadline).err();
        }
    }

    /// Like [`Client::response_within`], passing over interim answers.
    pub(crate) fn final_response_within(&mut self, limit: Duration) -> Result<Response, String> {
        let deadline = Instant::now() + limit;
        loop {
            let response =
                self.response_within(false, deadline.saturating_duration_since(Instant::now()))?;
            if response.status >= 200 {
                return Ok(response);
            }
        }
    }

    /// Reads up to and including `marker`, and returns everything up to there.
    pub(crate) fn read_until(&mut self, marker: &str, limit: Duration) -> String {
        let deadline = Instant::now() + limit;
        loop {
            let position = memchr::memmem::find(&self.buffer, marker.as_bytes());
            if let Some(position) = position {
                let taken: Vec<u8> = self.buffer.drain(..position + marker.len()).collect();
                return String::from_utf8_lossy(&taken).into_owned();
            }
            if let Err(end) = self.fill(deadline) {
                panic!(
                    "no {marker:?} but {end:?} after {:?}",
                    String::from_utf8_lossy(&self.buffer)
                );
            }
        }
    }

    /// Whether `marker` stands in what has come within `limit`; nothing is consumed.
    pub(crate) fn has_read(&mut self, marker: &str, limit: Duration) -> bool {
        let deadline = Instant::now() + limit;
        loop {
            if memchr::memmem::find(&self.buffer, marker.as_bytes()).is_some() {
                return true;
            }
            if self.fill(deadline).is_err() {
                return false;
            }
        }
    }

    /// Reads everything until the peer closes.
    pub(crate) fn read_to_end(&mut self, limit: Duration) -> (Vec<u8>, End) {
        let deadline = Instant::now() + limit;
        loop {
            if let Err(end) = self.fill(deadline) {
                return (std::mem::take(&mut self.buffer), end);
            }
        }
    }

    /// Reads and discards at most `most` bytes; how many came before the end or `limit`.
    pub(crate) fn skip(&mut self, most: usize, limit: Duration) -> usize {
        let deadline = Instant::now() + limit;
        let mut skipped = std::mem::take(&mut self.buffer).len();
        while skipped < most && self.fill(deadline).is_ok() {
            skipped += self.buffer.len();
            self.buffer.clear();
        }
        skipped
    }

    /// The socket, for options and half-closes.
    pub(crate) fn socket(&self) -> &TcpStream {
        match &self.transport {
            Transport::Plain(stream) => stream,
            Transport::Tls(stream) => &stream.sock,
        }
    }

    /// Reads once into the buffer.
    fn fill(&mut self, deadline: Instant) -> Result<(), End> {
        let left = deadline
            .saturating_duration_since(Instant::now())
            .max(Duration::from_millis(1));
        self.socket()
            .set_read_timeout(Some(left))
            .expect("the time-out is not zero");
        let mut chunk = [0; 64 * 1024];
        let read = match &mut self.transport {
            Transport::Plain(stream) => stream.read(&mut chunk),
            Transport::Tls(stream) => stream.read(&mut chunk),
        };
        match read {
            Ok(0) => Err(End::Clean),
            Ok(read) => {
                self.buffer.extend_from_slice(&chunk[..read]);
                Ok(())
            }
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                Err(End::TimedOut)
            }
            Err(_) => Err(End::Cut),
        }
    }
}

fn handshake(
    mut stream: TcpStream,
    name: &str,
    config: Arc<ClientConfig>,
) -> std::io::Result<Client> {
    stream.set_read_timeout(Some(PATIENCE))?;
    let name = ServerName::try_from(name.to_owned()).expect("test names are valid");
    let mut session = ClientConnection::new(config, name).map_err(std::io::Error::other)?;
    while session.is_handshaking() {
        session.complete_io(&mut stream)?;
    }
    let transport = Transport::Tls(Box::new(StreamOwned::new(session, stream)));
    Ok(Client {
        transport,
        buffer: Vec::new(),
    })
}

fn connect(address: SocketAddr) -> TcpStream {
    let stream = TcpStream::connect_timeout(&address, PATIENCE)
        .unwrap_or_else(|error| panic!("cannot connect to {address}: {error}"));
    stream
        .set_nodelay(true)
        .expect("TCP sockets have TCP_NODELAY");
    stream
}

/// A client configuration that trusts `roots` and offers `alpn`.
pub(crate) fn tls_config(roots: &Arc<RootCertStore>, alpn: &[&[u8]]) -> Arc<ClientConfig> {
    tls_config_of(roots, alpn, None)
}

/// The same for a client that shows a certificate, if there is one.
pub(crate) fn tls_config_of(
    roots: &Arc<RootCertStore>,
    alpn: &[&[u8]],
    leaf: Option<&Leaf>,
) -> Arc<ClientConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let builder = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider knows the default versions")
        .with_root_certificates(Arc::clone(roots));
    let mut config = match leaf {
        None => builder.with_no_client_auth(),
        Some(leaf) => {
            let chain = CertificateDer::pem_file_iter(&leaf.chain)
                .and_then(Iterator::collect)
                .expect("our own PEM parses");
            let key = PrivateKeyDer::from_pem_file(&leaf.key).expect("our own key parses");
            builder
                .with_client_auth_cert(chain, key)
                .expect("the key fits")
        }
    };
    config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
    Arc::new(config)
}
