//! Lines to a field section, with the static table and without Huffman coding: responses are small
//! beside their content, and a proxy's time is worth more than the bytes.

use std::collections::HashMap;
use std::sync::LazyLock;

use super::static_table::STATIC_TABLE;
use crate::message::coding::put;

/// The first entry of each name, for names are looked up without their values.
static NAMES: LazyLock<HashMap<&'static [u8], usize>> = LazyLock::new(|| {
    let mut names = HashMap::with_capacity(STATIC_TABLE.len());
    for (index, (name, _)) in STATIC_TABLE.iter().enumerate() {
        names.entry(*name).or_insert(index);
    }
    names
});

/// A field section in the making.
pub struct Encoder {
    section: Vec<u8>,
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder::new()
    }
}

impl Encoder {
    /// One without lines.
    pub fn new() -> Encoder {
        let mut section = Vec::with_capacity(256);
        // No entry of a dynamic table is needed.
        section.extend_from_slice(&[0, 0]);
        Encoder { section }
    }

    /// Appends a line; the name in lower case.
    pub fn line(&mut self, name: &[u8], value: &[u8]) {
        let out = &mut self.section;
        let Some(&first) = NAMES.get(name) else {
            put(0b0010_0000, 3, name.len() as u64, out);
            out.extend_from_slice(name);
            put(0, 7, value.len() as u64, out);
            out.extend_from_slice(value);
            return;
        };
        // Entries of one name stand together, but for a few that no proxy answers with.
        let same = STATIC_TABLE[first..]
            .iter()
            .take_while(|(other, _)| *other == name);
        match same.into_iter().position(|(_, known)| *known == value) {
            Some(position) => put(0b1100_0000, 6, (first + position) as u64, out),
            None => {
                put(0b0101_0000, 4, first as u64, out);
                put(0, 7, value.len() as u64, out);
                out.extend_from_slice(value);
            }
        }
    }

    /// Appends the status of a response.
    pub fn status(&mut self, status: u16) {
        let digits = [
            b'0' + (status / 100 % 10) as u8,
            b'0' + (status / 10 % 10) as u8,
            b'0' + (status % 10) as u8,
        ];
        match STATIC_TABLE
            .iter()
            .position(|entry| *entry == (&b":status"[..], &digits[..]))
        {
            Some(index) => put(0b1100_0000, 6, index as u64, &mut self.section),
            None => self.line(b":status", &digits),
        }
    }

    /// The section.
    pub fn finish(self) -> Vec<u8> {
        self.section
    }
}
