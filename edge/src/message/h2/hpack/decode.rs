//! A field block to its lines.

use super::table::Table;
use super::{TABLE_BYTES, entry};
use crate::message::coding::{Undecodable, decode_huffman, take};

/// Octets of an integer with its prefix: more than any block needs.
const INTEGER_BYTES: usize = 5;
/// Text kept for the next line.
const SCRATCH_BYTES: usize = 1024;

/// What a peer's field blocks refer to.
#[derive(Debug)]
pub struct Decoder {
    table: Table,
    scratch: Vec<u8>,
}

impl Default for Decoder {
    fn default() -> Decoder {
        Decoder {
            table: Table::new(TABLE_BYTES),
            scratch: Vec::new(),
        }
    }
}

impl Decoder {
    /// Hands each line of a whole block, name and value, to `line`. All of a block has to be decoded,
    /// wanted or not: the next one refers to its lines. So there is no next one after an error of `line`.
    pub fn decode<E: From<Undecodable>>(
        &mut self,
        block: &[u8],
        mut line: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
    ) -> Result<(), E> {
        let mut input = block;
        let mut has_lines = false;
        while let Some(&first) = input.first() {
            match first {
                0b1000_0000.. => {
                    let (name, value) = self.entry(integer(&mut input, 7)?)?;
                    line(name, value)?;
                }
                // §4.2: before the first line only.
                0b0010_0000..=0b0011_1111 => {
                    let bytes = integer(&mut input, 5)?;
                    if has_lines || bytes > TABLE_BYTES {
                        return Err(Undecodable.into());
                    }
                    self.table.resize(bytes);
                    continue;
                }
                _ => {
                    let is_kept = first & 0b0100_0000 != 0;
                    let name_len = self.literal(&mut input, if is_kept { 6 } else { 4 })?;
                    let (name, value) = self.scratch.split_at(name_len);
                    line(name, value)?;
                    if is_kept {
                        self.table.add(self.scratch.as_slice().into(), name_len, 0);
                    }
                }
            }
            has_lines = true;
        }
        self.scratch.clear();
        self.scratch.shrink_to(SCRATCH_BYTES);
        Ok(())
    }

    fn entry(&self, index: usize) -> Result<(&[u8], &[u8]), Undecodable> {
        entry(&self.table, index).ok_or(Undecodable)
    }

    /// Puts a literal's name and value together; how long the name is.
    fn literal(&mut self, input: &mut &[u8], bits: u32) -> Result<usize, Undecodable> {
        self.scratch.clear();
        match integer(input, bits)? {
            0 => text(input, &mut self.scratch)?,
            index => {
                let (name, _) = entry(&self.table, index).ok_or(Undecodable)?;
                self.scratch.extend_from_slice(name);
            }
        }
        let name_len = self.scratch.len();
        text(input, &mut self.scratch)?;
        Ok(name_len)
    }
}

/// An integer; one of too many octets is an error whatever it is (§5.1).
fn integer(input: &mut &[u8], bits: u32) -> Result<usize, Undecodable> {
    let before = input.len();
    let value = take(input, bits)?;
    match before - input.len() <= INTEGER_BYTES {
        true => usize::try_from(value).map_err(|_| Undecodable),
        false => Err(Undecodable),
    }
}

/// Appends a string (§5.2).
fn text(input: &mut &[u8], out: &mut Vec<u8>) -> Result<(), Undecodable> {
    let is_coded = input.first().is_some_and(|first| first & 0x80 != 0);
    let length = integer(input, 7)?;
    let (bytes, rest) = input.split_at_checked(length).ok_or(Undecodable)?;
    *input = rest;
    match is_coded {
        true => decode_huffman(bytes, out)?,
        false => out.extend_from_slice(bytes),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn lines(decoder: &mut Decoder, block: &[u8]) -> Result<String, Undecodable> {
        let mut all = String::new();
        decoder.decode(block, |name, value| {
            let [name, value] = [name, value].map(String::from_utf8_lossy);
            all += &format!("{name}: {value}\n");
            Ok::<_, Undecodable>(())
        })?;
        Ok(all)
    }

    /// RFC 7541 appendix C.4 and C.5, where the sizes of the table are given, too.
    #[test]
    fn the_examples_of_the_rfc() {
        let decoder = &mut Decoder::default();
        let first = b"\x82\x86\x84\x41\x8c\xf1\xe3\xc2\xe5\xf2\x3a\x6b\xa0\xab\x90\xf4\xff";
        let request = ":method: GET\n:scheme: http\n:path: /\n:authority: www.example.com\n";
        assert_eq!(lines(decoder, first).as_deref(), Ok(request));
        assert_eq!(decoder.table.size(), (1, 57));
        let second = b"\x82\x86\x84\xbe\x58\x86\xa8\xeb\x10\x64\x9c\xbf";
        let cached = format!("{request}cache-control: no-cache\n");
        assert_eq!(lines(decoder, second), Ok(cached));
        assert_eq!(decoder.table.size(), (2, 110));
        let third = b"\x82\x87\x85\xbf\x40\x88\x25\xa8\x49\xe9\x5b\xa9\x7d\x7f\x89\x25\xa8\x49\xe9\x5b\xb8\xe8\xb4\xbf";
        let other = ":method: GET\n:scheme: https\n:path: /index.html\n\
                     :authority: www.example.com\ncustom-key: custom-value\n";
        assert_eq!(lines(decoder, third).as_deref(), Ok(other));
        assert_eq!(decoder.table.size(), (3, 164));
        // C.5.1: a table of 256 bytes, filled.
        let decoder = &mut Decoder::default();
        let small = b"\x3f\xe1\x01\x48\x03302\x58\x07private\x61\x1dMon, 21 Oct 2013 20:13:21 GMT\x6e\x17https://www.example.com";
        assert!(lines(decoder, small).is_ok());
        assert_eq!(decoder.table.size(), (4, 222));
        let answer = ":status: 307\ncache-control: private\n\
                      date: Mon, 21 Oct 2013 20:13:21 GMT\nlocation: https://www.example.com\n";
        let fourth = lines(decoder, b"\x48\x03307\xc1\xc0\xbf");
        assert_eq!(fourth.as_deref(), Ok(answer));
        assert_eq!(decoder.table.size(), (4, 222));
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
            b"\x82\x7f\x80\x80\x80\x80\x00\x01b",
        ] {
            let got = lines(&mut Decoder::default(), block);
            assert_eq!(got, Err(Undecodable), "{block:x?}");
        }
        let updates = b"\x20\x3f\xe1\x1f\x82";
        assert!(lines(&mut Decoder::default(), updates).is_ok());
    }

    proptest! {
        #[test]
        fn any_bytes_are_decoded_or_not(blocks in prop::collection::vec(
            prop::collection::vec(any::<u8>(), 0..200), 0..5,
        )) {
            let mut decoder = Decoder::default();
            for block in blocks {
                let _ = decoder.decode(&block, |_, _| Ok::<_, Undecodable>(()));
                prop_assert!(decoder.table.size().1 <= TABLE_BYTES);
            }
        }
    }
}
