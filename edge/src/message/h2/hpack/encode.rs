//! Lines to a field block, without Huffman coding: a line that comes again is an index, and for the
//! others a proxy's time is worth more than their bytes.

use super::TABLE_BYTES;
use super::static_table::{STATIC_TABLE, index_of, index_of_status};
use super::table::Table;
use crate::message::Name;
use crate::message::coding::put;

/// Digests remembered of lines that were not put into the table.
const SEEN: usize = 32;

/// What our field blocks refer to.
#[derive(Debug)]
pub struct Encoder {
    table: Table,
    /// A line goes into the table when it comes for the second time: what each answer has anew, such
    /// as the ID of a request, would push everything else out.
    seen: [u32; SEEN],
    seen_next: usize,
    bytes_max: usize,
    /// The smallest that the table had to become since the last block (RFC 7541 §4.2).
    shrunk_to: Option<usize>,
}

impl Default for Encoder {
    fn default() -> Encoder {
        Encoder {
            table: Table::new(TABLE_BYTES),
            seen: [0; SEEN],
            seen_next: 0,
            bytes_max: TABLE_BYTES,
            shrunk_to: None,
        }
    }
}

impl Encoder {
    /// The peer has said how large the table may be.
    pub fn resize(&mut self, bytes_max: usize) {
        let bytes_max = bytes_max.min(TABLE_BYTES);
        if bytes_max != self.bytes_max {
            let least = self.shrunk_to.unwrap_or(bytes_max).min(bytes_max);
            self.shrunk_to = Some(least);
            self.bytes_max = bytes_max;
            self.table.resize(bytes_max);
        }
    }

    /// Begins a block.
    pub fn begin(&mut self, out: &mut Vec<u8>) {
        if let Some(least) = self.shrunk_to.take() {
            if least < self.bytes_max {
                put(0b0010_0000, 5, least as u64, out);
            }
            put(0b0010_0000, 5, self.bytes_max as u64, out);
        }
    }

    /// Appends the status of a response.
    pub fn status(&mut self, status: u16, out: &mut Vec<u8>) {
        let digits = [100, 10, 1].map(|place| b'0' + (status / place % 10) as u8);
        match index_of_status(&digits) {
            0 => self.line(Name::Other, b":status", &digits, out),
            index => put(0b1000_0000, 7, index as u64, out),
        }
    }

    /// Appends a line; the name in lower case.
    pub fn line(&mut self, known: Name, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
        // Never the same again.
        if known == Name::ContentLength {
            return literal(0, 4, name, value, out);
        }
        if is_secret(known, name) {
            return literal(0b0001_0000, 4, name, value, out);
        }
        let digest = digest(name, value);
        if let Some(age) = self.table.age(digest, name, value) {
            let index = 1 + STATIC_TABLE.len() + age;
            return put(0b1000_0000, 7, index as u64, out);
        }
        if self.seen.contains(&digest) {
            literal(0b0100_0000, 6, name, value, out);
            let text = [name, value].concat().into_boxed_slice();
            self.table.add(text, name.len(), digest);
        } else {
            literal(0, 4, name, value, out);
            self.seen[self.seen_next] = digest;
            self.seen_next = (self.seen_next + 1) % SEEN;
        }
    }
}

/// Appends a line that refers to the static table at most for its name.
fn literal(flags: u8, bits: u32, name: &[u8], value: &[u8], out: &mut Vec<u8>) {
    let index = index_of(name);
    put(flags, bits, index as u64, out);
    if index == 0 {
        put(0, 7, name.len() as u64, out);
        out.extend_from_slice(name);
    }
    put(0, 7, value.len() as u64, out);
    out.extend_from_slice(value);
}

/// What nobody on the way may keep in a table, either (§7.1.3).
fn is_secret(known: Name, name: &[u8]) -> bool {
    known == Name::McpSessionId || (known == Name::Other && name == b"set-cookie")
}

