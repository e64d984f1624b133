//! Notices that a server tells of a change of its lists.

use memchr::memmem;

/// `notifications/tools/list_changed` and its likes. What only looks like one costs a question to the
/// server, no more.
const NEEDLE: &[u8] = b"list_changed";
const TAIL: usize = NEEDLE.len() - 1;

/// Follows one event stream.
#[derive(Clone, Copy, Debug, Default)]
pub struct ChangeWatch {
    tail: [u8; TAIL],
    len: usize,
}

impl ChangeWatch {
    /// Follows the next bytes; whether a change was told with them.
    pub fn feed(&mut self, bytes: &[u8]) -> bool {
        // What lies across the border: the end of what came before, and as much of this.
        let mut border = [0; 2 * TAIL];
        let ahead = bytes.len().min(TAIL);
        border[..self.len].copy_from_slice(&self.tail[..self.len]);
        border[self.len..self.len + ahead].copy_from_slice(&bytes[..ahead]);
        let border = &border[..self.len + ahead];
        let found = memmem::find(border, NEEDLE).is_some() || memmem::find(bytes, NEEDLE).is_some();
        let last = match bytes.len() < TAIL {
            true => border,
            false => bytes,
        };
        let last = &last[last.len().saturating_sub(TAIL)..];
        self.len = last.len();
        self.tail[..last.len()].copy_from_slice(last);
        found
    }
}
