//! Values of the `Mcp-*` fields that mirror the body.

use super::text::Text;

const OPEN: &[u8] = b"=?base64?";
const CLOSE: &[u8] = b"?=";

/// A mirrored value longer than this is not looked at: it is no name of a tool.
pub const VALUE_MAX: usize = 256;

/// The value is not what a client may send.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a mirrored header holds characters or base64 that are not allowed")]
pub struct BadValue;

/// Decodes a mirrored value: plain, or `=?base64?...?=` with markers exactly so
/// (<https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#value-encoding>).
pub fn decode(value: &[u8]) -> Result<Text<VALUE_MAX>, BadValue> {
    let mut text = Text::new();
    decode_into(value, &mut text)?;
    Ok(text)
}

/// The same to where it is kept, instead of what is there.
pub fn decode_into<const N: usize>(value: &[u8], text: &mut Text<N>) -> Result<(), BadValue> {
    text.clear();
    let encoded = value
        .strip_prefix(OPEN)
        .and_then(|rest| rest.strip_suffix(CLOSE));
    match encoded {
        Some(encoded) => base64(encoded, text),
        // RFC 9110 §5.5 allows more; the specification of the mirrored fields does not.
        None if value.iter().all(|byte| matches!(byte, b' '..=b'~' | b'\t')) => {
            text.extend(value);
            Ok(())
        }
        None => Err(BadValue),
    }
}

/// RFC 4648 §4, padded, and only the one spelling of each value: bits that mean nothing are zero.
fn base64<const N: usize>(encoded: &[u8], out: &mut Text<N>) -> Result<(), BadValue> {
    if !encoded.len().is_multiple_of(4) {
        return Err(BadValue);
    }
    let groups = encoded.len() / 4;
    for (number, group) in encoded.chunks_exact(4).enumerate() {
        let padding = group.iter().rev().take_while(|&&byte| byte == b'=').count();
        if padding > 2 || (padding > 0 && number + 1 != groups) {
            return Err(BadValue);
        }
        let mut bits = 0u32;
        for &byte in &group[..4 - padding] {
            bits = bits << 6 | u32::from(sextet(byte).ok_or(BadValue)?);
        }
        bits <<= 6 * padding;
        let [_, bytes @ ..] = bits.to_be_bytes();
        let (kept, spare) = bytes.split_at(3 - padding);
        if spare.iter().any(|&byte| byte != 0) {
            return Err(BadValue);
        }
        out.extend(kept);
    }
    match out.get().map(std::str::from_utf8) {
        Some(Err(_)) => Err(BadValue),
        _ => Ok(()),
    }
}

fn sextet(byte: u8) -> Option<u8> {
    Some(match byte {
        b'A'..=b'Z' => byte - b'A',
        b'a'..=b'z' => byte - b'a' + 26,
        b'0'..=b'9' => byte - b'0' + 52,
        b'+' => 62,
        b'/' => 63,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn decoded(value: &str) -> Option<String> {
        let text = decode(value.as_bytes()).ok()?;
        Some(String::from_utf8(text.get()?.to_vec()).expect("UTF-8"))
    }

    #[test]
    fn the_examples_of_the_specification() {
        for (value, text) in [
            ("us-west1", "us-west1"),
            ("=?base64?SGVsbG8sIOS4lueVjA==?=", "Hello, 世界"),
            ("=?base64?IHBhZGRlZCA=?=", " padded "),
            ("=?base64?bGluZTEKbGluZTI=?=", "line1\nline2"),
            ("=?base64?PT9iYXNlNjQ/bGl0ZXJhbD89?=", "=?base64?literal?="),
            ("=?base64??=", ""),
            ("=?BASE64?AAAA?=", "=?BASE64?AAAA?="),
        ] {
            assert_eq!(decoded(value).as_deref(), Some(text), "{value}");
        }
    }

    #[test]
    fn other_spellings_are_refused() {
        for bad in [
            "=?base64?SGVsbG8?=",
            "=?base64?SGV=bG8=?=",
            "=?base64?SGVsb===?=",
            "=?base64?SG Vs?=",
            "=?base64?SGVsbG9=?=",
            "=?base64?/w==?=",
            "caf\u{e9}",
            "a\u{7f}",
        ] {
            assert_eq!(decoded(bad), None, "{bad}");
        }
    }
}
