//! TLS towards servers: what they are shown, and the way to a connection.

use std::io;
use std::sync::Arc;

use rustls::client::UnbufferedClientConnection;
use rustls::{ClientConfig, Error as TlsError};
use rustls_pki_types::pem::PemObject as _;
use rustls_pki_types::{PrivateKeyDer, ServerName};

use super::client_stream::ClientStream;
use super::provider::provider;
use super::trust::{Anybody, certificates, roots};
use crate::config::UpstreamTls;
use crate::net::Socket;

/// As ALPN knows it (RFC 9113 §3.2).
const HTTP2: &[u8] = b"h2";

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
pub struct Client {
    config: Arc<ClientConfig>,
    http2: bool,
}

impl Client {
    /// From settings whose files have been read, for HTTP/2 or for HTTP/1.1.
    pub fn new(settings: &UpstreamTls, http2: bool) -> Result<Client, ClientError> {
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
        config.alpn_protocols = match http2 {
            true => vec![HTTP2.to_vec()],
            false => vec![b"http/1.1".to_vec()],
        };
        let config = Arc::new(config);
        Ok(Client { config, http2 })
    }

    /// The library's own configuration, for connections with blocking calls.
    pub fn config(&self) -> &Arc<ClientConfig> {
        &self.config
    }

    /// Performs the handshake. The caller sets the deadline.
    pub async fn connect(
        &self,
        socket: Socket,
        name: ServerName<'static>,
    ) -> Result<Box<ClientStream>, io::Error> {
        let connection = UnbufferedClientConnection::new(Arc::clone(&self.config), name)
            .map_err(io::Error::other)?;
        let stream = ClientStream::handshake(socket, connection).await?;
        match self.http2 && stream.alpn() != Some(HTTP2) {
            true => Err(io::Error::other("the server does not agree to HTTP/2")),
            false => Ok(stream),
        }
    }
}
