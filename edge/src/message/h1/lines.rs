//! Finds the end of a head and refuses line ends that recipients disagree about.
//!
//! RFC 9112 §2.2 lets a recipient take a bare LF for a line end; peers that do and peers that do
//! not see different messages in the same bytes. Here only CRLF ends a line, and a bare CR or LF is
//! refused as soon as it is seen, without waiting for the rest.

/// Where the scan of a growing buffer stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct HeadScan {
    scanned: usize,
    line_start: usize,
    line_seen: bool,
    /// Where the first line has ended.
    first_line_end: usize,
}

/// A CR or LF that is not part of CRLF, or NUL.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("bare CR, bare LF or NUL in head")]
pub struct LineError;

impl HeadScan {
    /// Looks at the bytes that came since the last call; the length of the head once it is whole.
    /// Empty lines before the first line are part of the head (RFC 9112 §2.2).
    pub fn end_of_head(&mut self, buf: &[u8]) -> Result<Option<usize>, LineError> {
        while let Some(at) = memchr::memchr3(b'\r', b'\n', 0, &buf[self.scanned..]) {
            let at = self.scanned + at;
            if buf[at] != b'\r' {
                return Err(LineError);
            }
            match buf.get(at + 1) {
                None => {
                    self.scanned = at;
                    return Ok(None);
                }
                Some(b'\n') => {}
                Some(_) => return Err(LineError),
            }
            let empty = at == self.line_start;
            self.scanned = at + 2;
            self.line_start = at + 2;
            if empty && self.line_seen {
                return Ok(Some(self.scanned));
            }
            if !empty && !self.line_seen {
                self.line_seen = true;
                self.first_line_end = self.line_start;
            }
        }
        self.scanned = buf.len();
        Ok(None)
    }

    /// Whether the first line is longer than that, with the empty lines before it; one that has not
    /// ended yet counts as long as it may become.
    pub fn first_line_exceeds(&self, bytes: usize) -> bool {
        !self.line_seen || self.first_line_end > bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn whole(bytes: &[u8]) -> Result<Option<usize>, LineError> {
        HeadScan::default().end_of_head(bytes)
    }

    #[test]
    fn heads_end_at_an_empty_line() {
        assert_eq!(whole(b"GET / HTTP/1.1\r\nA: b\r\n\r\nrest"), Ok(Some(24)));
        assert_eq!(whole(b"\r\nGET / HTTP/1.1\r\n\r\n"), Ok(Some(20)));
        assert_eq!(whole(b"GET / HTTP/1.1\r\nA: b\r\n\r"), Ok(None));
        assert_eq!(whole(b"GET / HTTP/1.1\nA: b\r\n\r\n"), Err(LineError));
        assert_eq!(whole(b"GET / HTTP/1.1\r\nA: b\rc\r\n\r\n"), Err(LineError));
        assert_eq!(whole(b"GET / HTTP/1.1\r\nA: \0\r\n\r\n"), Err(LineError));
    }

    #[test]
    fn long_first_lines_are_told_from_long_heads() {
        let exceeds = |bytes: &[u8]| {
            let mut scan = HeadScan::default();
            scan.end_of_head(bytes).expect("valid");
            scan.first_line_exceeds(20)
        };
        assert!(exceeds(b"GET /aaaaaaaaaaaaaaaaaaaaaaaaaaa"));
        assert!(exceeds(b"GET /aaaaaaaaaaaaaa HTTP/1.1\r\nA: b\r\n\r\n"));
        assert!(!exceeds(b"GET / HTTP/1.1\r\nA: bbbbbbbbbbbbbbbbbbbb"));
    }

    #[test]
    fn any_chunking_gives_the_same_answer() {
        let head = b"POST /x HTTP/1.1\r\nHost: h\r\nA: b\r\n\r\nbody";
        let mut scan = HeadScan::default();
        let mut found = None;
        for end in 1..=head.len() {
            if let Some(len) = scan.end_of_head(&head[..end]).expect("valid") {
                found = Some(len);
                break;
            }
        }
        assert_eq!(found, whole(head).expect("valid"));
    }
}
