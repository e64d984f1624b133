//! A client of HTTP/3.

use std::future::poll_fn;
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use bytes::{Buf, Bytes};
use h3_quinn::OpenStreams;
use http::{Method, Request, StatusCode};
use nix::sys::socket::{setsockopt, sockopt};
use quinn::crypto::rustls::QuicClientConfig;
use quinn::{ClientConfig, Endpoint, EndpointConfig, TokioRuntime, TransportConfig, VarInt};
use tokio::task::spawn_local;

use super::bulk::{Direction, check_upload};
use super::call::{self, CALL_BYTES};
use super::tls::SERVER_NAME;
use crate::origin::{ANSWER_BYTES, PATTERN_BYTES, pattern};

/// Windows so large that they never stop a body.
const STREAM_WINDOW: u32 = 16 << 20;
const WINDOW: u32 = 64 << 20;
/// What arrives while the generator does something else is not lost.
const RECEIVE_BYTES: usize = 8 << 20;
/// Connections stay open for the whole run.
const IDLE: Duration = Duration::from_secs(600);
/// For a connection and its handshake.
const PATIENCE: Duration = Duration::from_secs(10);

type Send = h3::client::SendRequest<OpenStreams, Bytes>;

/// Its name in ALPN.
pub(crate) const ALPN: &str = "h3";

/// One connection, whose streams are requests.
#[derive(Clone)]
pub(super) struct Client {
    send: Send,
    authority: String,
}

/// The socket that all connections to a proxy come from.
pub(super) fn endpoint(tls: &rustls::ClientConfig) -> Result<Endpoint> {
    let mut transport = TransportConfig::default();
    transport
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(WINDOW))
        .send_window(u64::from(WINDOW))
        .max_idle_timeout(Some(IDLE.try_into()?));
    let crypto = QuicClientConfig::try_from(tls.clone())?;
    let mut config = ClientConfig::new(Arc::new(crypto));
    config.transport_config(Arc::new(transport));
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
    // Only root may go beyond the system's limit.
    if setsockopt(&socket, sockopt::RcvBufForce, &RECEIVE_BYTES).is_err() {
        setsockopt(&socket, sockopt::RcvBuf, &RECEIVE_BYTES)?;
    }
    let runtime = Arc::new(TokioRuntime);
    let mut endpoint = Endpoint::new(EndpointConfig::default(), None, socket, runtime)?;
    endpoint.set_default_client_config(config);
    Ok(endpoint)
}

/// Connects; the connection is driven by a task of its own.
pub(super) async fn connect(endpoint: &Endpoint, address: SocketAddr) -> Result<Client> {
    let connecting = endpoint.connect(address, SERVER_NAME)?;
    let connection = tokio::time::timeout(PATIENCE, connecting).await;
    let connection = connection.context("no QUIC handshake in time")??;
    let connection = h3_quinn::Connection::new(connection);
    let (mut driver, send) = h3::client::new(connection).await?;
    spawn_local(async move {
        // Whoever uses the connection is told the same.
        let _ = poll_fn(|context| driver.poll_close(context)).await;
    });
    Ok(Client {
        send,
        authority: format!("{SERVER_NAME}:{}", address.port()),
    })
}

impl Client {
    /// Calls once; returns how many bytes of `answer` were filled.
    pub(super) async fn call(
        &mut self,
        body: [u8; CALL_BYTES],
        answer: &mut [u8; ANSWER_BYTES],
    ) -> Result<usize> {
        let mut request = Request::builder()
            .method(Method::POST)
            .uri(format!("https://{}/mcp", self.authority))
            .header("content-length", CALL_BYTES);
        for (name, value) in call::FIELDS {
            request = request.header(name, value);
        }
        let mut stream = self.send.send_request(request.body(())?).await?;
        stream.send_data(Bytes::copy_from_slice(&body)).await?;
        stream.finish().await?;
        let status = stream.recv_response().await?.status();
        ensure!(status == StatusCode::OK, "status {status}");
        let mut filled = 0;
        while let Some(mut piece) = stream.recv_data().await? {
            let length = piece.remaining();
            let room = answer[filled..].get_mut(..length);
            piece.copy_to_slice(room.context("a larger answer")?);
            filled += length;
        }
        Ok(filled)
    }

    /// Moves a large body, and compares it with the pattern where it arrives.
    pub(super) async fn bulk(&mut self, direction: Direction, bytes: u64) -> Result<()> {
        match direction {
            Direction::Down => self.download(bytes).await,
            Direction::Up => self.upload(bytes).await,
        }
    }

    async fn download(&mut self, bytes: u64) -> Result<()> {
        let uri = format!("https://{}/?bytes={bytes}", self.authority);
        let mut stream = self.send.send_request(Request::get(uri).body(())?).await?;
        stream.finish().await?;
        let status = stream.recv_response().await?.status();
        ensure!(status == StatusCode::OK, "status {status}");
        let mut received = 0;
        while let Some(mut piece) = stream.recv_data().await? {
            while piece.has_remaining() {
                let part = piece.chunk();
                let part = &part[..part.len().min(PATTERN_BYTES)];
                ensure!(
                    *part == pattern(received)[..part.len()],
                    "other bytes than were sent after {received}"
                );
                received += part.len() as u64;
                let length = part.len();
                piece.advance(length);
            }
        }
        ensure!(received == bytes, "{received} bytes instead of {bytes}");
        Ok(())
    }

    async fn upload(&mut self, bytes: u64) -> Result<()> {
        let request = Request::post(format!("https://{}/", self.authority))
            .header("content-length", bytes)
            .body(())?;
        let mut stream = self.send.send_request(request).await?;
        let mut sent = 0;
        while sent < bytes {
            let left = usize::try_from(bytes - sent).unwrap_or(usize::MAX);
            let piece = &pattern(sent)[..left.min(PATTERN_BYTES)];
            stream.send_data(Bytes::from_static(piece)).await?;
            sent += piece.len() as u64;
        }
        stream.finish().await?;
        let status = stream.recv_response().await?.status();
        ensure!(status == StatusCode::OK, "status {status}");
        let mut answer = Vec::new();
        while let Some(mut piece) = stream.recv_data().await? {
            let piece = piece.copy_to_bytes(piece.remaining());
            answer.extend_from_slice(&piece);
            ensure!(answer.len() < 100, "a larger answer");
        }
        check_upload(&answer, bytes)
    }
}
