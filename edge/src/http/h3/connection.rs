//! A client connection: accepts streams, watches for idleness and for the end.

use std::future::poll_fn;
use std::net::SocketAddr;
use std::rc::Rc;

use http::StatusCode;
use quinn::{Connection, ConnectionError, RecvStream, SendStream, VarInt};

use super::control;
use super::goodbye::Goodbye;
use super::reader::{Fault, Reader};
use super::request::{self, HeadError};
use super::shared::{OpenStream, Shared};
use super::stream::Stream;
use super::vitals::{self, Vitals};
use crate::clock::monotonic_ns;
use crate::http::opening;
use crate::limit::Offence;
use crate::message::h3::Error;
use crate::message::{BodyLength, Fields, Name, RequestHead, ResponseHead};
use crate::net::{self, Timer};
use crate::observe::Protocol;
use crate::proxy::{Downstream as _, Exchange, Peer, Service};

/// Serves the client at `addr` until either side is done with the connection. `handshake` says whether
/// the handshake is complete, once it is over; requests may come before.
pub async fn serve(
    connection: Connection,
    addr: SocketAddr,
    service: Rc<Service>,
    handshake: impl Future<Output = bool> + 'static,
) {
    let shared = Shared::new(connection, addr, Rc::clone(&service));
    let told = Rc::clone(&shared);
    net::spawn(async move { told.established.set(handshake.await) });
    let connection = &shared.connection;
    net::spawn(control::open(Rc::clone(&shared)));
    let mut goodbye = {
        let proxy = service.current();
        Goodbye::new(
            proxy.bounds().requests_per_connection,
            proxy.timeouts().idle,
        )
    };
    let mut timer = Timer::default();
    let metrics = &service.metrics().quic;
    let mut vitals = Vitals::new(connection);
    let mut checkups = net::Interval::new(vitals::EVERY);
    loop {
        let draining = service.drain().started();
        let drained = service.drain().is_started();
        if let Some(stream) = goodbye.word(drained, connection.rtt()) {
            net::spawn(control::goaway(Rc::clone(&shared), stream));
        }
        let deadline_ns = goodbye.deadline_ns(shared.streams.count() > 0);
        tokio::select! {
            biased;
            accepted = connection.accept_bi() => {
                let Ok((send, recv)) = accepted else { break };
                vitals.look(connection, metrics);
                if turn_away(&shared) {
                    break;
                }
                match goodbye.admit(u64::from(VarInt::from(send.id()))) {
                    true => {
                        let open = shared.streams.open(&service);
                        net::spawn(exchange(Rc::clone(&shared), send, recv, open));
                    }
                    false => refuse(send, recv),
                }
            }
            accepted = connection.accept_uni() => {
                let Ok(recv) = accepted else { break };
                net::spawn(control::serve(Rc::clone(&shared), recv));
            }
            () = shared.streams.idle.notified() => goodbye.active(),
            _ = checkups.tick() => vitals.examine(connection, metrics),
            () = draining, if !drained => {}
            () = poll_fn(|cx| timer.poll(cx, deadline_ns.unwrap_or(u64::MAX))), if deadline_ns.is_some() => {
                if goodbye.is_over() {
                    break;
                }
            }
        }
    }
    vitals.examine(connection, metrics);
    if let Some(ConnectionError::TransportError(error)) = connection.close_reason() {
        shared.violated(error.code.into());
    }
    shared.fail(Error::NoError);
}

/// RFC 9114 §4.1.1: not looked at, so the client may send it again elsewhere.
fn refuse(mut send: SendStream, mut recv: RecvStream) {
    let code = VarInt::from_u32(Error::RequestRejected.code());
    // Both fail only on a stream that is over.
    let _ = send.reset(code);
    let _ = recv.stop(code);
}

