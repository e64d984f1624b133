//! Any bytes in, the inside of a valid JSON string out.
//!
//! RFC 8259 §7 asks for quotes, backslashes and C0 controls to be escaped. DEL, the C1 controls and
//! U+2028/U+2029 are escaped as well: they are legal in JSON, but move a terminal's cursor or end a
//! line in tools that read the log as text. What is not UTF-8 becomes U+FFFD.

/// Marks a value that was cut.
const CUT: &str = "…";

/// Appends `value` escaped, its first `max` bytes at most; a cut is marked with `…`.
pub(super) fn push(out: &mut Vec<u8>, value: &[u8], max: usize) {
    if value.len() <= max {
        return escape(out, value);
    }
    escape(out, &value[..char_boundary(value, max)]);
    out.extend_from_slice(CUT.as_bytes());
}

/// The last position up to `at` that does not split a UTF-8 character, should `value` be UTF-8.
fn char_boundary(value: &[u8], at: usize) -> usize {
    let is_continuation = |position: usize| value[position] & 0xc0 == 0x80;
    // A character has at most three continuation bytes; more of them in a row are no UTF-8 anyway.
    (at.saturating_sub(3)..=at)
        .rev()
        .find(|&position| !is_continuation(position))
        .unwrap_or(at)
}

fn escape(out: &mut Vec<u8>, value: &[u8]) {
    // Nearly every value passes; without an early exit this is a handful of vector instructions.
    if value.iter().fold(true, |all, &byte| all & is_plain(byte)) {
        return out.extend_from_slice(value);
    }
    for chunk in value.utf8_chunks() {
        for char in chunk.valid().chars() {
            escape_char(out, char);
        }
        if !chunk.invalid().is_empty() {
            out.extend_from_slice(
                char::REPLACEMENT_CHARACTER
                    .encode_utf8(&mut [0; 4])
                    .as_bytes(),
            );
        }
    }
}

/// Whether an ASCII byte stands for itself in a JSON string.
fn is_plain(byte: u8) -> bool {
    (0x20..0x7f).contains(&byte) & (byte != b'"') & (byte != b'\\')
}

fn escape_char(out: &mut Vec<u8>, char: char) {
    match char {
        '"' => out.extend_from_slice(b"\\\""),
        '\\' => out.extend_from_slice(b"\\\\"),
        '\n' => out.extend_from_slice(b"\\n"),
        '\r' => out.extend_from_slice(b"\\r"),
        '\t' => out.extend_from_slice(b"\\t"),
        '\0'..='\x1f' | '\x7f'..='\u{9f}' | '\u{2028}' | '\u{2029}' => {
            const HEX: &[u8; 16] = b"0123456789abcdef";
            let code = char as usize;
            out.extend_from_slice(b"\\u");
            out.extend([12, 8, 4, 0].map(|shift| HEX[code >> shift & 0xf]));
        }
        _ => out.extend_from_slice(char.encode_utf8(&mut [0; 4]).as_bytes()),
    }
}

#[cfg(test)]
mod tests {
    use super::push;
    use proptest::prelude::*;

    fn pushed(value: &[u8], max: usize) -> String {
        let mut out = Vec::new();
        push(&mut out, value, max);
        String::from_utf8(out).expect("log lines are UTF-8")
    }

    #[test]
    fn escapes_what_json_and_terminals_ask_for() {
        for (value, escaped) in [
            (&b"plain ~"[..], "plain ~"),
            (b"a\"b\\c", "a\\\"b\\\\c"),
            (b"\n\r\t\0\x1b[2J\x7f", "\\n\\r\\t\\u0000\\u001b[2J\\u007f"),
            (
                "\u{85}\u{2028}\u{2029}é😀".as_bytes(),
                "\\u0085\\u2028\\u2029é😀",
            ),
            (
                b"a\xff\xc3(\xed\xa0\x80",
                "a\u{fffd}\u{fffd}(\u{fffd}\u{fffd}\u{fffd}",
            ),
        ] {
            assert_eq!(pushed(value, usize::MAX), escaped);
        }
    }

    #[test]
    fn cuts_at_characters_and_says_so() {
        assert_eq!(pushed(b"abcd", 4), "abcd");
        assert_eq!(pushed(b"abcde", 4), "abcd…");
        assert_eq!(pushed("abcé".as_bytes(), 4), "abc…");
        assert_eq!(pushed("😀😀".as_bytes(), 6), "😀…");
        assert_eq!(pushed(&[0x80; 9], 4), "\u{fffd}\u{fffd}\u{fffd}\u{fffd}…");
    }

    proptest! {
        #[test]
        fn json_reads_back_what_was_utf8(value in any::<String>()) {
            let line = format!("\"{}\"", pushed(value.as_bytes(), usize::MAX));
            prop_assert_eq!(serde_json::from_str::<String>(&line).expect("valid JSON"), value);
        }
    }
}
