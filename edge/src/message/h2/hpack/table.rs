//! The dynamic table (RFC 7541 §2.3.2, §4): the newest lines, as many as fit.

use std::collections::VecDeque;

/// What an entry counts beyond its text (§4.1).
const ENTRY_OVERHEAD: usize = 32;

/// One direction's table.
#[derive(Debug)]
pub(super) struct Table {
    /// The newest first.
    entries: VecDeque<Entry>,
    bytes: usize,
    bytes_max: usize,
}

#[derive(Debug)]
struct Entry {
    /// The name, and the value behind it.
    text: Box<[u8]>,
    name_len: u32,
    digest: u32,
}

impl Entry {
    fn parts(&self) -> (&[u8], &[u8]) {
        self.text.split_at(self.name_len as usize)
    }

    fn bytes(&self) -> usize {
        self.text.len() + ENTRY_OVERHEAD
    }
}

impl Table {
    pub(super) fn new(bytes_max: usize) -> Table {
        Table {
            entries: VecDeque::new(),
            bytes: 0,
            bytes_max,
        }
    }

    /// The line that was added so many lines before the newest.
    pub(super) fn get(&self, age: usize) -> Option<(&[u8], &[u8])> {
        self.entries.get(age).map(Entry::parts)
    }

    /// How long ago this line was added, of those with its digest.
    pub(super) fn age(&self, digest: u32, name: &[u8], value: &[u8]) -> Option<usize> {
        let is_it = |entry: &Entry| entry.digest == digest && entry.parts() == (name, value);
        self.entries.iter().position(is_it)
    }

    /// Adds a line; one that is larger than the table empties it (§4.4).
    pub(super) fn add(&mut self, text: Box<[u8]>, name_len: usize, digest: u32) {
        let entry = Entry {
            text,
            // Within a frame or a head, which are far smaller than 4 GiB.
            name_len: name_len as u32,
            digest,
        };
        let bytes = entry.bytes();
        self.make_room(bytes);
        if bytes <= self.bytes_max {
            self.bytes += bytes;
            self.entries.push_front(entry);
        }
    }

    /// Changes how large it may be.
    pub(super) fn resize(&mut self, bytes_max: usize) {
        self.bytes_max = bytes_max;
        self.make_room(0);
    }

    /// Lets the oldest go until there is room for so much, or nothing left.
    fn make_room(&mut self, bytes: usize) {
        while self.bytes + bytes > self.bytes_max {
            let Some(oldest) = self.entries.pop_back() else {
                return;
            };
            self.bytes -= oldest.bytes();
        }
    }

    /// Entries, and what they count.
    #[cfg(test)]
    pub(super) fn size(&self) -> (usize, usize) {
        (self.entries.len(), self.bytes)
    }
}
