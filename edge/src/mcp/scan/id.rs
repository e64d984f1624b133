//! Whether the id of a message can be sent back as it was written.

/// RFC 8259 §6.
pub(super) fn is_json_number(text: &[u8]) -> bool {
    let digits = |text: &[u8]| text.iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut rest = text.strip_prefix(b"-").unwrap_or(text);
    let whole = digits(rest);
    if whole == 0 || (whole > 1 && rest[0] == b'0') {
        return false;
    }
    rest = &rest[whole..];
    if let Some(fraction) = rest.strip_prefix(b".") {
        let count = digits(fraction);
        if count == 0 {
            return false;
        }
        rest = &fraction[count..];
    }
    if let Some((b'e' | b'E', exponent)) = rest.split_first() {
        let exponent = exponent
            .strip_prefix(b"+")
            .or(exponent.strip_prefix(b"-"))
            .unwrap_or(exponent);
        let count = digits(exponent);
        return count > 0 && count == exponent.len();
    }
    rest.is_empty()
}

/// Whether a quoted text, whose escapes are known to be right, can be sent back as it is.
pub(super) fn is_json_string(text: &[u8]) -> bool {
    text.len() >= 2
        && text[0] == b'"'
        && text.iter().all(|&byte| byte >= b' ')
        && std::str::from_utf8(text).is_ok()
}
