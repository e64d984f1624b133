//! Field blocks of HTTP/2 (RFC 7541), as far as it takes to say whether one can be decompressed, and
//! what kind of lines it has.
//!
//! `h2` decodes blocks for their text, and has one word for a block that cannot be decompressed and for
//! one that says what it must not. RFC 9113 has two (§4.3, §8.1.1). Here every entry of the dynamic table is
//! its size and its kind, a few bytes.

use std::collections::VecDeque;

use crate::message::h3::qpack::decode_huffman;

/// The table that a client may use: ours is never said to be another (RFC 9113 §6.5.2).
const TABLE_BYTES: usize = 4096;
/// What an entry counts beyond its text (RFC 7541 §4.1).
const ENTRY_OVERHEAD: usize = 32;
/// Octets of an integer behind its prefix. More are an error of decoding (RFC 7541 §5.1).
const INTEGER_BYTES: usize = 4;
/// Text kept for the next string.
const SCRATCH_BYTES: usize = 1024;

/// The bytes of names and of values in the static table (RFC 7541 appendix A).
#[rustfmt::skip]
const STATIC: [(u8, u8); 61] = [
    (10, 0), (7, 3), (7, 4), (5, 1), (5, 11), (7, 4), (7, 5), (7, 3), (7, 3), (7, 3),
    (7, 3), (7, 3), (7, 3), (7, 3), (14, 0), (15, 13), (15, 0), (13, 0), (6, 0), (27, 0),
    (3, 0), (5, 0), (13, 0), (13, 0), (19, 0), (16, 0), (16, 0), (14, 0), (16, 0), (13, 0),
    (12, 0), (6, 0), (4, 0), (4, 0), (6, 0), (7, 0), (4, 0), (4, 0), (8, 0), (17, 0),
    (13, 0), (8, 0), (19, 0), (13, 0), (4, 0), (8, 0), (12, 0), (18, 0), (19, 0), (5, 0),
    (7, 0), (7, 0), (11, 0), (6, 0), (10, 0), (25, 0), (17, 0), (10, 0), (4, 0), (3, 0),
    (16, 0),
];
/// The last of the static table whose name is that of a pseudo-field.
const STATIC_PSEUDO: usize = 14;
/// Those whose name is `:path`.
const STATIC_PATH: [usize; 2] = [4, 5];

/// A block cannot be decompressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecodable;

/// What a client's field blocks refer to.
#[derive(Debug, Default)]
pub struct Hpack {
    /// The newest first.
    entries: VecDeque<Entry>,
    bytes: usize,
    /// How much smaller than it may be the client keeps the table.
    bytes_less: usize,
    scratch: Vec<u8>,
}

/// A line of a block, or an entry of the table.
#[derive(Clone, Copy, Debug)]
struct Entry {
    name_bytes: u32,
    value_bytes: u32,
    is_pseudo: bool,
    is_path: bool,
    /// Of a path: it has a fragment.
    has_fragment: bool,
}

/// How far a block has been read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Progress {
    /// The size of the table may change before the first line only (RFC 7541 §4.2).
    has_lines: bool,
    /// A pseudo-field is among the lines.
    pub has_pseudo: bool,
    /// A fragment is in the path, of which `h2` does not tell.
    pub has_fragment: bool,
}

enum Representation<'a> {
    Indexed(usize),
    Literal {
        name: Literal<'a>,
        value: Text<'a>,
        is_kept: bool,
    },
    Size(usize),
}

enum Literal<'a> {
    Indexed(usize),
    New(Text<'a>),
}

struct Text<'a> {
    is_coded: bool,
    bytes: &'a [u8],
}

impl Hpack {
    /// Takes the lines off the front of `block` that are there whole.
    pub fn take(&mut self, block: &mut &[u8], progress: &mut Progress) -> Result<(), Undecodable> {
        while let Some(next) = representation(block)? {
            let line = match next {
                Representation::Indexed(index) => self.entry(index)?,
                Representation::Literal {
                    name,
                    value,
                    is_kept,
                } => self.literal(&name, &value, is_kept)?,
                Representation::Size(size) if progress.has_lines || size > TABLE_BYTES => {
                    return Err(Undecodable);
                }
                Representation::Size(size) => {
                    self.bytes_less = TABLE_BYTES - size;
                    self.make_room(0);
                    continue;
                }
            };
            progress.has_lines = true;
            progress.has_pseudo |= line.is_pseudo;
            progress.has_fragment |= line.has_fragment;
        }
        Ok(())
    }

