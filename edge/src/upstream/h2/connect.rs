//! The opening of a connection, and the task that drives it.

use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::Bytes;
use h2::client::{Builder, Connection, SendRequest};
use h2::{Ping, PingPong};

use super::link::Link;
use super::metered::Metered;
use crate::config::{Bounds, Multiplexing};
use crate::net::{self, PollIo};
use crate::upstream::UpstreamError;
use crate::upstream::fleet::Roster;
use crate::upstream::server::Server;

/// Window for response content per stream: what a slow client can make wait here, beside its own
/// buffer. The connection's window has room for all of them, so that none starves another.
const STREAM_WINDOW: u32 = 64 * 1024;
/// Streams that were reset and of which something may still arrive.
const RESET_STREAMS_MAX: usize = 128;
/// What the last frames of a connection that nobody wants any more may take.
const LINGER: Duration = Duration::from_secs(5);

type H2 = Connection<PollIo<Metered>, Bytes>;

/// Opens a connection, tells who waits for it, and drives it to its end. `link` is let go as soon as
/// it is open: the connection lasts as long as anybody else has it.
pub(in crate::upstream) async fn connect(
    link: Rc<Link>,
    server: Rc<Server>,
    roster: std::sync::Arc<Roster>,
    bounds: Bounds,
    multiplexing: Multiplexing,
) {
    let settings = &roster.settings;
    let opening = open(&roster, &server, &bounds, multiplexing);
    let outcome = net::timeout(settings.connect_timeout, Box::pin(opening)).await;
    let (requests, connection) = match outcome.unwrap_or(Err(UpstreamError::ConnectTimeout)) {
        Ok(open) => open,
        Err(error) => {
            server.failed(settings, true, &error);
            return link.failed(error);
        }
    };
    let gone = link.gone();
    link.opened(requests);
    drop((link, server, roster));
    let abandoned = async {
        gone.notified().await;
        net::sleep(LINGER).await;
    };
    tokio::select! {
        // How it ended is told to every stream.
        _ = connection => {}
        () = abandoned => {}
    }
}

async fn open(
    roster: &Roster,
    server: &Server,
    bounds: &Bounds,
    multiplexing: Multiplexing,
) -> Result<(SendRequest<Bytes>, H2), UpstreamError> {
    let channel = roster.open(&server.member, None).await?;
    let window = STREAM_WINDOW.saturating_mul(multiplexing.streams as u32);
    let mut builder = Builder::new();
    builder
        .enable_push(false)
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(window.min(i32::MAX as u32))
        .max_header_list_size(u32::try_from(bounds.head_bytes).unwrap_or(u32::MAX))
        .max_send_buffer_size(bounds.buffer_bytes)
        .max_concurrent_reset_streams(RESET_STREAMS_MAX);
    let opened = builder.handshake(PollIo::new(Metered::new(channel))).await;
    let (requests, mut connection) = opened.map_err(|error| broken(&error))?;
    let mut pings = connection.ping_pong();
    if let Some(pings) = &mut pings {
        answered(pings, &mut connection).await?;
    }
    Ok((requests, connection))
}

/// Waits for the answer to a PING. The server's settings have come by then, for they are the first
/// thing that it sends (RFC 9113 §3.4).
async fn answered(pings: &mut PingPong, connection: &mut H2) -> Result<(), UpstreamError> {
    let mut pong = pin!(pings.ping(Ping::opaque()));
    poll_fn(|cx| {
        if let Poll::Ready(outcome) = pong.as_mut().poll(cx) {
            return Poll::Ready(outcome.map(|_| ()).map_err(|error| broken(&error)));
        }
        match std::pin::Pin::new(&mut *connection).poll(cx) {
            Poll::Ready(Ok(())) => Poll::Ready(Err(UpstreamError::Connect(
                io::ErrorKind::UnexpectedEof.into(),
            ))),
            Poll::Ready(Err(error)) => Poll::Ready(Err(broken(&error))),
            Poll::Pending => Poll::Pending,
        }
    })
    .await
}

fn broken(error: &h2::Error) -> UpstreamError {
    UpstreamError::Connect(io::Error::other(format!("no HTTP/2: {error}")))
}