async fn exchange(shared: Rc<Shared>, send: SendStream, recv: RecvStream, _open: OpenStream) {
    let proxy = shared.service.current();
    let mut stream = Stream::new(
        Rc::clone(&shared),
        Reader::new(recv, shared.section_bytes_max()),
        send,
    );
    let mut peer = peer(&shared);
    let mut outcome = net::timeout(
        proxy.timeouts().head,
        head(&shared, &mut stream, proxy.bounds().head_fields),
    )
    .await;
    if stream.is_early() {
        let goes_on = match &mut outcome {
            Ok(Ok(head)) => shared.established.admit(head, &proxy).await,
            _ => shared.established.wait().await,
        };
        if !goes_on {
            return stream.reset(Error::RequestRejected);
        }
        // Until then it may be somebody else who speaks for that address.
        peer.is_direct = shared.established.is_set();
    }
    let answered = match outcome {
        Ok(Ok(mut head)) => {
            stream.begin(&head);
            let client = &mut stream;
            let exchange = Exchange {
                head: &mut head,
                client,
                peer: &peer,
            };
            proxy.handle(exchange).await;
            stream.is_answered()
        }
        Ok(Err(Stop::Refused(status))) => {
            proxy.refused(&peer, Protocol::H3, status, Offence::of_refusal(status));
            answer(&mut stream, status, proxy.unreadable(status)).await;
            true
        }
        Ok(Err(Stop::Malformed)) => {
            let status = StatusCode::BAD_REQUEST;
            proxy.refused(&peer, Protocol::H3, status, Offence::of_refusal(status));
            stream.reset(Error::Message);
            true
        }
        Ok(Err(Stop::Fault(fault))) => {
            stream.fault(fault);
            false
        }
        Err(_) => {
            proxy.refused(&peer, Protocol::H3, StatusCode::REQUEST_TIMEOUT, None);
            stream.reset(Error::RequestRejected);
            true
        }
    };
    shared.ended(answered);
    // The kernel drops what the client sends from now on: it would wait for its idle timeout.
    if turn_away(&shared) {
        return;
    }
    let send_ns = proxy.timeouts().send.as_nanos() as u64;
    stream.settle(monotonic_ns() + send_ns).await;
}

/// Closes the connection of a client that was banned a moment ago; whether it was.
fn turn_away(shared: &Shared) -> bool {
    let is_banned = shared.service.current().is_banned(&peer(shared));
    if is_banned {
        let code = VarInt::from_u32(Error::ExcessiveLoad.code());
        shared.connection.close(code, b"");
    }
    is_banned
}

fn peer(shared: &Shared) -> Peer {
    Peer::new(shared.addr, Some("TLSv1.3"))
}

/// Why there is no head to hand on.
enum Stop {
    Fault(Fault),
    Malformed,
    Refused(StatusCode),
}

impl From<Fault> for Stop {
    fn from(fault: Fault) -> Stop {
        match fault {
            Fault::TooLarge => Stop::Refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE),
            Fault::Malformed => Stop::Malformed,
            fault => Stop::Fault(fault),
        }
    }
}

impl From<HeadError> for Stop {
    fn from(error: HeadError) -> Stop {
        match error {
            HeadError::Connection(error) => Stop::Fault(Fault::Connection(error)),
            HeadError::Malformed => Stop::Malformed,
            HeadError::Refused(status) => Stop::Refused(status),
        }
    }
}

async fn head(
    shared: &Shared,
    stream: &mut Stream,
    fields_max: usize,
) -> Result<RequestHead, Stop> {
    let encoded = poll_fn(|cx| stream.poll_section(cx)).await?;
    let section = request::section(&encoded, shared.section_bytes_max(), fields_max)?;
    // Content of a request that need not have any is waited for, so that one without it does not
    // reach the upstream as one whose length is unknown.
    let ended = match section.may_stream() {
        false => poll_fn(|cx| stream.poll_is_ended(cx)).await?,
        true => {
            let now = poll_fn(|cx| std::task::Poll::Ready(stream.poll_is_ended(cx))).await;
            matches!(now, std::task::Poll::Ready(Ok(true)))
        }
    };
    Ok(opening::as_get(request::head(section, ended)?))
}

/// A request that never became an exchange still gets its status.
async fn answer(stream: &mut Stream, status: StatusCode, json: Option<String>) {
    let mut fields = Fields::default();
    let mut length = BodyLength::Empty;
    if let Some(json) = &json {
        fields.push_known(Name::ContentType, b"application/json");
        length = BodyLength::Exact(json.len() as u64);
    }
    stream.send_head(&ResponseHead {
        status,
        fields,
        length,
    });
    if let Some(json) = json {
        stream.send_data(json.into());
        stream.send_end(None);
    }
    // A client that takes nothing is left to the idle timeout of the connection.
    let _ = poll_fn(|cx| stream.poll_flush(cx)).await;
}
