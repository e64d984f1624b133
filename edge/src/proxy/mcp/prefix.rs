//! The first bytes of a request body: looked at before the request goes on, then handed on as they
//! came.

use std::future::poll_fn;
use std::task::{Poll, ready};
use std::time::Duration;

use bytes::{Bytes, BytesMut};

use super::call::Call;
use crate::clock::monotonic_ns;
use crate::mcp::Scanned;
use crate::message::{Fields, Frame};
use crate::proxy::exchange::{ClientError, Downstream};
use crate::proxy::pace::Pace;
use crate::upstream::Conn;

/// What was read of a body and waits to be sent.
#[derive(Default)]
pub(super) struct Prefix {
    /// Most bodies come in one piece.
    first: Option<Bytes>,
    /// What follows is copied together: each piece keeps the memory alive that it was read into, and
    /// pieces may be of one byte.
    rest: BytesMut,
    bytes: usize,
    /// Trailers are rare, and stand elsewhere.
    end: Option<Option<Box<Fields>>>,
    /// What the scan had no need to look at: of the last piece, or of a body that passes unread the first.
    unscanned: Bytes,
    /// Bytes have passed that nobody has looked at.
    passed: bool,
}

impl Prefix {
    fn push(&mut self, data: Bytes) {
        self.bytes += data.len();
        match self.first {
            None => self.first = Some(data),
            Some(_) => self.rest.extend_from_slice(&data),
        }
    }

    /// Bytes read.
    pub(super) fn len(&self) -> usize {
        self.bytes
    }

    /// Whether the body has ended in it.
    pub(super) fn is_whole(&self) -> bool {
        self.end.is_some()
    }

    /// The whole body, if it has come and nothing follows it.
    pub(super) fn whole(&self) -> Option<Bytes> {
        if !matches!(self.end, Some(None)) {
            return None;
        }
        let first = self.first.clone().unwrap_or_default();
        match &self.rest[..] {
            [] => Some(first),
            rest => Some([&first[..], rest].concat().into()),
        }
    }

    /// A piece passes unread. In the first there is the id, which an answer of the edge's own would name.
    pub(super) fn pass(&mut self, data: &Bytes, keeps: bool) {
        if keeps && !self.passed {
            self.unscanned = data.clone();
        }
        self.passed = true;
    }

    /// Nothing more will be asked of it.
    pub(super) fn forget(&mut self) {
        self.unscanned = Bytes::new();
        self.passed = true;
    }

    /// Queues it on a connection: how many bytes, and whether that was the whole body.
    pub(super) fn send(&mut self, conn: &mut Conn) -> (u64, bool) {
        if let Some(first) = self.first.take() {
            conn.send_data(first);
        }
        let rest = std::mem::take(&mut self.rest).freeze();
        if !rest.is_empty() {
            conn.send_data(rest);
        }
        let ended = self.is_whole();
        if let Some(trailers) = self.end.take() {
            conn.send_end(trailers.as_deref());
        }
        (std::mem::take(&mut self.bytes) as u64, ended)
    }
}

impl Call {
    /// Reads the body until it has told what it asks for, unless it is wanted whole, has ended, or
    /// `most` bytes have come. The client has `timeout` for each piece, and must send at `rate`.
    pub(super) async fn read_prefix<D: Downstream>(
        &mut self,
        client: &mut D,
        whole: bool,
        most: usize,
        timeout: Duration,
        rate: Option<u64>,
    ) -> Result<(), ClientError> {
        let timeout_ns = timeout.as_nanos() as u64;
        let mut idle_ns = None;
        // Most bodies are there, and nobody has to ask for the time.
        let mut pace = None;
        poll_fn(|cx| {
            loop {
                let knows = match whole {
                    // What follows may say otherwise.
                    true => self.scanned() == Scanned::Malformed,
                    false => self.scan.as_ref().is_some_and(|scan| scan.has_enough()),
                };
                if knows || self.prefix.is_whole() || self.prefix.len() >= most {
                    return Poll::Ready(Ok(()));
                }
                match client.poll_body(cx) {
                    Poll::Ready(frame) => self.take(frame?, whole),
                    Poll::Pending => {
                        let idle_ns = *idle_ns
                            .get_or_insert_with(|| monotonic_ns().saturating_add(timeout_ns));
                        let pace = pace.get_or_insert_with(|| Pace::new(rate, monotonic_ns()));
                        ready!(client.timer().poll(cx, idle_ns.min(pace.due_ns())));
                        let (now_ns, bytes) = (monotonic_ns(), self.prefix.len() as u64);
                        if now_ns >= idle_ns || !pace.is_kept(now_ns, bytes) {
                            return Poll::Ready(Err(ClientError::BodyTimeout));
                        }
                        continue;
                    }
                }
                idle_ns = None;
            }
        })
        .await
    }

    /// Looks for the id in what has come already, for an answer of the edge's own.
    pub(in crate::proxy) async fn read_id<D: Downstream>(&mut self, client: &mut D, most: usize) {
        self.scan_rest();
        poll_fn(|cx| {
            while self.posts
                && !self.prefix.passed
                && self.id().is_none()
                && self.scanned() == Scanned::Partly
                && !self.prefix.is_whole()
                && self.prefix.len() < most
            {
                match client.poll_body(cx) {
                    Poll::Ready(Ok(frame)) => self.take(frame, true),
                    // Then it has none.
                    Poll::Ready(Err(_)) | Poll::Pending => break,
                }
            }
            Poll::Ready(())
        })
        .await;
    }

    /// Has the scan look at what it was spared.
    pub(super) fn scan_rest(&mut self) {
        let rest = std::mem::take(&mut self.prefix.unscanned);
        if !rest.is_empty() {
            self.scan.get_or_insert_default().feed(&rest);
        }
    }

    /// Takes the next piece, scanned whole or as far as is needed.
    fn take(&mut self, frame: Option<Frame>, whole: bool) {
        match frame {
            Some(Frame::Data(data)) => {
                self.scan_rest();
                let scan = self.scan.get_or_insert_default();
                match whole {
                    true => scan.feed(&data),
                    false => {
                        let rest = scan.feed_enough(&data);
                        // Only the id is looked for there, for an answer of the edge's own.
                        if !scan.has_id() {
                            self.prefix.unscanned = data.slice_ref(rest);
                        }
                    }
                }
                self.prefix.push(data);
            }
            Some(Frame::Trailers(fields)) => self.prefix.end = Some(Some(Box::new(fields))),
            None => self.prefix.end = Some(None),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each piece may be of one byte, and lie in memory of some kilobytes.
    #[test]
    fn small_pieces_do_not_keep_what_they_lay_in() {
        let mut prefix = Prefix::default();
        let memory: Vec<Bytes> = (b'a'..=b'z').map(|byte| vec![byte; 4096].into()).collect();
        for piece in &memory {
            prefix.push(piece.slice(..1));
        }
        let kept = memory.iter().filter(|memory| !memory.is_unique()).count();
        assert_eq!((kept, prefix.len()), (1, memory.len()));
        assert!(prefix.whole().is_none());
        prefix.end = Some(None);
        assert_eq!(
            prefix.whole().as_deref(),
            Some(&b"abcdefghijklmnopqrstuvwxyz"[..])
        );
    }
}
