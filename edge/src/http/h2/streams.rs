//! Which streams a client may still send on (RFC 9113 §5.1).
//!
//! What is known of a stream here outlives our side of it: a client that has not heard yet that its
//! stream was reset may go on, and one that has ended it itself may not.

use std::collections::VecDeque;

use crate::message::h2::Code;

/// Streams remembered on which something may come: more than a client may have open, but for those
/// that were refused. Of older ones nothing is said.
const OPEN_MAX: usize = 1024;
/// Gaps remembered in the numbers of a client's streams; honest clients leave none.
const GAPS_MAX: usize = 16;

/// A client's side of its streams.
#[derive(Debug, Default)]
pub(super) struct ClientStreams {
    newest: u32,
    open: VecDeque<u32>,
    /// Streams below this may be open though they are not remembered.
    forgotten: u32,
    gaps: Vec<(u32, u32)>,
}

/// What a HEADERS frame is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Headers {
    Request,
    Trailers,
}

impl ClientStreams {
    /// A HEADERS frame: what it is, or why the connection has to end.
    pub(super) fn headers(&mut self, stream: u32, ends: bool) -> Result<Headers, Code> {
        if stream.is_multiple_of(2) {
            return Err(Code::ProtocolError); // §5.1.1: zero, or a number of ours.
        }
        if stream <= self.newest {
            // §5.1.1: a number that was passed over cannot be used any more.
            let is_gap = |&(first, end): &(u32, u32)| (first..end).contains(&stream);
            if self.gaps.iter().any(is_gap) {
                return Err(Code::ProtocolError);
            }
            self.content(stream, ends)?;
            return Ok(Headers::Trailers);
        }
        if stream > self.newest + 2 && self.gaps.len() < GAPS_MAX {
            self.gaps.push((self.newest + 1, stream));
        }
        self.newest = stream;
        if !ends {
            if self.open.len() == OPEN_MAX {
                self.forgotten = self.open.pop_front().map_or(0, |oldest| oldest + 1);
            }
            self.open.push_back(stream);
        }
        Ok(Headers::Request)
    }

    /// A frame of content; why the connection has to end. An error of a stream may be one of the
    /// connection (§5.4.2): who goes on behind his own end has lost count.
    pub(super) fn content(&mut self, stream: u32, ends: bool) -> Result<(), Code> {
        if stream > self.newest {
            return Err(Code::ProtocolError); // §5.1: idle.
        }
        match self.open.iter().rposition(|id| *id == stream) {
            Some(at) if ends => {
                self.open.remove(at);
                Ok(())
            }
            None if stream >= self.forgotten => Err(Code::StreamClosed),
            _ => Ok(()),
        }
    }

    /// The client has reset a stream.
    pub(super) fn reset(&mut self, stream: u32) {
        self.open.retain(|id| *id != stream);
    }

    /// Whether a stream was never opened: it is above all others, or it would be one of ours.
    pub(super) fn is_idle(&self, stream: u32) -> bool {
        stream > self.newest || stream.is_multiple_of(2)
    }

    /// The newest stream of the client.
    pub(super) fn newest(&self) -> u32 {
        self.newest
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn behind_the_end_there_is_nothing() {
        let mut streams = ClientStreams::default();
        let closed = Err(Code::StreamClosed);
        assert_eq!(streams.headers(1, true), Ok(Headers::Request));
        assert_eq!(streams.content(1, true), closed);
        assert_eq!(streams.headers(1, true), Err(Code::StreamClosed));
        assert_eq!(streams.headers(3, false), Ok(Headers::Request));
        assert_eq!(streams.content(3, false), Ok(()));
        assert_eq!(streams.headers(3, true), Ok(Headers::Trailers));
        assert_eq!(streams.content(3, false), closed);
        assert_eq!(streams.headers(5, false), Ok(Headers::Request));
        streams.reset(5);
        assert_eq!(streams.content(5, true), closed);
        assert!(streams.open.is_empty());
    }

    #[test]
    fn numbers_only_grow() {
        let mut streams = ClientStreams::default();
        assert_eq!(streams.headers(2, true), Err(Code::ProtocolError));
        assert_eq!(streams.headers(0, true), Err(Code::ProtocolError));
        assert_eq!(streams.headers(7, false), Ok(Headers::Request));
        assert_eq!(streams.headers(5, false), Err(Code::ProtocolError));
        assert_eq!(streams.content(9, false), Err(Code::ProtocolError));
    }

    #[test]
    fn what_is_remembered_is_bounded_and_nobody_is_blamed_for_what_is_not() {
        let mut streams = ClientStreams::default();
        for number in 0..2 * OPEN_MAX as u32 {
            assert_eq!(streams.headers(4 * number + 1, false), Ok(Headers::Request));
        }
        assert_eq!(
            (streams.open.len(), streams.gaps.len()),
            (OPEN_MAX, GAPS_MAX)
        );
        for number in 0..2 * OPEN_MAX as u32 {
            assert_eq!(streams.content(4 * number + 1, true), Ok(()));
        }
        assert_eq!(streams.headers(1, true), Ok(Headers::Trailers));
    }
}
