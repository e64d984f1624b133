//! A client connection: accepts streams, watches for idleness and for the end.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Poll, Waker};

use bytes::Bytes;
use h2::server::{Builder, SendResponse};
use h2::{Reason, RecvStream};
use http::header::CONTENT_TYPE;
use http::{HeaderValue, Method, Request, Response, StatusCode};

use super::metered::{Metered, Seen};
use super::refusals::Refusal;
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
/// Heads so many times as long as may be are still taken in, to be refused by us with a line in the
/// log that says more: beyond that `h2` answers 431 by itself.
const OVERSIZE_SEEN: usize = 2;
/// Streams a client may reset before the answers to them were begun (CVE-2023-44487).
const RESET_STREAMS_MAX: usize = 32;
/// Requests a client may reset before their answers, but after they were begun with.
const GIVEN_UP_MAX: u64 = 100;

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
    let io = Metered::new(io);
    let seen = io.seen();
    let preface = builder.handshake::<_, Bytes>(PollIo::new(io));
    let Ok(Ok(mut connection)) = net::timeout(timeouts.head, preface).await else {
        return;
    };

    let peer = Rc::new(peer);
    let open = Rc::new(OpenStreams::default());
    let mut served = 0u64;
    let mut timer = Timer::default();
    let mut active_ns = monotonic_ns();
    // When a client that has been told of the end must have gone.
    let mut closing = None;
    // Whether what ends the connection has been counted.
    let mut is_told = false;
    let end_after = |since_ns: u64| Some(since_ns + timeouts.head.as_nanos() as u64);
    let mut draining = pin!(service.drain().dismissed());
    poll_fn(|cx| {
        loop {
            let accepted = connection.poll_accept(cx);
            is_told |= account(&service, &peer, &seen);
            match accepted {
                Poll::Ready(Some(Ok(_))) if service.current().is_banned(&peer) => {
                    connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                    closing = end_after(monotonic_ns());
                    continue;
                }
                Poll::Ready(Some(Ok(_))) if gives_up(served, open.given_up.get()) => {
                    service.current().offence_of(&peer, Offence::Resets);
                    connection.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
                    closing = end_after(monotonic_ns());
                    continue;
                }
                Poll::Ready(Some(Ok((request, respond)))) => {
                    seen.handed_over(respond.stream_id());
                    served += 1;
                    let guard = open.open();
                    let proxy = service.current();
                    if let Some(exchange) = exchange(request, respond, &peer, proxy, guard) {
                        net::spawn(exchange);
                    }
                    continue;
                }
                // An error of the protocol or of the connection: `h2` has said GOAWAY if it could.
                Poll::Ready(Some(Err(error))) => {
                    if let Some(offence) = blame(&error).filter(|_| !is_told) {
                        service.current().offence_of(&peer, offence);
                    }
                    return Poll::Ready(());
                }
                Poll::Ready(None) => return Poll::Ready(()),
                Poll::Pending => {}
            }
            if let Some(reason) = seen.fault().filter(|_| closing.is_none()) {
                let offence = offence(reason).unwrap_or(Offence::Malformed);
                service.current().offence_of(&peer, offence);
                connection.abrupt_shutdown(reason);
                closing = end_after(monotonic_ns());
                continue;
            }
            let streams = open.count.get();
            if streams > 0 {
                active_ns = monotonic_ns();
                open.wake_when_idle(cx.waker());
            }
            let drained = service.drain().poll_leave(draining.as_mut(), cx, active_ns);
            let worn = served >= bounds.requests_per_connection;
            // A GOAWAY while streams are open makes some clients drop them all, so it waits.
            let idle_deadline_ns = active_ns + timeouts.idle.as_nanos() as u64;
            let leave = match (closing, streams) {
                (None, 0) => drained || worn || timer.poll(cx, idle_deadline_ns).is_ready(),
                // `h2` waits for as long as it takes a client to answer or to read, so we do not.
                (Some(deadline_ns), 0) if timer.poll(cx, deadline_ns).is_ready() => {
                    return Poll::Ready(());
                }
                _ => false,
            };
            if !leave {
                return Poll::Pending;
            }
            closing = end_after(monotonic_ns());
            connection.graceful_shutdown();
        }
    })
    .await;
}

