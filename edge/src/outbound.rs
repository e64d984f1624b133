//! Requests that the process itself makes, away from the workers: keys of token issuers, spans.
//!
//! One connection each, HTTP/1.1, over TLS where the URL says so; bounded in time and size. It must
//! run inside a tokio runtime of a thread that may wait.

use std::cell::OnceCell;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Uri, header};
use http_body_util::{BodyExt, Full, Limited};
use hyper::client::conn::http1;
use hyper_util::rt::TokioIo;
use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

/// Why a request came to nothing.
#[derive(Debug, thiserror::Error)]
pub(crate) enum OutboundError {
    #[error("no URL to send requests to")]
    Url,
    #[error("{0}")]
    Io(#[from] std::io::Error),
    #[error("{0}")]
    Http(#[from] hyper::Error),
    #[error("it took too long")]
    Timeout,
    #[error("the answer is too long")]
    TooLong,
}

/// Sends requests; what it trusts is read once, when it is first needed.
#[derive(Default)]
pub(crate) struct Outbound {
    connector: OnceCell<TlsConnector>,
}

impl Outbound {
    /// Sends a request with an absolute URL and reads the answer whole.
    pub(crate) async fn exchange(
        &self,
        request: Request<Bytes>,
        timeout: Duration,
        bytes_max: usize,
    ) -> Result<(StatusCode, Bytes), OutboundError> {
        let answer = tokio::time::timeout(timeout, self.connect(request, bytes_max)).await;
        answer.unwrap_or(Err(OutboundError::Timeout))
    }

    async fn connect(
        &self,
        request: Request<Bytes>,
        bytes_max: usize,
    ) -> Result<(StatusCode, Bytes), OutboundError> {
        let uri = request.uri();
        let host = uri.host().ok_or(OutboundError::Url)?;
        let host = host.trim_matches(['[', ']']).to_owned();
        let is_tls = match uri.scheme_str() {
            Some("https") => true,
            Some("http") => false,
            _ => return Err(OutboundError::Url),
        };
        let port = uri.port_u16().unwrap_or(if is_tls { 443 } else { 80 });
        let stream = TcpStream::connect((host.as_str(), port)).await?;
        match is_tls {
            true => {
                let name = ServerName::try_from(host).map_err(|_| OutboundError::Url)?;
                let connector = self.connector.get_or_init(connector);
                let stream = connector.connect(name, stream).await?;
                send(stream, request, bytes_max).await
            }
            false => send(stream, request, bytes_max).await,
        }
    }
}

async fn send<S>(
    stream: S,
    request: Request<Bytes>,
    bytes_max: usize,
) -> Result<(StatusCode, Bytes), OutboundError>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await?;
    let running = tokio::spawn(connection);
    let mut request = request.map(Full::new);
    let uri = request.uri();
    let authority = uri.authority().ok_or(OutboundError::Url)?.as_str();
    let host = HeaderValue::from_str(authority).map_err(|_| OutboundError::Url)?;
    let path = uri.path_and_query().map_or("/", |path| path.as_str());
    let path: Uri = path.parse().map_err(|_| OutboundError::Url)?;
    *request.uri_mut() = path;
    let fields = request.headers_mut();
    fields.insert(header::HOST, host);
    fields.insert(header::USER_AGENT, HeaderValue::from_static("edge"));
    let response = sender.send_request(request).await?;
    let status = response.status();
    let body = Limited::new(response.into_body(), bytes_max)
        .collect()
        .await;
    running.abort();
    let body = body.map_err(|_| OutboundError::TooLong)?;
    Ok((status, body.to_bytes()))
}

/// Trusts what the machine trusts.
fn connector() -> TlsConnector {
    let mut roots = RootCertStore::empty();
    let (added, _) =
        roots.add_parsable_certificates(rustls_native_certs::load_native_certs().certs);
    if added == 0 {
        tracing::warn!(
            "this machine trusts no certificate authority; is ca-certificates installed?"
        );
    }
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("the provider supports the default versions")
        .with_root_certificates(roots)
        .with_no_client_auth();
    TlsConnector::from(Arc::new(config))
}
