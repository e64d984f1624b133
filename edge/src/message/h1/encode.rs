//! Heads and chunk framing on the way out.

use bytes::BytesMut;
use http::{Method, StatusCode};

use crate::message::{BodyLength, Fields, Target};

/// Room made for a head, and for the small body that often follows, before it is written field by
/// field.
const HEAD_BYTES: usize = 2048;

/// The last chunk and an empty trailer section.
pub const LAST_CHUNK: &[u8] = b"0\r\n\r\n";

/// Appends a request head. `fields` go out in order; `Host` comes first (RFC 9110 §7.2). With
/// `websocket` it asks to go on in that protocol.
pub fn request_head(
    out: &mut BytesMut,
    method: &Method,
    target: &Target,
    host: &str,
    fields: &Fields,
    length: BodyLength,
    websocket: bool,
) {
    out.reserve(HEAD_BYTES);
    out.extend_from_slice(method.as_str().as_bytes());
    out.extend_from_slice(b" ");
    out.extend_from_slice(target.as_str().as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\nhost: ");
    out.extend_from_slice(host.as_bytes());
    out.extend_from_slice(b"\r\n");
    write_fields(out, fields);
    if websocket {
        out.extend_from_slice(b"connection: upgrade\r\nupgrade: websocket\r\n");
    }
    match length {
        // A method that usually has content needs a length (RFC 9110 §8.6).
        BodyLength::Empty if matches!(*method, Method::POST | Method::PUT | Method::PATCH) => {
            out.extend_from_slice(b"content-length: 0\r\n\r\n");
        }
        BodyLength::Empty | BodyLength::UntilClose => out.extend_from_slice(b"\r\n"),
        BodyLength::Exact(n) => write_length(out, n),
        BodyLength::Framed => out.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n"),
    }
}

/// Appends a response head up to and including its empty line. `framing` is `None` where RFC 9110
/// §8.6 forbids framing fields (1xx, 204) or the fields already describe them (HEAD, 304).
pub fn response_head(
    out: &mut BytesMut,
    status: StatusCode,
    fields: &Fields,
    framing: Option<BodyLength>,
    connection: Option<&str>,
) {
    out.reserve(HEAD_BYTES);
    out.extend_from_slice(b"HTTP/1.1 ");
    out.extend_from_slice(status.as_str().as_bytes());
    out.extend_from_slice(b" ");
    out.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    out.extend_from_slice(b"\r\n");
    write_fields(out, fields);
    if let Some(connection) = connection {
        out.extend_from_slice(b"connection: ");
        out.extend_from_slice(connection.as_bytes());
        out.extend_from_slice(b"\r\n");
    }
    match framing {
        None | Some(BodyLength::UntilClose) => out.extend_from_slice(b"\r\n"),
        Some(BodyLength::Empty) => write_length(out, 0),
        Some(BodyLength::Exact(n)) => write_length(out, n),
        Some(BodyLength::Framed) => out.extend_from_slice(b"transfer-encoding: chunked\r\n\r\n"),
    }
}

/// The line that starts a chunk of `len` bytes; CRLF follows the content.
pub fn chunk_head(len: usize, digits: &mut [u8; 18]) -> &[u8] {
    let mut at = digits.len() - 2;
    digits[at..].copy_from_slice(b"\r\n");
    let mut rest = len;
    loop {
        at -= 1;
        digits[at] = b"0123456789abcdef"[rest & 15];
        rest >>= 4;
        if rest == 0 {
            return &digits[at..];
        }
    }
}

/// Appends the last chunk with a trailer section.
pub fn trailers(out: &mut BytesMut, fields: &Fields) {
    out.extend_from_slice(b"0\r\n");
    write_fields(out, fields);
    out.extend_from_slice(b"\r\n");
}

fn write_fields(out: &mut BytesMut, fields: &Fields) {
    for (_, name, value) in fields.iter() {
        out.extend_from_slice(name);
        out.extend_from_slice(b": ");
        out.extend_from_slice(value);
        out.extend_from_slice(b"\r\n");
    }
}

fn write_length(out: &mut BytesMut, n: u64) {
    out.extend_from_slice(b"content-length: ");
    out.extend_from_slice(itoa::Buffer::new().format(n).as_bytes());
    out.extend_from_slice(b"\r\n\r\n");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunk_sizes_are_hexadecimal() {
        for len in [1usize, 15, 16, 255, 4096, usize::MAX] {
            let line = format!("{len:x}\r\n");
            assert_eq!(chunk_head(len, &mut [0; 18]), line.as_bytes());
        }
    }

    #[test]
    fn heads_are_written_whole() {
        let mut fields = Fields::default();
        fields.push(b"Content-Type", b"text/plain");
        let mut out = BytesMut::new();
        response_head(
            &mut out,
            StatusCode::OK,
            &fields,
            Some(BodyLength::Exact(2)),
            Some("close"),
        );
        assert_eq!(
            out,
            "HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nconnection: close\r\ncontent-length: 2\r\n\r\n"
                .as_bytes()
        );
    }
}