/// Tells most lines apart, by their lengths and ends.
fn digest(name: &[u8], value: &[u8]) -> u32 {
    let mut hash = (name.len() << 16 | value.len()) as u64;
    for text in [name, value] {
        let first = text
            .first_chunk()
            .map_or(0, |bytes| u64::from_le_bytes(*bytes));
        let last = match text.last_chunk() {
            Some(bytes) => u64::from_le_bytes(*bytes),
            None => text
                .iter()
                .fold(0, |word, &byte| word << 8 | u64::from(byte)),
        };
        for word in [first, last] {
            hash = (hash.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
        }
    }
    (hash >> 32) as u32
}

#[cfg(test)]
mod tests {
    use super::super::{Decoder, Undecodable};
    use super::*;
    use proptest::prelude::*;

    type Lines = Vec<(Vec<u8>, Vec<u8>)>;

    fn block(encoder: &mut Encoder, lines: &[(Vec<u8>, Vec<u8>)]) -> Vec<u8> {
        let mut out = Vec::new();
        encoder.begin(&mut out);
        for (name, value) in lines {
            encoder.line(Name::of(name), name, value, &mut out);
        }
        out
    }

    fn decoded(decoder: &mut Decoder, block: &[u8]) -> Lines {
        let mut lines = Vec::new();
        let add = |name: &[u8], value: &[u8]| {
            lines.push((name.to_vec(), value.to_vec()));
            Ok::<_, Undecodable>(())
        };
        decoder.decode(block, add).expect("our own");
        lines
    }

    #[test]
    fn a_line_that_comes_again_is_an_index_and_a_secret_never() {
        let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
        let line = |name: &str, value: &str| (name.into(), value.into());
        let usual = [
            line("x-frame-options", "DENY"),
            line("content-type", "application/json"),
        ];
        let sizes: Vec<_> = (0..4)
            .map(|_| {
                let block = block(&mut encoder, &usual);
                assert_eq!(decoded(&mut decoder, &block), usual);
                block.len()
            })
            .collect();
        assert_eq!(sizes[2..], [2, 2], "{sizes:?}");
        let secrets = [line("set-cookie", "id=1"), line("mcp-session-id", "abc")];
        for _ in 0..3 {
            let block = block(&mut encoder, &secrets);
            assert_eq!(block[0] & 0xf0, 0x10);
            assert!(block.len() > 20);
            assert_eq!(decoded(&mut decoder, &block), secrets);
        }
        for status in [200, 204, 299, 404, 500, 599] {
            let mut out = Vec::new();
            encoder.status(status, &mut out);
            let expected = line(":status", &status.to_string());
            assert_eq!(decoded(&mut decoder, &out), [expected]);
        }
    }

    #[test]
    fn the_peer_says_how_large_the_table_may_be() {
        let mut encoder = Encoder::default();
        encoder.resize(100_000);
        assert_eq!(block(&mut encoder, &[]), b"");
        // §4.2: the smallest of several, and the last.
        encoder.resize(0);
        encoder.resize(100);
        assert_eq!(block(&mut encoder, &[]), b"\x20\x3f\x45");
        assert_eq!(block(&mut encoder, &[]), b"");
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(blocks in proptest::collection::vec((
            proptest::option::of(0usize..5000),
            proptest::collection::vec(
                ("[a-z-]{1,4}", proptest::collection::vec(any::<u8>(), 0..40)), 0..12
            ),
        ), 1..12)) {
            let (mut encoder, mut decoder) = (Encoder::default(), Decoder::default());
            for (resized, lines) in blocks {
                resized.into_iter().for_each(|bytes| encoder.resize(bytes));
                let lines: Lines = lines.into_iter().map(|(n, v)| (n.into_bytes(), v)).collect();
                for _ in 0..3 {
                    let block = block(&mut encoder, &lines);
                    prop_assert_eq!(&decoded(&mut decoder, &block), &lines);
                }
            }
        }
    }
}
