//! The sending half of a stream: content waits here until the other side's window has room for it.

use std::collections::VecDeque;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http::HeaderMap;

/// Content and end of one direction of a stream.
#[derive(Default)]
pub(super) struct Outgoing {
    waiting: VecDeque<Bytes>,
    bytes: usize,
    end: End,
}

#[derive(Default)]
enum End {
    #[default]
    Open,
    Queued(Option<HeaderMap>),
    Sent,
}

impl Outgoing {
    /// Queues content; behind the end there is none.
    pub(super) fn push(&mut self, data: Bytes) {
        if !data.is_empty() && matches!(self.end, End::Open) {
            self.bytes += data.len();
            self.waiting.push_back(data);
        }
    }

    /// Queues the end, once.
    pub(super) fn finish(&mut self, trailers: Option<HeaderMap>) {
        if matches!(self.end, End::Open) {
            self.end = End::Queued(trailers);
        }
    }

    /// The direction has ended in another way: nothing that waits will be sent.
    pub(super) fn close(&mut self) {
        self.end = End::Sent;
        self.waiting.clear();
        self.bytes = 0;
    }

    /// Bytes that wait for room.
    pub(super) fn queued(&self) -> usize {
        self.bytes
    }

    /// Moves what the window allows into the connection's send buffer; ready when nothing waits.
    pub(super) fn poll_send(
        &mut self,
        send: &mut SendStream<Bytes>,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), h2::Error>> {
        while let Some(front) = self.waiting.front_mut() {
            send.reserve_capacity(self.bytes);
            let room = match send.capacity() {
                0 => match ready!(send.poll_capacity(cx)) {
                    Some(Ok(_)) => continue,
                    Some(Err(error)) => return Poll::Ready(Err(error)),
                    None => return Poll::Ready(Err(Reason::CANCEL.into())),
                },
                room => room,
            };
            let data = front.split_to(front.len().min(room));
            self.bytes -= data.len();
            if front.is_empty() {
                self.waiting.pop_front();
            }
            let last = self.waiting.is_empty() && matches!(self.end, End::Queued(None));
            send.send_data(data, last)?;
            if last {
                self.end = End::Sent;
            }
        }
        if let End::Queued(trailers) = &mut self.end {
            match trailers.take() {
                Some(trailers) => send.send_trailers(trailers)?,
                None => send.send_data(Bytes::new(), true)?,
            }
            self.end = End::Sent;
        }
        Poll::Ready(Ok(()))
    }
}
