//! The Huffman code of HPACK (RFC 7541 appendix B), which QPACK uses too.
//!
//! The code is canonical: codes of one length are consecutive numbers in the order of their symbols,
//! so the lengths say everything. Decoding looks eight bits up at a time; the codes of all text fit
//! that, longer ones are found by their length.

use std::sync::LazyLock;

use super::Undecodable;

/// Bits of each symbol's code; the last is the end of the string, which never appears in one.
#[rustfmt::skip]
const LENGTHS: [u8; 257] = [
    13, 23, 28, 28, 28, 28, 28, 28, 28, 24, 30, 28, 28, 30, 28, 28,
    28, 28, 28, 28, 28, 28, 30, 28, 28, 28, 28, 28, 28, 28, 28, 28,
    6, 10, 10, 12, 13, 6, 8, 11, 10, 10, 8, 11, 8, 6, 6, 6,
    5, 5, 5, 6, 6, 6, 6, 6, 6, 6, 7, 8, 15, 6, 12, 10,
    13, 6, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7, 7,
    7, 7, 7, 7, 7, 7, 7, 7, 8, 7, 8, 13, 19, 13, 14, 6,
    15, 5, 6, 5, 6, 5, 6, 6, 6, 5, 7, 7, 6, 6, 6, 5,
    6, 7, 6, 5, 5, 6, 7, 7, 7, 7, 7, 15, 11, 14, 13, 28,
    20, 22, 20, 20, 22, 22, 22, 23, 22, 23, 23, 23, 23, 23, 24, 23,
    24, 24, 22, 23, 24, 23, 23, 23, 23, 21, 22, 23, 22, 23, 23, 24,
    22, 21, 20, 22, 22, 23, 23, 21, 23, 22, 22, 24, 21, 22, 23, 23,
    21, 21, 22, 21, 23, 22, 23, 23, 20, 22, 22, 22, 23, 22, 22, 23,
    26, 26, 20, 19, 22, 23, 22, 25, 26, 26, 26, 27, 27, 26, 24, 25,
    19, 21, 26, 27, 27, 26, 27, 24, 21, 21, 26, 26, 28, 27, 27, 27,
    20, 24, 20, 21, 22, 21, 21, 23, 22, 22, 25, 25, 24, 24, 26, 23,
    26, 27, 26, 26, 27, 27, 27, 27, 27, 28, 27, 27, 27, 27, 27, 26,
    30,
];
const EOS: u16 = 256;
const LENGTH_MAX: usize = 30;
const SHORT_BITS: usize = 8;

struct Code {
    /// For every possible first eight bits: the symbol that a code of at most eight bits stands for
    /// and its length; length 0 for longer codes.
    short: [(u8, u8); 1 << SHORT_BITS],
    /// Symbols in the order of their codes.
    symbols: [u16; 257],
    /// By length: the first code, and where its symbol stands in `symbols`.
    first: [(u32, u16); LENGTH_MAX + 1],
    /// By length: how many codes there are.
    count: [u16; LENGTH_MAX + 1],
}

static CODE: LazyLock<Code> = LazyLock::new(|| {
    let mut symbols: [u16; 257] = std::array::from_fn(|symbol| symbol as u16);
    symbols.sort_by_key(|&symbol| (LENGTHS[symbol as usize], symbol));
    let mut code = Code {
        short: [(0, 0); 1 << SHORT_BITS],
        symbols,
        first: [(0, 0); LENGTH_MAX + 1],
        count: [0; LENGTH_MAX + 1],
    };
    let mut next = 0u32;
    let mut at = 0;
    for length in 1..=LENGTH_MAX {
        next <<= 1;
        code.first[length] = (next, at as u16);
        while at < symbols.len() && usize::from(LENGTHS[symbols[at] as usize]) == length {
            if length <= SHORT_BITS {
                let spread = SHORT_BITS - length;
                let start = (next as usize) << spread;
                code.short[start..start + (1 << spread)].fill((symbols[at] as u8, length as u8));
            }
            code.count[length] += 1;
            next += 1;
            at += 1;
        }
    }
    code
});

