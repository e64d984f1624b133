//! Content of the edge's own on its way to a client: pieces of memory and of a file, which is read
//! as the client takes it.

use std::collections::VecDeque;
use std::future::{Future as _, poll_fn};
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use http::StatusCode;

use super::account::Record;
use super::configured::Proxy;
use super::exchange::{ClientError, Downstream};
use super::reply::push_date;
use crate::clock::{coarse_ns, monotonic_ns};
use crate::content::Span;
use crate::message::{Name, ResponseHead};
use crate::net::{Appetite, FileRead, OpenFile};

/// What is read of a file, or sent of memory, at once.
const CHUNK_BYTES: usize = 64 * 1024;

/// A part of some content.
pub(super) enum Part {
    /// These bytes.
    Memory(Bytes),
    /// These of the file.
    File(Span),
}

/// Content, read bit by bit.
#[derive(Default)]
pub(super) struct Content {
    parts: VecDeque<Part>,
    file: Option<OpenFile>,
    reading: Option<FileRead>,
}

impl Content {
    /// What is in memory.
    pub(super) fn of_memory(bytes: Bytes) -> Content {
        let part = (!bytes.is_empty()).then_some(Part::Memory(bytes));
        Content {
            parts: part.into_iter().collect(),
            ..Content::default()
        }
    }

    /// What is in memory, in pieces.
    pub(super) fn of_pieces(pieces: impl IntoIterator<Item = Bytes>) -> Content {
        let pieces = pieces.into_iter().filter(|piece| !piece.is_empty());
        Content {
            parts: pieces.map(Part::Memory).collect(),
            ..Content::default()
        }
    }

    /// Parts of memory and of a file.
    pub(super) fn of_file(file: OpenFile, parts: impl IntoIterator<Item = Part>) -> Content {
        Content {
            parts: parts.into_iter().collect(),
            file: Some(file),
            reading: None,
        }
    }

    fn poll_next(&mut self, cx: &mut Context<'_>, most: usize) -> Poll<io::Result<Option<Bytes>>> {
        let data = match (self.parts.front_mut(), &self.file) {
            (None, _) => return Poll::Ready(Ok(None)),
            (Some(Part::Memory(bytes)), _) => {
                let data = bytes.split_to(bytes.len().min(most));
                if bytes.is_empty() {
                    self.parts.pop_front();
                }
                data
            }
            (Some(Part::File(span)), Some(file)) => {
                let most = span.len.min(most as u64) as usize;
                let start = || file.read(span.first, most);
                let reading = self.reading.get_or_insert_with(start);
                let data = ready!(Pin::new(reading).poll(cx));
                self.reading = None;
                let data = data?;
                if data.is_empty() {
                    // Its length has been told already.
                    let problem = "the file has become shorter while it was sent";
                    return Poll::Ready(Err(io::Error::other(problem)));
                }
                span.first += data.len() as u64;
                span.len -= data.len() as u64;
                if span.len == 0 {
                    self.parts.pop_front();
                }
                data.freeze()
            }
            (Some(Part::File(_)), None) => unreachable!("parts of a file come with it"),
        };
        Poll::Ready(Ok(Some(data)))
    }
}

/// Why content was not sent to its end.
enum Failure {
    Client(ClientError),
    File(io::Error),
}

impl Proxy {
    /// Sends a response of the edge's own. One that cannot be completed is cut off so that the
    /// client cannot take it for complete.
    pub(super) async fn deliver<D: Downstream>(
        &self,
        mut head: ResponseHead,
        content: Content,
        client: &mut D,
        is_head: bool,
        record: &mut Record<'_>,
    ) {
        record.status = Some(head.status);
        if head.fields.value(Name::Date).is_none() {
            push_date(&mut head.fields);
        }
        if record.advertises {
            self.advertise(&mut head.fields);
        }
        record.rules.apply(&mut head.fields);
        client.send_head(&head);
        let bodiless = is_head || head.status == StatusCode::NOT_MODIFIED;
        let mut sending = Sending {
            content: if bodiless {
                Content::default()
            } else {
                content
            },
            ended: false,
            sent: 0,
            active_ns: monotonic_ns(),
            seen: (0, 0),
            appetite: Appetite::new(D::AHEAD_BYTES, coarse_ns()),
        };
        let sent = poll_fn(|cx| sending.poll(client, self, cx)).await;
        record.bytes_out += sending.sent;
        let Err(failure) = sent else { return };
        record.error.get_or_insert(match failure {
            Failure::Client(error) => error.reason(),
            Failure::File(error) => {
                tracing::warn!(%error, "a file could not be sent to its end");
                "file"
            }
        });
        client.abort();
    }
}

struct Sending {
    content: Content,
    ended: bool,
    /// Bytes of content handed to the client's connection.
    sent: u64,
    /// When something moved last, and the state then.
    active_ns: u64,
    seen: (u64, usize),
    appetite: Appetite,
}

impl Sending {
    fn poll<D: Downstream>(
        &mut self,
        client: &mut D,
        proxy: &Proxy,
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Failure>> {
        loop {
            let mut starved = self.ended;
            let taken = self.sent.saturating_sub(client.queued() as u64);
            let most = self.appetite.bytes(coarse_ns(), taken).min(CHUNK_BYTES);
            while !starved && client.queued() < proxy.bounds.buffer_bytes.min(most) {
                match self.content.poll_next(cx, most) {
                    Poll::Ready(Ok(Some(data))) => {
                        self.sent += data.len() as u64;
                        client.send_data(data);
                    }
                    Poll::Ready(Ok(None)) => {
                        client.send_end(None);
                        self.ended = true;
                        starved = true;
                    }
                    Poll::Ready(Err(error)) => return Poll::Ready(Err(Failure::File(error))),
                    Poll::Pending => starved = true,
                }
            }
            match client.poll_flush(cx).map_err(Failure::Client)? {
                Poll::Ready(()) if self.ended => return Poll::Ready(Ok(())),
                Poll::Ready(()) if !starved => continue,
                Poll::Ready(()) | Poll::Pending => {}
            }
            let state = (self.sent, client.queued());
            if state != self.seen {
                self.seen = state;
                self.active_ns = monotonic_ns();
            }
            let timeout_ns = proxy.timeouts.send.as_nanos() as u64;
            ready!(client.timer().poll(cx, self.active_ns + timeout_ns));
            return Poll::Ready(Err(Failure::Client(ClientError::SendTimeout)));
        }
    }
}
