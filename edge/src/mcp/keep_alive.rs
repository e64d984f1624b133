//! When a quiet event stream gets a comment, so that nothing on its way takes it for dead.

use std::time::Duration;

use super::boundary::SseBoundary;
use super::media_type::is_event_stream;

/// A comment that clients ignore, and the blank line that sets it apart.
pub const KEEP_ALIVE: &[u8] = b":\n\n";

/// What the head of a response says about its body.
#[derive(Clone, Copy, Debug, Default)]
pub struct BodyFacts<'a> {
    /// The `Content-Type`.
    pub content_type: Option<&'a [u8]>,
    /// The `Content-Encoding`; a comment in a compressed body would destroy it.
    pub content_encoding: Option<&'a [u8]>,
    /// Whether the length is announced; a comment would exceed it.
    pub has_content_length: bool,
}

impl BodyFacts<'_> {
    /// Whether bytes may be added to the body.
    fn allow_comments(&self) -> bool {
        let encoded = self
            .content_encoding
            .is_some_and(|coding| !coding.trim_ascii().eq_ignore_ascii_case(b"identity"));
        self.content_type.is_some_and(is_event_stream) && !encoded && !self.has_content_length
    }
}

/// Watches one event stream; silent for a while and between two events, it is due a comment.
#[derive(Clone, Debug)]
pub struct KeepAlive {
    boundary: SseBoundary,
    interval_ns: u64,
    last_ns: u64,
}

impl KeepAlive {
    /// For a response whose head passed at `now_ns`; `None` if its body must not be added to.
    pub fn new(facts: &BodyFacts<'_>, interval: Duration, now_ns: u64) -> Option<Self> {
        facts.allow_comments().then(|| Self {
            boundary: SseBoundary::new(),
            interval_ns: u64::try_from(interval.as_nanos()).unwrap_or(u64::MAX),
            last_ns: now_ns,
        })
    }

    /// Follows body bytes that passed at `now_ns`.
    pub fn passed(&mut self, bytes: &[u8], now_ns: u64) {
        if !bytes.is_empty() {
            self.boundary.feed(bytes);
            self.last_ns = now_ns;
        }
    }

    /// When the next comment is due if nothing passes until then; `None` inside an event, where none
    /// is due however long the silence.
    pub fn due_ns(&self) -> Option<u64> {
        self.boundary
            .at_boundary()
            .then(|| self.last_ns.saturating_add(self.interval_ns))
    }

    /// Whether something may be added here.
    pub fn at_boundary(&self) -> bool {
        self.boundary.at_boundary()
    }

    /// [`KEEP_ALIVE`] if it is due at `now_ns`; the caller sends it at once, before other bytes.
    pub fn comment(&mut self, now_ns: u64) -> Option<&'static [u8]> {
        if self.due_ns()? > now_ns {
            return None;
        }
        self.passed(KEEP_ALIVE, now_ns);
        Some(KEEP_ALIVE)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: u64 = 1_000_000_000;
    const EVERY: Duration = Duration::from_secs(15);

    const STREAM: BodyFacts<'_> = BodyFacts {
        content_type: Some(b"text/event-stream"),
        content_encoding: None,
        has_content_length: false,
    };

    #[test]
    fn only_plain_event_streams_of_open_end_may_be_added_to() {
        let allowed = |facts: BodyFacts<'_>| KeepAlive::new(&facts, EVERY, 0).is_some();
        assert!(allowed(STREAM));
        assert!(allowed(BodyFacts {
            content_encoding: Some(b"Identity"),
            ..STREAM
        }));
        assert!(!allowed(BodyFacts::default()));
        assert!(!allowed(BodyFacts {
            content_type: Some(b"application/json"),
            ..STREAM
        }));
        assert!(!allowed(BodyFacts {
            content_encoding: Some(b"gzip"),
            ..STREAM
        }));
        assert!(!allowed(BodyFacts {
            content_encoding: Some(b"identity, br"),
            ..STREAM
        }));
        assert!(!allowed(BodyFacts {
            has_content_length: true,
            ..STREAM
        }));
    }

    #[test]
    fn silence_between_events_is_broken_at_every_interval() {
        let mut stream = KeepAlive::new(&STREAM, EVERY, 0).unwrap();
        assert_eq!(stream.due_ns(), Some(15 * SECOND));
        assert_eq!(stream.comment(15 * SECOND - 1), None);
        assert_eq!(stream.comment(15 * SECOND), Some(KEEP_ALIVE));
        assert_eq!(stream.comment(15 * SECOND), None);
        assert_eq!(stream.due_ns(), Some(30 * SECOND));

        stream.passed(b"data: x\n\n", 20 * SECOND);
        assert_eq!(stream.due_ns(), Some(35 * SECOND));
        // The timer fired late.
        assert_eq!(stream.comment(50 * SECOND), Some(KEEP_ALIVE));
        assert_eq!(stream.due_ns(), Some(65 * SECOND));
    }

    /// Ten minutes without an event: a comment in every interval, and then the event as it came.
    #[test]
    fn ten_minutes_of_silence() {
        let mut stream = KeepAlive::new(&STREAM, EVERY, 0).unwrap();
        stream.passed(b"data: first\n\n", 0);
        let (mut comments, mut now_ns) = (0, 0);
        while let Some(due_ns) = stream.due_ns().filter(|&due_ns| due_ns <= 600 * SECOND) {
            assert_eq!(due_ns - now_ns, 15 * SECOND);
            now_ns = due_ns;
            comments += stream.comment(now_ns).map_or(0, |_| 1);
        }
        assert_eq!((comments, now_ns), (40, 600 * SECOND));
        stream.passed(b"data: la", 601 * SECOND);
        assert_eq!(stream.due_ns(), None);
        stream.passed(b"st\n\n", 602 * SECOND);
        assert_eq!(stream.due_ns(), Some(617 * SECOND));
    }

    #[test]
    fn inside_an_event_silence_stays() {
        let mut stream = KeepAlive::new(&STREAM, EVERY, 0).unwrap();
        stream.passed(b"data: x\n", SECOND);
        assert_eq!(stream.due_ns(), None);
        assert_eq!(stream.comment(1000 * SECOND), None);
        stream.passed(b"", 1000 * SECOND);
        stream.passed(b"\n", 1001 * SECOND);
        assert_eq!(stream.due_ns(), Some(1016 * SECOND));
    }

    #[test]
    fn an_endless_interval_is_never_due() {
        let stream = KeepAlive::new(&STREAM, Duration::MAX, SECOND).unwrap();
        assert_eq!(stream.due_ns(), Some(u64::MAX));
    }
}
