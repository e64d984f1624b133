//! A field section to its lines (RFC 9204 §4.5).

use super::static_table::STATIC_TABLE;
use crate::message::coding::{Undecodable, decode_huffman, take};

/// Why a field section cannot be used.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DecodeError {
    /// It breaks the format, or refers to a dynamic table that does not exist: the connection ends
    /// (RFC 9204 §2.2).
    Malformed,
    /// Its lines are larger than was allowed: the request is answered 431.
    TooLarge,
}

impl From<Undecodable> for DecodeError {
    fn from(_: Undecodable) -> DecodeError {
        DecodeError::Malformed
    }
}

/// What each line counts beyond its text (RFC 9114 §4.2.2).
const LINE_OVERHEAD: usize = 32;

/// Decodes a section and hands each line, name and value, to `line`, which ends the decoding by
/// returning an error. Lines that come to more than `bytes_max` are refused before they are made.
pub fn decode<E: From<DecodeError>>(
    mut section: &[u8],
    bytes_max: usize,
    mut line: impl FnMut(&[u8], &[u8]) -> Result<(), E>,
) -> Result<(), E> {
    let input = &mut section;
    // The required insert count and the base: without a dynamic table both mean nothing, and any
    // other count than zero refers to entries that were never made.
    if integer(input, 8)? != 0 {
        return Err(DecodeError::Malformed.into());
    }
    // With a count of zero a base below it would be negative (RFC 9204 §4.5.1.2).
    if input.first().is_some_and(|sign| sign & 0x80 != 0) {
        return Err(DecodeError::Malformed.into());
    }
    integer(input, 7)?;
    let (mut name, mut value) = (Vec::new(), Vec::new());
    let mut room = bytes_max;
    while let Some(&first) = input.first() {
        name.clear();
        value.clear();
        // What the pattern of the first byte means, in the order of §4.5.2 to §4.5.6.
        match first {
            0b1100_0000.. => {
                let (known, text) = entry(integer(input, 6)?)?;
                name.extend_from_slice(known);
                value.extend_from_slice(text);
            }
            0b0101_0000..=0b0101_1111 | 0b0111_0000..=0b0111_1111 => {
                let (known, _) = entry(integer(input, 4)?)?;
                name.extend_from_slice(known);
                string(input, 7, room, &mut value)?;
            }
            0b0010_0000..=0b0011_1111 => {
                string(input, 3, room, &mut name)?;
                string(input, 7, room, &mut value)?;
            }
            // Of the dynamic table, or behind its base.
            _ => return Err(DecodeError::Malformed.into()),
        }
        room = room
            .checked_sub(name.len() + value.len() + LINE_OVERHEAD)
            .ok_or(DecodeError::TooLarge)?;
        line(&name, &value)?;
    }
    Ok(())
}

fn integer(input: &mut &[u8], bits: u32) -> Result<u64, DecodeError> {
    Ok(take(input, bits)?)
}

fn entry(index: u64) -> Result<(&'static [u8], &'static [u8]), DecodeError> {
    usize::try_from(index)
        .ok()
        .and_then(|index| STATIC_TABLE.get(index))
        .copied()
        .ok_or(DecodeError::Malformed)
}

/// A string literal whose length has a prefix of `bits` bits, with the Huffman flag above it.
fn string(input: &mut &[u8], bits: u32, room: usize, out: &mut Vec<u8>) -> Result<(), DecodeError> {
    let first = *input.first().ok_or(DecodeError::Malformed)?;
    let is_coded = first >> bits & 1 == 1;
    let len = usize::try_from(integer(input, bits)?).map_err(|_| DecodeError::Malformed)?;
    let (text, rest) = input.split_at_checked(len).ok_or(DecodeError::Malformed)?;
    *input = rest;
    // No code is shorter than five bits.
    if len > room {
        return Err(DecodeError::TooLarge);
    }
    match is_coded {
        true => decode_huffman(text, out)?,
        false => out.extend_from_slice(text),
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::super::Encoder;
    use super::*;
    use proptest::prelude::*;

    type Lines = Vec<(Vec<u8>, Vec<u8>)>;

    fn lines(section: &[u8], bytes_max: usize) -> Result<Lines, DecodeError> {
        let mut lines = Vec::new();
        decode(section, bytes_max, |name, value| {
            lines.push((name.to_vec(), value.to_vec()));
            Ok::<_, DecodeError>(())
        })?;
        Ok(lines)
    }

    /// RFC 9204 appendix B.1.
    #[test]
    fn the_example_of_the_rfc() {
        let section = b"\x00\x00\x51\x0b/index.html";
        let expected = (b":path".to_vec(), b"/index.html".to_vec());
        assert_eq!(lines(section, 4096), Ok(vec![expected]));
    }

    #[test]
    fn what_is_refused() {
        for section in [
            &b""[..],
            b"\x00",
            b"\x01\x00",
            b"\x00\x80\xd1",
            b"\x00\xff\x00\xd1",
            b"\x00\x00\xff\xff\xff\x7f",
            b"\x00\x00\x80",
            b"\x00\x00\x10",
            b"\x00\x00\x40\x00",
            b"\x00\x00\x51\x0b/index",
            b"\x00\x00\x27\xff\xff\xff\xff\xff\xff\xff\x7f",
        ] {
            assert_eq!(
                lines(section, 4096),
                Err(DecodeError::Malformed),
                "{section:x?}"
            );
        }
        let section = b"\x00\x00\xd1\xd1\xd1";
        assert_eq!(
            lines(section, 3 * (32 + 10)).map(|lines| lines.len()),
            Ok(3)
        );
        assert_eq!(
            lines(section, 3 * (32 + 10) - 1),
            Err(DecodeError::TooLarge)
        );
    }

    proptest! {
        #[test]
        fn what_is_encoded_is_decoded(
            sent in proptest::collection::vec(
                ("[a-z-]{1,20}", proptest::collection::vec(any::<u8>(), 0..40)), 0..20
            )
        ) {
            let mut encoder = Encoder::new();
            for (name, value) in &sent {
                encoder.line(name.as_bytes(), value);
            }
            let got = lines(&encoder.finish(), usize::MAX).expect("our own");
            let sent: Lines = sent.into_iter().map(|(n, v)| (n.into_bytes(), v)).collect();
            prop_assert_eq!(got, sent);
        }

        #[test]
        fn any_bytes_stay_within_the_bound(section in proptest::collection::vec(any::<u8>(), 0..400)) {
            if let Ok(lines) = lines(&section, 300) {
                let bytes: usize = lines.iter().map(|(n, v)| n.len() + v.len() + 32).sum();
                prop_assert!(bytes <= 300);
            }
        }
    }
}
