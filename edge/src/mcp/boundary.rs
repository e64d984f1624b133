//! Where in an event stream a comment may be put.
//!
//! Between two events, that is at the very start or right after a blank line; anywhere else it
//! would end up inside a line. Lines end with LF, CR LF or CR (WHATWG HTML §9.2.5), and a stream may
//! start with a byte order mark. This is not a parser: the last four bytes of what passed decide,
//! so watching a stream costs the same for a chunk of any size.
//!
//! When the blank line ends with CR it cannot be known yet whether LF follows. A comment in between
//! would be harmless for a parser that follows the standard but not for all that exist, so the LF is
//! waited for unless the line before ended with a lone CR as well.
//!
//! Known limit: a comment put at the very start moves a byte order mark that comes later away from
//! the start. No server of this protocol is known to send one.

/// Follows an event stream from its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SseBoundary(State);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// So many bytes of a byte order mark, and nothing else.
    Mark(usize),
    /// In a line that is not blank.
    Line,
    /// After a line that was not blank and ended with LF or CR LF.
    Ended,
    /// After a line that was not blank and ended with CR; LF may follow.
    EndedCr,
    /// After a blank line.
    Blank,
    /// After a blank line that ended with CR; LF may follow.
    BlankCr {
        /// The line end before it was a CR without LF.
        lone: bool,
    },
}

const BYTE_ORDER_MARK: [u8; 3] = [0xef, 0xbb, 0xbf];

/// After this many bytes of any kind, what came before them makes no difference.
const MEMORY: usize = 4;

impl SseBoundary {
    /// The start of a stream, where a comment may go.
    pub const fn new() -> Self {
        Self(State::Mark(0))
    }

    /// Follows the next bytes of the stream.
    pub fn feed(&mut self, bytes: &[u8]) {
        let mut rest = bytes;
        if let State::Mark(_) = self.0 {
            let first;
            (first, rest) = bytes.split_at(bytes.len().min(BYTE_ORDER_MARK.len()));
            self.step_all(first);
        }
        if rest.len() > MEMORY {
            self.0 = State::Line;
            rest = &rest[rest.len() - MEMORY..];
        }
        self.step_all(rest);
    }

    /// Whether a comment may be put after what was fed so far.
    pub fn at_boundary(&self) -> bool {
        matches!(
            self.0,
            State::Mark(0) | State::Blank | State::BlankCr { lone: true }
        )
    }

    fn step_all(&mut self, bytes: &[u8]) {
        for &byte in bytes {
            self.0 = self.0.step(byte);
        }
    }
}

impl Default for SseBoundary {
    fn default() -> Self {
        Self::new()
    }
}

impl State {
    fn step(self, byte: u8) -> Self {
        match (self, byte) {
            (Self::Mark(2), 0xbf) => Self::Blank,
            (Self::Mark(seen), _) if BYTE_ORDER_MARK[seen] == byte => Self::Mark(seen + 1),
            (Self::Mark(1 | 2), _) => Self::Line.step(byte),

            (Self::Line, b'\n') | (Self::EndedCr, b'\n') => Self::Ended,
            (Self::Line, b'\r') => Self::EndedCr,
            (_, b'\n') => Self::Blank,
            (Self::EndedCr | Self::BlankCr { .. }, b'\r') => Self::BlankCr { lone: true },
            (_, b'\r') => Self::BlankCr { lone: false },
            _ => Self::Line,
        }
    }
}

#[cfg(test)]
mod tests;