    fn literal(
        &mut self,
        name: &Literal<'_>,
        value: &Text<'_>,
        is_kept: bool,
    ) -> Result<Entry, Undecodable> {
        let mut entry = match name {
            Literal::Indexed(index) => self.entry(*index)?,
            Literal::New(text) => {
                let name = self.text(text)?;
                Entry {
                    name_bytes: name.len() as u32,
                    value_bytes: 0,
                    is_pseudo: name.first() == Some(&b':'),
                    is_path: name == b":path",
                    has_fragment: false,
                }
            }
        };
        let value = self.text(value)?;
        entry.value_bytes = value.len() as u32;
        entry.has_fragment = entry.is_path && value.contains(&b'#');
        if is_kept {
            let bytes = entry.bytes();
            // One that is larger than the table empties it (RFC 7541 §4.4).
            if self.make_room(bytes) {
                self.bytes += bytes;
                self.entries.push_front(entry);
            }
        }
        Ok(entry)
    }

    fn entry(&self, index: usize) -> Result<Entry, Undecodable> {
        let below = index.checked_sub(1).ok_or(Undecodable)?;
        match STATIC.get(below) {
            Some(&(name, value)) => Ok(Entry {
                name_bytes: name.into(),
                value_bytes: value.into(),
                is_pseudo: index <= STATIC_PSEUDO,
                is_path: STATIC_PATH.contains(&index),
                has_fragment: false,
            }),
            None => {
                let entry = self.entries.get(below - STATIC.len());
                entry.copied().ok_or(Undecodable)
            }
        }
    }

    fn text<'a>(&'a mut self, text: &Text<'a>) -> Result<&'a [u8], Undecodable> {
        if !text.is_coded {
            return Ok(text.bytes);
        }
        self.scratch.clear();
        self.scratch.shrink_to(SCRATCH_BYTES);
        decode_huffman(text.bytes, &mut self.scratch).map_err(|_| Undecodable)?;
        Ok(&self.scratch)
    }

    /// Lets the oldest go until there is room for so much; whether there is.
    fn make_room(&mut self, bytes: usize) -> bool {
        let most = TABLE_BYTES - self.bytes_less;
        while self.bytes + bytes > most {
            let Some(oldest) = self.entries.pop_back() else {
                return false;
            };
            self.bytes -= oldest.bytes();
        }
        true
    }
}

impl Entry {
    fn bytes(self) -> usize {
        self.name_bytes as usize + self.value_bytes as usize + ENTRY_OVERHEAD
    }
}

/// Takes the next representation (RFC 7541 §6), if it is there whole. No text is decoded for that.
fn representation<'a>(block: &mut &'a [u8]) -> Result<Option<Representation<'a>>, Undecodable> {
    let mut input = *block;
    let Some(&first) = input.first() else {
        return Ok(None);
    };
    let bits = match first {
        0b1000_0000.. => 7,
        0b0100_0000.. => 6,
        0b0010_0000.. => 5,
        _ => 4,
    };
    let Some(number) = integer(&mut input, bits)? else {
        return Ok(None);
    };
    let found = match bits {
        7 => Representation::Indexed(number),
        5 => Representation::Size(number),
        _ => {
            let name = match number {
                0 => text(&mut input)?.map(Literal::New),
                index => Some(Literal::Indexed(index)),
            };
            let Some(name) = name else {
                return Ok(None);
            };
            let Some(value) = text(&mut input)? else {
                return Ok(None);
            };
            Representation::Literal {
                name,
                value,
                is_kept: bits == 6,
            }
        }
    };
    *block = input;
    Ok(Some(found))
}

fn text<'a>(input: &mut &'a [u8]) -> Result<Option<Text<'a>>, Undecodable> {
    let is_coded = input.first().is_some_and(|first| first & 0x80 != 0);
    let Some(length) = integer(input, 7)? else {
        return Ok(None);
    };
    let Some((bytes, rest)) = input.split_at_checked(length) else {
        return Ok(None);
    };
    *input = rest;
    Ok(Some(Text { is_coded, bytes }))
}

