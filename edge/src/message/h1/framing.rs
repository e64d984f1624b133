//! `Content-Length` and `Transfer-Encoding` (RFC 9112 §6): one reading or none.

use crate::message::Name;

/// The framing fields of one head, gathered while it is parsed.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Framing {
    pub(super) content_length: Option<u64>,
    pub(super) chunked: bool,
}

/// Why the framing of a message is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FramingError {
    /// Not a plain decimal number of at most 18 digits.
    #[error("invalid Content-Length")]
    ContentLength,
    /// More than one `Content-Length`, even if they agree.
    #[error("more than one Content-Length")]
    DuplicateContentLength,
    /// Anything but a single `chunked`.
    #[error("unsupported Transfer-Encoding")]
    TransferEncoding,
    /// Both fields: RFC 9112 §6.1 calls it a possible attack.
    #[error("both Content-Length and Transfer-Encoding")]
    Both,
}

impl Framing {
    /// Takes note of a field if it is about framing.
    pub(super) fn add(&mut self, name: Name, value: &[u8]) -> Result<(), FramingError> {
        match name {
            Name::ContentLength => {
                let length = parse_length(value).ok_or(FramingError::ContentLength)?;
                if self.content_length.replace(length).is_some() {
                    return Err(FramingError::DuplicateContentLength);
                }
            }
            Name::TransferEncoding => {
                if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(FramingError::TransferEncoding);
                }
                self.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// Checks the fields against each other once all are known.
    pub(super) fn check(&self) -> Result<(), FramingError> {
        match self.chunked && self.content_length.is_some() {
            true => Err(FramingError::Both),
            false => Ok(()),
        }
    }
}

/// A `Content-Length`: a plain decimal number, nothing else.
pub(in crate::message) fn parse_length(value: &[u8]) -> Option<u64> {
    if value.is_empty() || value.len() > 18 || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    Some(value.iter().fold(0, |n, &d| n * 10 + u64::from(d - b'0')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lengths_are_plain_decimal() {
        assert_eq!(parse_length(b"0"), Some(0));
        assert_eq!(parse_length(b"42"), Some(42));
        for bad in [
            &b""[..],
            b"+1",
            b"-1",
            b"0x10",
            b"1 ",
            b"5, 5",
            b"9999999999999999999",
        ] {
            assert_eq!(parse_length(bad), None, "{bad:?}");
        }
    }
}