/// Appends what `input` decodes to.
pub(in crate::message) fn decode(input: &[u8], out: &mut Vec<u8>) -> Result<(), Undecodable> {
    let code = &*CODE;
    let mut bits = 0u64;
    let mut held = 0usize;
    let mut input = input.iter();
    loop {
        while held <= 56 {
            let Some(&byte) = input.next() else { break };
            bits = bits << 8 | u64::from(byte);
            held += 8;
        }
        if held == 0 {
            return Ok(());
        }
        // Left-aligned; below the end of the string ones follow, as in its padding.
        let window = match held {
            64 => bits,
            held => bits << (64 - held) | (u64::MAX >> held),
        };
        let (symbol, length) = match code.short[(window >> (64 - SHORT_BITS)) as usize] {
            (_, 0) => long(code, window)?,
            (symbol, length) => (u16::from(symbol), usize::from(length)),
        };
        if length > held || symbol == EOS {
            // RFC 7541 §5.2: padding is less than a byte of ones.
            let padding = window >> (64 - held.min(8)) == (1 << held.min(8)) - 1;
            return match held < 8 && padding {
                true => Ok(()),
                false => Err(Undecodable),
            };
        }
        out.push(symbol as u8);
        held -= length;
        bits &= (1u64 << held) - 1;
    }
}

fn long(code: &Code, window: u64) -> Result<(u16, usize), Undecodable> {
    for length in SHORT_BITS + 1..=LENGTH_MAX {
        let prefix = (window >> (64 - length)) as u32;
        let (first, at) = code.first[length];
        if prefix.wrapping_sub(first) < u32::from(code.count[length]) {
            let symbol = code.symbols[usize::from(at) + (prefix - first) as usize];
            return Ok((symbol, length));
        }
    }
    Err(Undecodable)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn encode(text: &[u8]) -> Vec<u8> {
        let code = &*CODE;
        let mut bits = String::new();
        for &byte in text {
            let length = usize::from(LENGTHS[usize::from(byte)]);
            let position = code.symbols.iter().position(|&s| s == u16::from(byte));
            let (first, at) = code.first[length];
            let value = first + (position.expect("every byte") - usize::from(at)) as u32;
            bits += &format!("{value:0length$b}");
        }
        while !bits.len().is_multiple_of(8) {
            bits.push('1');
        }
        let octet = |at: usize| u8::from_str_radix(&bits[at..at + 8], 2).expect("binary");
        (0..bits.len()).step_by(8).map(octet).collect()
    }

    /// RFC 7541 appendix C.4 and C.6.
    #[test]
    fn the_examples_of_the_rfc() {
        for (text, coded) in [
            (
                "www.example.com",
                &[
                    0xf1, 0xe3, 0xc2, 0xe5, 0xf2, 0x3a, 0x6b, 0xa0, 0xab, 0x90, 0xf4, 0xff,
                ][..],
            ),
            ("no-cache", &[0xa8, 0xeb, 0x10, 0x64, 0x9c, 0xbf]),
            ("302", &[0x64, 0x02]),
            ("private", &[0xae, 0xc3, 0x77, 0x1a, 0x4b]),
        ] {
            let mut out = Vec::new();
            assert_eq!(decode(coded, &mut out), Ok(()));
            assert_eq!(out, text.as_bytes());
            assert_eq!(encode(text.as_bytes()), coded);
        }
    }

    #[test]
    fn padding_that_is_wrong() {
        for coded in [
            &[0xff][..],
            &[0xff, 0xff, 0xff, 0xff],
            &[0x64, 0x02, 0xff],
            &[0x00],
        ] {
            assert_eq!(
                decode(coded, &mut Vec::new()),
                Err(Undecodable),
                "{coded:x?}"
            );
        }
    }

    proptest! {
        #[test]
        fn every_text_comes_back(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut out = Vec::new();
            prop_assert_eq!(decode(&encode(&text), &mut out), Ok(()));
            prop_assert_eq!(out, text);
        }

        #[test]
        fn any_bytes_decode_or_not(coded in proptest::collection::vec(any::<u8>(), 0..200)) {
            let mut out = Vec::new();
            let _ = decode(&coded, &mut out);
            prop_assert!(out.len() <= coded.len() * 8 / 5);
        }
    }
}
