//! A client connection: accepts streams, watches for idleness and for the end.

use std::cell::{Cell, RefCell};
use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use http::{Method, Request, Response};

use super::request;
use super::stream::Stream;
use crate::clock::monotonic_ns;
use crate::limit::Offence;
use crate::net::{self, PollIo, Timer, Transport};
use crate::observe::Protocol;
use crate::proxy::{Exchange, Peer, Proxy, Service};

/// Window for request content per stream: a JSON-RPC message arrives in one go.
const STREAM_WINDOW: u32 = 256 * 1024;
/// Window for request content of the whole connection.
const CONNECTION_WINDOW: u32 = 1024 * 1024;
/// Heads so many times as long as may be are still taken in, to be refused by us: beyond that `h2`
/// answers 431 by itself and nobody hears of it.
const OVERSIZE_SEEN: usize = 2;
/// Streams a client may reset before the answers to them were begun (CVE-2023-44487).
const RESET_STREAMS_MAX: usize = 32;

/// Serves a client until either side is done with the connection.
pub async fn serve<T: Transport>(io: T, peer: Peer, service: Rc<Service>) {
    let bounds = *service.current().bounds();
    let timeouts = *service.current().timeouts();
    let mut builder = Builder::new();
    builder
        .initial_window_size(STREAM_WINDOW)
        .initial_connection_window_size(CONNECTION_WINDOW)
        // RFC 8441: WebSocket over a stream.
        .enable_connect_protocol()
        .max_concurrent_streams(bounds.streams)
        .max_header_list_size(u32::try_from(bounds.head_bytes * OVERSIZE_SEEN).unwrap_or(u32::MAX))
        .max_send_buffer_size(bounds.buffer_bytes)
        .max_pending_accept_reset_streams(RESET_STREAMS_MAX)
        .max_concurrent_reset_streams(RESET_STREAMS_MAX);
    let preface = builder.handshake::<_, Bytes>(PollIo::new(io));
    let Ok(Ok(mut connection)) = tokio::time::timeout(timeouts.head, preface).await else {
        return;
    };

    let peer = Rc::new(peer);
    let open = Rc::new(OpenStreams::default());
    let mut served = 0u64;
    let mut timer = Timer::default();
    let mut active_ns = monotonic_ns();
    let mut closing = false;
    let mut draining = pin!(service.drain().started());
    poll_fn(|cx| {
        loop {
            match connection.poll_accept(cx) {
                Poll::Ready(Some(Ok(_))) if service.current().is_banned(&peer) => {
                    connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                    closing = true;
                    continue;
                }
                Poll::Ready(Some(Ok((request, respond)))) => {
                    served += 1;
                    let guard = open.open();
                    net::spawn(exchange(
                        request,
                        respond,
                        Rc::clone(&peer),
                        service.current(),
                        guard,
                    ));
                    continue;
                }
                // An error of the protocol or of the connection: `h2` has said GOAWAY if it could.
                Poll::Ready(Some(Err(error))) => {
                    if let Some(offence) = offence(&error) {
                        service.current().offence_of(&peer, offence);
                    }
                    return Poll::Ready(());
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            let streams = open.count.get();
            if streams > 0 {
                active_ns = monotonic_ns();
                open.wake_when_idle(cx.waker());
            }
            let drained = draining.as_mut().poll(cx).is_ready() || service.drain().is_started();
            let spent = served >= bounds.requests_per_connection;
            // A GOAWAY while streams are open makes some clients drop them all, so it waits.
            let idle_deadline_ns = active_ns + timeouts.idle.as_nanos() as u64;
            let leave = match (closing, streams) {
                (false, 0) => drained || spent || timer.poll(cx, idle_deadline_ns).is_ready(),
                _ => false,
            };
            if !leave {
                return Poll::Pending;
            }
            closing = true;
            connection.graceful_shutdown();
        }
    })
    .await;
}

async fn exchange(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    peer: Rc<Peer>,
    proxy: Rc<Proxy>,
    _guard: OpenStream,
) {
    let (parts, body) = request.into_parts();
    let ended = body.is_end_stream();
    match request::request_head(&parts, ended, proxy.bounds()) {
        Ok(head) => {
            let is_head = head.method == Method::HEAD;
            let mut client = Stream::new(body, respond, is_head, head.expects_continue);
            let client = &mut client;
            proxy
                .handle(Exchange {
                    head,
                    client,
                    peer: &peer,
                })
                .await;
        }
        Err(status) => {
            proxy.refused(&peer, Protocol::H2, status, Offence::of_refusal(status));
            let mut response = Response::new(());
            *response.status_mut() = status;
            // Fails only if the client has reset the stream.
            let _ = respond.send_response(response, true);
        }
    }
}

/// What counts against the client: what `h2` found wrong with its side of the connection.
fn offence(error: &h2::Error) -> Option<Offence> {
    if !error.is_library() {
        return None;
    }
    match error.reason()? {
        Reason::NO_ERROR | Reason::INTERNAL_ERROR | Reason::CANCEL => None,
        Reason::ENHANCE_YOUR_CALM => Some(Offence::Resets),
        _ => Some(Offence::Malformed),
    }
}

/// How many streams are open, and who wants to know when none is.
#[derive(Default)]
struct OpenStreams {
    count: Cell<usize>,
    connection: RefCell<Option<Waker>>,
}

impl OpenStreams {
    fn open(self: &Rc<Self>) -> OpenStream {
        self.count.set(self.count.get() + 1);
        OpenStream(Rc::clone(self))
    }

    fn wake_when_idle(&self, waker: &Waker) {
        let mut connection = self.connection.borrow_mut();
        match &mut *connection {
            Some(known) => known.clone_from(waker),
            None => *connection = Some(waker.clone()),
        }
    }
}

/// Counts a stream as open until it is dropped, a panic included.
struct OpenStream(Rc<OpenStreams>);

impl Drop for OpenStream {
    fn drop(&mut self) {
        let count = self.0.count.get() - 1;
        self.0.count.set(count);
        if let (0, Some(waker)) = (count, self.0.connection.take()) {
            waker.wake();
        }
    }
}
