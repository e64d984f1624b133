//! Connections that come through a proxy which says, with the PROXY protocol, whose they are.

use std::future::poll_fn;
use std::io;

use bytes::BytesMut;

use crate::message::{ProxyHeaderError, parse_proxy_header};
use crate::net::{self, Accepted, Expect, Transport as _};
use crate::proxy::Peer;

use super::worker::Worker;

/// Why such a connection is not served.
#[derive(Debug, thiserror::Error)]
enum Refused {
    #[error("it comes from no trusted proxy")]
    Stranger,
    #[error(transparent)]
    Header(#[from] ProxyHeaderError),
    #[error("it was closed before the header was whole")]
    Closed,
    #[error("no whole header in time")]
    Timeout,
    #[error(transparent)]
    Io(#[from] io::Error),
}

/// The client of a connection; `None` for one that is not to be served. Reads the header where the
/// address that it came in on expects one, within the deadline of handshakes.
pub(super) async fn client(
    worker: &Worker,
    accepted: &mut Accepted,
    expects: bool,
) -> Option<Peer> {
    if !expects {
        return Some(Peer::new(accepted.client, None));
    }
    match Box::pin(told(worker, accepted)).await {
        Ok(peer) => Some(peer),
        Err(error) => {
            let proxy = accepted.client;
            tracing::debug!(%proxy, %error, "connection without a PROXY protocol header refused");
            None
        }
    }
}

async fn told(worker: &Worker, accepted: &mut Accepted) -> Result<Peer, Refused> {
    let proxy = worker.service.current();
    if !proxy.trusts(accepted.client.ip()) {
        return Err(Refused::Stranger);
    }
    let deadline = proxy.timeouts().handshake;
    drop(proxy);
    let reading = net::timeout(deadline, read(accepted));
    let client = reading.await.map_err(|_| Refused::Timeout)??;
    Ok(match client {
        Some(client) => Peer::behind_proxy(client),
        None => Peer::new(accepted.client, None),
    })
}

/// Reads the header; what came behind it is given back to the socket.
async fn read(accepted: &mut Accepted) -> Result<Option<std::net::SocketAddr>, Refused> {
    let socket = &mut accepted.socket;
    let mut input = BytesMut::new();
    loop {
        let chunk = poll_fn(|cx| socket.poll_recv(cx, Expect::Message)).await?;
        if chunk.is_empty() {
            return Err(Refused::Closed);
        }
        input.extend_from_slice(&chunk);
        if let Some(header) = parse_proxy_header(&input)? {
            socket.unread(input.split_off(header.len));
            return Ok(header.client);
        }
    }
}