/// One exchange, unless it is refused for its head.
fn exchange(
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
    peer: &Rc<Peer>,
    proxy: Rc<Proxy>,
    guard: OpenStream,
) -> Option<impl Future<Output = ()> + use<>> {
    let (parts, body) = request.into_parts();
    let ended = body.is_end_stream();
    match request::request_head(&parts, ended, proxy.bounds()) {
        Ok(mut head) => {
            let is_head = head.method == Method::HEAD;
            let mut client = Stream::new(body, respond, is_head, head.expects_continue);
            let peer = Rc::clone(peer);
            Some(async move {
                proxy
                    .handle(Exchange {
                        head: &mut head,
                        client: &mut client,
                        peer: &peer,
                    })
                    .await;
                if client.was_given_up() {
                    guard.give_up();
                }
                client.linger().await;
            })
        }
        Err(status) => {
            proxy.refused(peer, Protocol::H2, status, Offence::of_refusal(status));
            let json = proxy.unreadable(status);
            let json = json.filter(|_| parts.method != Method::HEAD);
            let mut response = Response::new(());
            *response.status_mut() = status;
            if json.is_some() {
                let content_type = HeaderValue::from_static("application/json");
                response.headers_mut().insert(CONTENT_TYPE, content_type);
            }
            // Either fails only if the client has reset the stream.
            if let (Ok(mut stream), Some(json)) =
                (respond.send_response(response, json.is_none()), json)
            {
                let _ = stream.send_data(json.into(), true);
            }
            None
        }
    }
}

/// Counts what `h2` has refused by itself; whether the connection ends for it.
fn account(service: &Service, peer: &Peer, seen: &Seen) -> bool {
    let mut ends = false;
    for refusal in seen.refused() {
        let (proxy, offence) = (service.current(), refusal.offence());
        match refusal {
            Refusal::Oversize => {
                let too_large = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
                proxy.refused(peer, Protocol::H2, too_large, Some(offence));
            }
            Refusal::Malformed | Refusal::Endless => {
                proxy.offence_of(peer, offence);
            }
        }
        ends |= refusal == Refusal::Endless;
    }
    ends
}

/// Whether a client resets its requests as a habit, each of them work for an upstream: as many as a
/// person's programs have no reason to, and most of all.
fn gives_up(served: u64, given_up: u64) -> bool {
    given_up >= GIVEN_UP_MAX && given_up * 2 > served
}

/// What counts against the client: what `h2` found wrong with its side of the connection.
fn blame(error: &h2::Error) -> Option<Offence> {
    let found_here = error.is_library();
    error.reason().filter(|_| found_here).and_then(offence)
}

fn offence(reason: Reason) -> Option<Offence> {
    match reason {
        Reason::NO_ERROR | Reason::INTERNAL_ERROR | Reason::CANCEL => None,
        Reason::ENHANCE_YOUR_CALM => Some(Offence::Resets),
        _ => Some(Offence::Malformed),
    }
}

/// How many streams are open, and who wants to know when none is.
#[derive(Default)]
struct OpenStreams {
    count: Cell<usize>,
    /// Streams that the client has reset before the answer.
    given_up: Cell<u64>,
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

impl OpenStream {
    fn give_up(&self) {
        self.0.given_up.set(self.0.given_up.get() + 1);
    }
}

impl Drop for OpenStream {
    fn drop(&mut self) {
        let count = self.0.count.get() - 1;
        self.0.count.set(count);
        if let (0, Some(waker)) = (count, self.0.connection.take()) {
            waker.wake();
        }
    }
}
