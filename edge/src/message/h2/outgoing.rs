//! What of a message waits for the other side to have room for it.

use std::collections::VecDeque;

use bytes::{Buf as _, Bytes};

use crate::message::Fields;

/// Content and end of one direction of a stream.
#[derive(Default)]
pub struct Outgoing {
    waiting: VecDeque<Bytes>,
    bytes: usize,
    end: End,
}

/// How far the end is.
#[derive(Default)]
pub enum End {
    /// More may come.
    #[default]
    Open,
    /// Nothing more comes but these trailers.
    Queued(Option<Box<Fields>>),
    /// It was handed on, or there is none any more.
    Sent,
}

impl Outgoing {
    /// Queues content; behind the end there is none.
    pub fn push(&mut self, data: Bytes) {
        if !data.is_empty() && matches!(self.end, End::Open) {
            self.bytes += data.len();
            self.waiting.push_back(data);
        }
    }

    /// Queues the end, once.
    pub fn finish(&mut self, trailers: Option<&Fields>) {
        if matches!(self.end, End::Open) {
            self.end = End::Queued(trailers.map(|trailers| Box::new(trailers.clone())));
        }
    }

    /// It has ended in another way: nothing that waits will be sent.
    pub fn close(&mut self) {
        self.end = End::Sent;
        self.waiting.clear();
        self.bytes = 0;
    }

    /// Bytes that wait.
    pub fn queued(&self) -> usize {
        self.bytes
    }

    /// Whether the end was handed on.
    pub fn is_sent(&self) -> bool {
        matches!(self.end, End::Sent)
    }

    /// What is to go next.
    pub fn front(&self) -> Option<&Bytes> {
        self.waiting.front()
    }

    /// Whether so many bytes are the last.
    pub fn ends_with(&self, length: usize) -> bool {
        self.bytes == length && matches!(self.end, End::Queued(None))
    }

    /// So much of the front has gone.
    pub fn sent(&mut self, length: usize) {
        self.bytes -= length;
        if let Some(front) = self.waiting.front_mut() {
            front.advance(length);
            if front.is_empty() {
                self.waiting.pop_front();
            }
        }
    }

    /// The end, if it is due: it is sent then.
    pub fn take_end(&mut self) -> End {
        match self.end {
            End::Queued(_) => std::mem::replace(&mut self.end, End::Sent),
            End::Open => End::Open,
            End::Sent => End::Sent,
        }
    }
}