/// An integer with a prefix of so many bits (RFC 7541 §5.1), if it is there whole.
fn integer(input: &mut &[u8], bits: u32) -> Result<Option<usize>, Undecodable> {
    let Some((&first, rest)) = input.split_first() else {
        return Ok(None);
    };
    let most = (1usize << bits) - 1;
    let mut value = usize::from(first) & most;
    if value < most {
        *input = rest;
        return Ok(Some(value));
    }
    for (at, &byte) in rest.iter().take(INTEGER_BYTES).enumerate() {
        value += usize::from(byte & 0x7f) << (7 * at);
        if byte & 0x80 == 0 {
            *input = &rest[at + 1..];
            return Ok(Some(value));
        }
    }
    match rest.len() < INTEGER_BYTES {
        true => Ok(None),
        false => Err(Undecodable),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A whole block: whether it has pseudo-fields.
    fn whole(hpack: &mut Hpack, mut block: &[u8]) -> Result<bool, Undecodable> {
        let mut progress = Progress::default();
        hpack.take(&mut block, &mut progress)?;
        match block {
            [] => Ok(progress.has_pseudo),
            _ => Err(Undecodable),
        }
    }

    /// RFC 7541 appendix C.4 and C.5, where the sizes of the table are given, too.
    #[test]
    fn the_examples_of_the_rfc() {
        let mut hpack = Hpack::default();
        let first = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
        assert_eq!(whole(&mut hpack, first), Ok(true));
        assert_eq!((hpack.entries.len(), hpack.bytes), (1, 57));
        let second = b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf";
        assert_eq!(whole(&mut hpack, second), Ok(true));
        assert_eq!((hpack.entries.len(), hpack.bytes), (2, 110));
        let third = b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
        assert_eq!(whole(&mut hpack, third), Ok(true));
        assert_eq!((hpack.entries.len(), hpack.bytes), (3, 164));
        // C.5.1: a table of 256 bytes, filled.
        let mut hpack = Hpack::default();
        let small = b"\x3f\xe1\x01\x48\x03302\x58\x07private\x61\x1dMon, 21 Oct 2013 20:13:21 GMT\x6e\x17https://www.example.com";
        assert_eq!(whole(&mut hpack, small), Ok(true));
        assert_eq!((hpack.entries.len(), hpack.bytes), (4, 222));
        assert_eq!(whole(&mut hpack, b"\x48\x03307\xc1\xc0\xbf"), Ok(true));
        assert_eq!((hpack.entries.len(), hpack.bytes), (4, 222));
    }

    #[test]
    fn names_are_what_they_are_by_any_representation() {
        let mut hpack = Hpack::default();
        assert_eq!(whole(&mut hpack, b"\x40\x05:path\x02/x"), Ok(true));
        assert_eq!(whole(&mut hpack, b"\xbe"), Ok(true));
        assert_eq!(whole(&mut hpack, b"\x0f\x2f\x01y"), Ok(true));
        assert_eq!(whole(&mut hpack, b"\x00\x03x-t\x01:"), Ok(false));
        assert_eq!(whole(&mut hpack, b"\x90"), Ok(false));
        // Literally, and in Huffman's code.
        assert_eq!(whole(&mut hpack, b"\x10\x84\xb9\x58\xd3\x3f\x00"), Ok(true));
    }

    #[test]
    fn fragments_are_seen_in_paths_alone() {
        let mut hpack = Hpack::default();
        let mut has = |mut block: &[u8]| {
            let mut progress = Progress::default();
            hpack.take(&mut block, &mut progress).expect("valid");
            progress.has_fragment
        };
        assert!(!has(b"\x84\x00\x01x\x02/#"));
        assert!(has(b"\x44\x03/#a"));
        assert!(has(b"\xbe"));
        assert!(!has(b"\x0f\x2f\x02/a"), "the name of it, another value");
        assert!(has(b"\x10\x05:path\x02/#"));
    }

    #[test]
    fn what_cannot_be_decompressed() {
        for block in [
            &b"\x80"[..],
            b"\xbe",
            b"\x7f\x00\x01x",
            b"\x82\x20",
            b"\x3f\xe2\x1f",
            b"\xff\xff\xff\xff\xff\x0f",
            b"\x00\x01x\x84\x49\x50\x9f\xff",
            b"\x00\x01x\x81\x00",
            b"\x00\x01x\x84\xff\xff\xff\xff",
            b"\x00\x05x",
            b"\x40",
        ] {
            let got = whole(&mut Hpack::default(), block);
            assert_eq!(got, Err(Undecodable), "{block:x?}");
        }
        let updates = b"\x20\x3f\xe1\x1f\x82";
        assert_eq!(whole(&mut Hpack::default(), updates), Ok(true));
    }

    proptest! {
        #[test]
        fn any_bytes_in_any_pieces_are_judged_alike(
            block in prop::collection::vec(any::<u8>(), 0..200), step in 1usize..40,
        ) {
            let at_once = whole(&mut Hpack::default(), &block);
            let (mut hpack, mut progress) = (Hpack::default(), Progress::default());
            let (mut held, mut failed) = (Vec::new(), false);
            for piece in block.chunks(step) {
                held.extend_from_slice(piece);
                let mut input = &held[..];
                failed |= hpack.take(&mut input, &mut progress).is_err();
                held = input.to_vec();
                prop_assert!(hpack.bytes <= TABLE_BYTES);
            }
            let in_pieces = match failed || !held.is_empty() {
                true => Err(Undecodable),
                false => Ok(progress.has_pseudo),
            };
            prop_assert_eq!(in_pieces, at_once);
        }
    }
}
