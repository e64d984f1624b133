//! Counts the events of a stream that pass.

/// Counts events: blocks of lines, closed by a blank one, of which one at least is no comment.
///
/// Streams whose lines end in CR alone, which no server is known to send, count nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct EventCount {
    events: u64,
    /// The first byte of the line that is under way.
    first: Option<u8>,
    /// The block holds a line that is no comment.
    holds: bool,
}

impl EventCount {
    /// Follows the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            match self.first.or(bytes[start..end].first().copied()) {
                None | Some(b'\r') => {
                    self.events += u64::from(self.holds);
                    self.holds = false;
                }
                Some(b':') => {}
                Some(_) => self.holds = true,
            }
            self.first = None;
            start = end + 1;
        }
        self.first = self.first.or(bytes[start..].first().copied());
    }

    /// Events that have passed whole.
    pub fn events(&self) -> u64 {
        self.events
    }
}

#[cfg(test)]
mod tests {
    use super::EventCount;

    #[test]
    fn events_are_counted_and_comments_are_not() {
        let stream = b": ping\n\nevent: a\ndata: 1\n\n\r\ndata: 2\r\n\r\n:\n\ndata: unfinished\n";
        for cut in 1..stream.len() {
            let mut count = EventCount::default();
            stream.chunks(cut).for_each(|piece| count.feed(piece));
            assert_eq!(count.events(), 2, "{cut}");
        }
    }
}
