//! Response heads and trailers as field blocks (RFC 9113 §8.3.2).

use crate::message::h2::Encoder;
use crate::message::{Fields, Name, ResponseHead};

/// Appends the lines of a response head.
pub(super) fn head(head: &ResponseHead, is_head: bool, encoder: &mut Encoder, out: &mut Vec<u8>) {
    encoder.status(head.status.as_u16(), out);
    lines(&head.fields, encoder, out);
    if let Some(length) = head.content_length(is_head) {
        let mut digits = itoa::Buffer::new();
        let digits = digits.format(length).as_bytes();
        let name = Name::ContentLength;
        encoder.line(name, name.text().as_bytes(), digits, out);
    }
}

/// Appends fields. Names go out in lower case (§8.2.1); upstreams spell them as they like.
pub(super) fn lines(fields: &Fields, encoder: &mut Encoder, out: &mut Vec<u8>) {
    let mut lower = Vec::new();
    for (known, name, value) in fields.iter() {
        if known != Name::Other {
            encoder.line(known, known.text().as_bytes(), value, out);
        } else if name.iter().any(u8::is_ascii_uppercase) {
            lower.clear();
            lower.extend(name.iter().map(u8::to_ascii_lowercase));
            encoder.line(known, &lower, value, out);
        } else {
            encoder.line(known, name, value, out);
        }
    }
}
