//! The content of a request as it comes: what waits for the exchange, and how much may still come.

use std::collections::VecDeque;

use bytes::{Bytes, BytesMut};

use super::core::STREAM_WINDOW;
use crate::message::h2::Code;
use crate::message::{Fields, Frame};

/// Pieces up to this size are put together where they wait: a piece of one byte takes the memory of many,
/// and a client may send a whole window in them.
const GATHERED_BYTES_MAX: usize = 1024;
/// How much is put together.
const GATHER_BYTES: usize = 16 * 1024;

/// One request's.
#[derive(Debug)]
pub(super) struct Content {
    waiting: VecDeque<Bytes>,
    /// Small pieces that have come behind it.
    gathered: BytesMut,
    waiting_bytes: usize,
    /// The last of what is due, until it is certain that no more comes (RFC 9113 §8.1.1): a message
    /// with more content than its length is not passed on whole.
    last: Option<Bytes>,
    trailers: Option<Box<Fields>>,
    /// What is still due, where the client has said how much there is.
    due: Option<u64>,
    /// What the client may still send, and what has moved on since it was told.
    room: i64,
    unclaimed: u32,
    has_ended: bool,
}

impl Content {
    /// `due` is the length, where it is known; `has_ended` says that there is none.
    pub(super) fn new(due: Option<u64>, has_ended: bool) -> Content {
        Content {
            waiting: VecDeque::new(),
            gathered: BytesMut::new(),
            waiting_bytes: 0,
            last: None,
            trailers: None,
            due,
            room: STREAM_WINDOW.into(),
            unclaimed: 0,
            has_ended,
        }
    }

    /// A frame has begun that takes so much of the window.
    pub(super) fn begin(&mut self, bytes: usize) -> Result<(), Code> {
        self.room -= bytes as i64;
        (self.room >= 0).then_some(()).ok_or(Code::FlowControlError)
    }

    /// Takes content; why the stream has to end.
    pub(super) fn push(&mut self, data: Bytes) -> Result<(), Code> {
        self.waiting_bytes += data.len();
        if let Some(due) = &mut self.due {
            let left = due.checked_sub(data.len() as u64);
            *due = left.ok_or(Code::ProtocolError)?;
            if *due == 0 {
                self.last = Some(data);
                return Ok(());
            }
        }
        self.wait(data);
        Ok(())
    }

    fn wait(&mut self, data: Bytes) {
        if data.len() <= GATHERED_BYTES_MAX && !self.waiting.is_empty() {
            self.gathered.extend_from_slice(&data);
            if self.gathered.len() >= GATHER_BYTES {
                self.put_back();
            }
            return;
        }
        self.put_back();
        self.waiting.push_back(data);
    }

    /// Has what was gathered wait its turn.
    fn put_back(&mut self) {
        if !self.gathered.is_empty() {
            let gathered = std::mem::take(&mut self.gathered);
            self.waiting.push_back(gathered.freeze());
        }
    }

    /// There is no more.
    pub(super) fn end(&mut self, trailers: Option<Fields>) -> Result<(), Code> {
        if self.due.is_some_and(|due| due > 0) {
            return Err(Code::ProtocolError);
        }
        self.put_back();
        self.waiting.extend(self.last.take());
        self.trailers = trailers.map(Box::new);
        self.has_ended = true;
        Ok(())
    }

    /// What has come: `None` if nothing has, `Some(None)` at the end.
    pub(super) fn next(&mut self) -> Option<Option<Frame>> {
        if let Some(data) = self.waiting.pop_front() {
            if self.waiting.is_empty() {
                self.put_back();
            }
            self.waiting_bytes -= data.len();
            return Some(Some(Frame::Data(data)));
        }
        self.has_ended.then(|| {
            self.trailers
                .take()
                .map(|trailers| Frame::Trailers(*trailers))
        })
    }

    /// So much has moved on; how much more the client is to be told that it may send.
    pub(super) fn claim(&mut self, bytes: usize) -> Option<u32> {
        // No more than the window, which is far less.
        self.unclaimed += bytes as u32;
        if self.has_ended || self.unclaimed < STREAM_WINDOW / 2 {
            return None;
        }
        let increment = std::mem::take(&mut self.unclaimed);
        self.room += i64::from(increment);
        Some(increment)
    }

    /// Bytes that nobody has asked for.
    pub(super) fn held(&self) -> usize {
        self.waiting_bytes
    }

    /// Whether the client has said that there is no more.
    pub(super) fn has_ended(&self) -> bool {
        self.has_ended
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn push(content: &mut Content, text: &'static str) -> Result<(), Code> {
        content.begin(text.len())?;
        content.push(text.into())
    }

    fn data(content: &mut Content) -> Option<Option<Bytes>> {
        content.next().map(|frame| match frame {
            Some(Frame::Data(data)) => Some(data),
            Some(Frame::Trailers(_)) => panic!("trailers"),
            None => None,
        })
    }

    #[test]
    fn content_is_as_long_as_was_said() {
        let mut content = Content::new(Some(4), false);
        assert_eq!(push(&mut content, "ab"), Ok(()));
        assert_eq!(data(&mut content), Some(Some("ab".into())));
        assert_eq!(push(&mut content, "cd"), Ok(()));
        // It would be whole with this, and more might come.
        assert_eq!((data(&mut content), content.held()), (None, 2));
        assert_eq!(push(&mut content, "e"), Err(Code::ProtocolError));
        let mut content = Content::new(Some(2), false);
        assert_eq!(push(&mut content, "ab"), Ok(()));
        assert_eq!(content.end(None), Ok(()));
        assert_eq!(data(&mut content), Some(Some("ab".into())));
        assert_eq!((data(&mut content), content.held()), (Some(None), 0));
        let mut content = Content::new(Some(2), false);
        assert_eq!(push(&mut content, "a"), Ok(()));
        assert_eq!(content.end(None), Err(Code::ProtocolError));
    }

    #[test]
    fn small_pieces_wait_as_large_ones() {
        let mut content = Content::new(None, false);
        let mut sent = Vec::new();
        for number in 0..100_000_u32 {
            let piece = match number % 1000 {
                999 => vec![b'.'; 2000],
                _ => vec![number as u8],
            };
            assert_eq!(content.push(Bytes::from(piece.clone())), Ok(()));
            sent.extend(piece);
        }
        assert_eq!(content.held(), sent.len());
        assert!(content.waiting.len() < 300, "{}", content.waiting.len());
        assert_eq!(content.end(None), Ok(()));
        let mut got = Vec::new();
        while let Some(Some(piece)) = data(&mut content) {
            got.extend_from_slice(&piece);
        }
        assert!(got == sent);
        assert_eq!(content.held(), 0);
    }

    #[test]
    fn room_is_given_back_by_halves() {
        let mut content = Content::new(None, false);
        let half = STREAM_WINDOW / 2;
        assert_eq!(content.begin(STREAM_WINDOW as usize), Ok(()));
        assert_eq!(content.claim(half as usize - 1), None);
        assert_eq!(content.claim(1), Some(half));
        assert_eq!(content.begin(half as usize), Ok(()));
        assert_eq!(content.begin(1), Err(Code::FlowControlError));
    }
}
