//! Strings, however they are cut: escapes become what they mean, and what is looked for is kept.

use super::{BodyScan, Escape, Expect, Lex, Slot};

/// Words of eight bytes that are looked through before a search for longer texts begins.
const SHORT_WORDS: usize = 3;
/// A member that says nothing, and that nearly every message has, after its first quote.
const VERSION: &[u8] = br#"jsonrpc":"2.0""#;

impl BodyScan {
    /// Takes a string whose first quote was the byte before, if it is there whole and stands for
    /// itself, as nearly all are and do; returns what comes after it.
    pub(super) fn plain_string<'a>(&mut self, bytes: &'a [u8]) -> Option<&'a [u8]> {
        let is_key = matches!(self.expect, Expect::Key | Expect::KeyOrEnd);
        if is_key && let Some(after) = bytes.strip_prefix(VERSION) {
            self.expect = Expect::CommaOrEnd;
            return Some(after);
        }
        let (text, _) = plain_run(bytes);
        let [b'"', after @ ..] = &bytes[text.len()..] else {
            return None;
        };
        match self.expect {
            _ if is_key => {
                self.plain_key(text);
                if let [b':', after @ ..] = after {
                    self.expect = Expect::Value;
                    return Some(after);
                }
            }
            Expect::Value | Expect::ValueOrEnd if self.depth > 0 => {
                if self.slot == Slot::Id {
                    self.id.push(b'"');
                    self.id.extend(text);
                    self.id.push(b'"');
                } else {
                    self.take(text);
                }
                self.end_string(false);
            }
            _ => return None,
        }
        Some(after)
    }

    /// Follows a string; returns what comes after the bytes it took.
    pub(super) fn string<'a>(&mut self, bytes: &'a [u8]) -> &'a [u8] {
        let Lex::String {
            is_key,
            mut escape,
            mut high,
        } = self.lex
        else {
            return bytes;
        };
        let raw = !is_key && self.slot == Slot::Id;
        let mut at = 0;
        while at < bytes.len() {
            if matches!(escape, Escape::No) && high == 0 {
                let (run, ends) = plain_run(&bytes[at..]);
                self.keep_run(is_key, run);
                at += run.len();
                if !ends {
                    break;
                }
            }
            let byte = bytes[at];
            at += 1;
            if raw {
                self.id.push(byte);
            }
            match (escape, byte) {
                (Escape::No, b'"') => {
                    self.lone(is_key, raw, &mut high);
                    self.end_string(is_key);
                    return &bytes[at..];
                }
                (Escape::No, b'\\') => escape = Escape::Backslash,
                (Escape::No, byte) => {
                    self.lone(is_key, raw, &mut high);
                    self.keep(is_key, raw, &[byte]);
                }
                (Escape::Backslash, b'u') => {
                    escape = Escape::Hex {
                        digits: 0,
                        value: 0,
                    }
                }
                (Escape::Backslash, byte) => {
                    let Some(meant) = unescaped(byte) else {
                        return self.malformed();
                    };
                    self.lone(is_key, raw, &mut high);
                    self.keep(is_key, raw, &[meant]);
                    escape = Escape::No;
                }
                (Escape::Hex { digits, value }, byte) => {
                    let Some(digit) = char::from(byte).to_digit(16) else {
                        return self.malformed();
                    };
                    let value = value << 4 | digit as u16;
                    escape = match digits {
                        3 => {
                            self.unit(is_key, raw, &mut high, value);
                            Escape::No
                        }
                        _ => Escape::Hex {
                            digits: digits + 1,
                            value,
                        },
                    };
                }
            }
        }
        self.lex = Lex::String {
            is_key,
            escape,
            high,
        };
        &[]
    }

    /// A UTF-16 unit that was written as `\uXXXX`.
    fn unit(&mut self, is_key: bool, raw: bool, high: &mut u16, unit: u16) {
        let waiting = std::mem::take(high);
        match (waiting, unit) {
            (0, 0xd800..=0xdbff) => *high = unit,
            (0, _) => self.keep_char(is_key, raw, u32::from(unit)),
            (waiting, 0xdc00..=0xdfff) => {
                let (upper, lower) = (u32::from(waiting - 0xd800), u32::from(unit - 0xdc00));
                self.keep_char(is_key, raw, 0x1_0000 + (upper << 10 | lower));
            }
            (waiting, unit) => {
                *high = waiting;
                self.lone(is_key, raw, high);
                self.unit(is_key, raw, high, unit);
            }
        }
    }

    /// Half a surrogate pair without the other half: no text.
    fn lone(&mut self, is_key: bool, raw: bool, high: &mut u16) {
        if std::mem::take(high) != 0 {
            self.keep_char(is_key, raw, 0xd800);
        }
    }

    fn keep_char(&mut self, is_key: bool, raw: bool, code: u32) {
        let character = char::from_u32(code).unwrap_or_else(|| {
            self.ambiguous |= !raw && (is_key || self.slot != Slot::Other);
            char::REPLACEMENT_CHARACTER
        });
        self.keep(is_key, raw, character.encode_utf8(&mut [0; 4]).as_bytes());
    }

    fn keep(&mut self, is_key: bool, raw: bool, bytes: &[u8]) {
        if !raw {
            self.keep_run(is_key, bytes);
        }
    }

    /// Bytes that stand for themselves, also where the text is kept as it is written.
    fn keep_run(&mut self, is_key: bool, bytes: &[u8]) {
        match is_key {
            true => self.key.extend(bytes),
            false => self.take(bytes),
        }
    }
}

/// The bytes before the next quote or backslash, and whether there is one.
fn plain_run(bytes: &[u8]) -> (&[u8], bool) {
    // Keys, methods and names are short, and found out about before a search has begun.
    let (words, _) = bytes.as_chunks();
    for (at, word) in words.iter().take(SHORT_WORDS).enumerate() {
        let word = u64::from_le_bytes(*word);
        let ends = places(word, b'"') | places(word, b'\\');
        if ends != 0 {
            return (&bytes[..at * 8 + ends.trailing_zeros() as usize / 8], true);
        }
    }
    let from = words.len().min(SHORT_WORDS) * 8;
    let end = memchr::memchr2(b'"', b'\\', &bytes[from..]).map(|end| from + end);
    (&bytes[..end.unwrap_or(bytes.len())], end.is_some())
}

/// Where a byte is in eight: the highest bit of its first place, and perhaps of places after that.
fn places(word: u64, byte: u8) -> u64 {
    const ONES: u64 = u64::MAX / 0xff;
    let zeros = word ^ (ONES * u64::from(byte));
    zeros.wrapping_sub(ONES) & !zeros & (ONES << 7)
}

fn unescaped(byte: u8) -> Option<u8> {
    Some(match byte {
        b'"' | b'\\' | b'/' => byte,
        b'b' => 8,
        b'f' => 12,
        b'n' => b'\n',
        b'r' => b'\r',
        b't' => b'\t',
        _ => return None,
    })
}
