//! The way out of a request's content: into what `h2` sends, as far as the server's windows allow.

use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};

use super::fields::header_map;
use crate::message::h2::{End, Outgoing};

/// Moves what waits into the connection's send buffer; ready when nothing waits.
pub(super) fn poll_send(
    outgoing: &mut Outgoing,
    send: &mut SendStream<Bytes>,
    cx: &mut Context<'_>,
) -> Poll<Result<(), h2::Error>> {
    while let Some(front) = outgoing.front() {
        send.reserve_capacity(outgoing.queued());
        let room = match send.capacity() {
            0 => match ready!(send.poll_capacity(cx)) {
                Some(Ok(_)) => continue,
                Some(Err(error)) => return Poll::Ready(Err(error)),
                None => return Poll::Ready(Err(Reason::CANCEL.into())),
            },
            room => room,
        };
        let data = front.slice(..front.len().min(room));
        let length = data.len();
        let is_last = outgoing.ends_with(length);
        send.send_data(data, is_last)?;
        match is_last {
            true => outgoing.close(),
            false => outgoing.sent(length),
        }
    }
    match outgoing.take_end() {
        End::Queued(Some(trailers)) => send.send_trailers(header_map(&trailers))?,
        End::Queued(None) => send.send_data(Bytes::new(), true)?,
        End::Open | End::Sent => {}
    }
    Poll::Ready(Ok(()))
}
