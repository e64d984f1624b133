//! The TLS handshake of a connection that was accepted.
//!
//! The answer to a client's first message is the dear part, so only so many are made in one turn of
//! the worker. A client that is silent, or sends that message bit by bit, takes nobody's place.

use std::future::{Future as _, poll_fn};
use std::pin::pin;
use std::rc::Rc;
use std::task::Poll;
use std::time::Duration;

use bytes::BytesMut;

use super::worker::Worker;
use crate::clock::monotonic_ns;
use crate::limit::Offence;
use crate::net::{self, Accepted, Expect, Socket, Transport as _};
use crate::observe::metrics::{Handshake, TlsVersion};
use crate::tls::{HandshakeError, TlsStream, Version};

/// The type of a record that belongs to a handshake (RFC 8446 §5.1).
const HANDSHAKE: u8 = 22;
/// Longest record of the first message.
const RECORD_BYTES_MAX: usize = 1 << 14;

/// Performs the handshake; `None` when it failed, which has been counted then.
pub(super) async fn handshake(
    worker: &Rc<Worker>,
    mut accepted: Accepted,
) -> Option<Box<TlsStream>> {
    let config = worker.tls()?;
    let metrics = worker.service.metrics();
    let deadline = worker.service.current().timeouts().handshake;
    let start_ns = monotonic_ns();
    match net::timeout(deadline, first_record(worker, &mut accepted.socket)).await {
        Ok(true) => {}
        Ok(false) => {
            metrics.handshake(Handshake::Failed);
            return None;
        }
        Err(_) => {
            metrics.handshake(Handshake::TimedOut);
            return None;
        }
    }
    let left = deadline.saturating_sub(Duration::from_nanos(monotonic_ns() - start_ns));
    let _urgent = net::Urgent::new();
    let place = worker.handshakes.acquire().await;
    let accepting = TlsStream::accept(accepted.socket, &config);
    let mut accepting = pin!(net::timeout(left, accepting));
    let first = poll_fn(|cx| Poll::Ready(accepting.as_mut().poll(cx))).await;
    // Everybody else's turn before the next ones.
    net::turn().await;
    drop(place);
    let outcome = match first {
        Poll::Ready(outcome) => outcome,
        Poll::Pending => accepting.await,
    };
    match outcome {
        Ok(Ok(stream)) => {
            metrics.handshake(Handshake::Done(match stream.version() {
                Version::Tls12 => TlsVersion::Tls12,
                Version::Tls13 => TlsVersion::Tls13,
            }));
            Some(stream)
        }
        Ok(Err(error)) => {
            metrics.handshake(Handshake::Failed);
            tracing::debug!(%error, "TLS handshake failed");
            if matches!(&error, HandshakeError::Tls(error) if error.is_peer_fault()) {
                let addr = accepted.client.ip();
                worker.service.current().offence(addr, Offence::Handshake);
            }
            None
        }
        Err(_) => {
            metrics.handshake(Handshake::TimedOut);
            None
        }
    }
}

/// Waits until the client's first record is whole, and leaves it unread; `false` when the client has
/// gone, or has to.
async fn first_record(worker: &Worker, socket: &mut Socket) -> bool {
    let mut received = BytesMut::new();
    let start_ns = monotonic_ns();
    let drain = worker.service.drain();
    let mut dismissed = pin!(drain.dismissed());
    loop {
        let next = poll_fn(
            |cx| match drain.poll_leave(dismissed.as_mut(), cx, start_ns) {
                // To make room for others, who may have more to say.
                true => Poll::Ready(Ok(BytesMut::new())),
                false => socket.poll_recv(cx, Expect::Message),
            },
        );
        match next.await {
            Ok(chunk) if chunk.is_empty() => return false,
            Ok(chunk) if received.is_empty() => received = chunk,
            Ok(chunk) => received.extend_from_slice(&chunk),
            Err(_) => return false,
        }
        if is_for_tls(&received) {
            socket.unread(received);
            return true;
        }
    }
}

/// Whether the bytes are a whole record, or something that TLS will refuse.
fn is_for_tls(bytes: &[u8]) -> bool {
    match bytes {
        [HANDSHAKE, _, _, high, low, fragment @ ..] => {
            let length = usize::from(u16::from_be_bytes([*high, *low]));
            fragment.len() >= length.min(RECORD_BYTES_MAX)
        }
        [HANDSHAKE, ..] => false,
        _ => true,
    }
}

#[cfg(test)]
mod tests {
    use super::is_for_tls;

    #[test]
    fn records_are_waited_for_and_nothing_else_is() {
        assert!(!is_for_tls(b"\x16"));
        assert!(!is_for_tls(b"\x16\x03\x01\0\x03ab"));
        assert!(is_for_tls(b"\x16\x03\x01\0\x03abc"));
        assert!(is_for_tls(b"\x16\x03\x01\0\0"));
        assert!(is_for_tls(b"GET / HTTP/1.1"));
        assert!(is_for_tls(b"\x80\x2e\x01"));
        let long = [b"\x16\x03\x01\xff\xff", &[0; 1 << 14][..]].concat();
        assert!(!is_for_tls(&long[..1000]) && is_for_tls(&long));
    }
}
