//! A client of HTTP/2.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::{Context, Result, ensure};
use bytes::Bytes;
use h2::client::{Builder, SendRequest};
use http::{Method, Request, StatusCode, Version};
use rustls::ClientConfig;
use rustls::pki_types::ServerName;
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio_rustls::TlsConnector;

use super::call::{self, CALL_BYTES};
use super::tls::SERVER_NAME;
use crate::origin::ANSWER_BYTES;

/// Windows so large that they never stop an answer.
const WINDOW: u32 = 16 << 20;

/// One connection, whose streams are calls.
#[derive(Clone)]
pub(super) struct Client {
    send: SendRequest<Bytes>,
    uri: http::Uri,
}

/// Connects; the connection is driven by a task of its own.
pub(super) async fn connect(address: SocketAddr, tls: &ClientConfig) -> Result<Client> {
    let socket = TcpStream::connect(address).await?;
    socket.set_nodelay(true)?;
    let name = ServerName::try_from(SERVER_NAME).expect("the name is valid");
    let connector = TlsConnector::from(Arc::new(tls.clone()));
    let stream = connector.connect(name, socket).await?;
    ensure!(
        stream.get_ref().1.alpn_protocol() == Some(b"h2"),
        "the server does not speak HTTP/2"
    );
    let (send, connection) = Builder::new()
        .initial_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        .enable_push(false)
        .handshake(stream)
        .await?;
    spawn_local(async move {
        // Whoever uses the connection is told the same.
        let _ = connection.await;
    });
    Ok(Client {
        send: send.ready().await?,
        uri: format!("https://{SERVER_NAME}:{}/mcp", address.port()).parse()?,
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
            .version(Version::HTTP_2)
            .uri(self.uri.clone())
            .header("content-length", CALL_BYTES);
        for (name, value) in call::FIELDS {
            request = request.header(name, value);
        }
        self.send = self.send.clone().ready().await?;
        let (response, mut stream) = self.send.send_request(request.body(())?, false)?;
        stream.send_data(Bytes::copy_from_slice(&body), true)?;
        let response = response.await?;
        ensure!(
            response.status() == StatusCode::OK,
            "status {}",
            response.status()
        );
        let mut body = response.into_body();
        let mut filled = 0;
        while let Some(piece) = body.data().await {
            let piece = piece?;
            let room = answer[filled..].get_mut(..piece.len());
            room.context("a larger answer")?.copy_from_slice(&piece);
            filled += piece.len();
            body.flow_control().release_capacity(piece.len())?;
        }
        Ok(filled)
    }
}
