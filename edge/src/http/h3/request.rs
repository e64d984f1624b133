//! Field sections to request heads and trailers, and response heads to HEADERS frames.

use http::StatusCode;

use crate::message::h3::{self, qpack};
use crate::message::{
    Fields, Name, RequestHead, RequestSection, ResponseHead, SectionError, Version, trailer_line,
};

/// Why the head of a request is not one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HeadError {
    /// The connection cannot go on: its compression is broken.
    Connection(h3::Error),
    /// The stream is reset.
    Malformed,
    /// It is answered.
    Refused(StatusCode),
}

impl From<qpack::DecodeError> for HeadError {
    fn from(error: qpack::DecodeError) -> HeadError {
        match error {
            qpack::DecodeError::Malformed => HeadError::Connection(h3::Error::QpackDecompression),
            qpack::DecodeError::TooLarge => {
                HeadError::Refused(StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE)
            }
        }
    }
}

impl From<SectionError> for HeadError {
    fn from(error: SectionError) -> HeadError {
        match error {
            SectionError::Malformed => HeadError::Malformed,
            SectionError::Refused(status) => HeadError::Refused(status),
        }
    }
}

/// Decodes the lines of a request head.
pub(super) fn section(
    encoded: &[u8],
    bytes_max: usize,
    fields_max: usize,
) -> Result<RequestSection, HeadError> {
    let mut section = RequestSection::new(fields_max, encoded.len());
    qpack::decode(encoded, bytes_max, |name, value| {
        section.line(name, value).map_err(HeadError::from)
    })?;
    Ok(section)
}

/// The head that the lines make.
pub(super) fn head(section: RequestSection, ended: bool) -> Result<RequestHead, HeadError> {
    Ok(section.finish(Version::Http3, ended)?)
}

/// Decodes a trailer section.
pub(super) fn trailers(encoded: &[u8], bytes_max: usize) -> Result<Fields, HeadError> {
    let mut fields = Fields::default();
    qpack::decode(encoded, bytes_max, |name, value| {
        trailer_line(name, value, &mut fields).ok_or(HeadError::Malformed)
    })?;
    Ok(fields)
}

/// Appends a response head as a HEADERS frame.
pub(super) fn encode_head(head: &ResponseHead, is_head: bool, out: &mut Vec<u8>) {
    let mut encoder = qpack::Encoder::new();
    encoder.status(head.status.as_u16());
    lines(&head.fields, &mut encoder);
    if let Some(length) = head.content_length(is_head) {
        encoder.line(
            b"content-length",
            itoa::Buffer::new().format(length).as_bytes(),
        );
    }
    h3::headers(&encoder.finish(), out);
}

/// Appends a trailer section as a HEADERS frame.
pub(super) fn encode_trailers(fields: &Fields, out: &mut Vec<u8>) {
    let mut encoder = qpack::Encoder::new();
    lines(fields, &mut encoder);
    h3::headers(&encoder.finish(), out);
}

/// Names go out in lower case (RFC 9114 §4.2); upstreams spell them as they like.
fn lines(fields: &Fields, encoder: &mut qpack::Encoder) {
    let mut lower = Vec::new();
    for (known, name, value) in fields.iter() {
        if known != Name::Other {
            encoder.line(known.text().as_bytes(), value);
        } else if name.iter().any(u8::is_ascii_uppercase) {
            lower.clear();
            lower.extend(name.iter().map(u8::to_ascii_lowercase));
            encoder.line(&lower, value);
        } else {
            encoder.line(name, value);
        }
    }
}
