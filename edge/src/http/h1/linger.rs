//! Closing without losing the last answer.
//!
//! A socket that is closed while unread bytes wait in it answers them with a reset, which can make
//! the client's kernel throw away the answer it has not read yet (RFC 9112 §9.6). So the sending
//! side ends first, and what still comes in is thrown away for a moment.

use std::future::poll_fn;
use std::task::Poll;
use std::time::Duration;

use super::connection::Connection;
use crate::clock::monotonic_ns;
use crate::net::{Expect, Transport};

/// How long a client may go on talking to a closed door.
const LINGER: Duration = Duration::from_secs(2);
/// How much.
const LINGER_BYTES_MAX: usize = 1024 * 1024;

/// Ends an idle connection: over TLS the client must see that nothing was cut off (RFC 8446 §6.1).
pub(super) async fn close<T: Transport>(connection: &mut Connection<'_, T>) {
    let Connection { io, timer, .. } = connection;
    io.finish();
    let deadline_ns = monotonic_ns() + LINGER.as_nanos() as u64;
    poll_fn(|cx| match io.poll_flush(cx) {
        Poll::Ready(_) => Poll::Ready(()),
        Poll::Pending => timer.poll(cx, deadline_ns),
    })
    .await;
}

/// Sends what is queued and the end of the stream, then waits for the client to close.
pub(super) async fn linger<T: Transport>(
    connection: &mut Connection<'_, T>,
    send_timeout: Duration,
) {
    let Connection { io, timer, .. } = connection;
    io.finish();
    let mut flushed = false;
    let mut discarded = 0;
    let mut deadline_ns = monotonic_ns() + send_timeout.as_nanos() as u64;
    poll_fn(|cx| {
        if !flushed {
            match io.poll_flush(cx) {
                Poll::Ready(Ok(())) => {
                    flushed = true;
                    deadline_ns = monotonic_ns() + LINGER.as_nanos() as u64;
                }
                Poll::Ready(Err(_)) => return Poll::Ready(()),
                Poll::Pending => {}
            }
        }
        loop {
            match io.poll_recv(cx, Expect::Message) {
                Poll::Ready(Ok(chunk)) if !chunk.is_empty() && discarded < LINGER_BYTES_MAX => {
                    discarded += chunk.len();
                }
                Poll::Ready(_) if flushed => return Poll::Ready(()),
                Poll::Ready(_) | Poll::Pending => break,
            }
        }
        timer.poll(cx, deadline_ns)
    })
    .await;
}
