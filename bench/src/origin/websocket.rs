//! Messages over a WebSocket (RFC 6455): each call is answered by one. Pure.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::request::{ANSWER_BYTES, NONCE_AT, NONCE_BYTES, Refusal};

/// What every server knows (RFC 6455 §1.3).
const SECRET: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// FIN and text.
const TEXT: u8 = 0x81;
/// A client masks what it sends, and its length here takes two bytes.
const MASKED_LENGTH_16: u8 = 0x80 | 126;
/// Head and mask of a message.
const HEAD_BYTES: usize = 8;

/// What proves that a server has understood the key of a client.
pub(crate) fn accept_of(key: &[u8]) -> String {
    let proof = digest(&SHA1_FOR_LEGACY_USE_ONLY, &[key, SECRET].concat());
    STANDARD.encode(proof.as_ref())
}

/// The head that agrees.
pub(super) fn agreement(accept: &str) -> String {
    format!(
        "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\
         Sec-WebSocket-Accept: {accept}\r\n\r\n"
    )
}

/// The nonce of the message at the start of `buffer`, and the length of the message; or `None` if more
/// has to come.
pub(super) fn message(buffer: &[u8]) -> Result<Option<([u8; NONCE_BYTES], usize)>, Refusal> {
    let Some(head) = buffer.first_chunk::<HEAD_BYTES>() else {
        return Ok(None);
    };
    let length = usize::from(u16::from_be_bytes([head[2], head[3]]));
    if head[0] != TEXT || head[1] != MASKED_LENGTH_16 || length < NONCE_AT + NONCE_BYTES {
        return Err(Refusal::Malformed);
    }
    let Some(body) = buffer[HEAD_BYTES..].get(..length) else {
        return Ok(None);
    };
    let mask = &head[4..];
    let nonce = std::array::from_fn(|i| body[NONCE_AT + i] ^ mask[(NONCE_AT + i) % 4]);
    Ok(Some((nonce, HEAD_BYTES + length)))
}

/// What stands in front of an answer: never masked (RFC 6455 §5.1), and always of one size.
pub(super) const ANSWER_HEAD: [u8; 4] = [TEXT, 126, (ANSWER_BYTES >> 8) as u8, ANSWER_BYTES as u8];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_proof_is_that_of_the_standard() {
        // RFC 6455 §1.3.
        let accept = accept_of(b"dGhlIHNhbXBsZSBub25jZQ==");
        assert_eq!(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    }

    #[test]
    fn a_message_is_taken_whole_and_gives_its_nonce() {
        let body = br#"{"jsonrpc":"2.0","id":"0123456789abcdef"}"#;
        let mask = [1, 2, 3, 4];
        let mut bytes = vec![TEXT, MASKED_LENGTH_16, 0, body.len() as u8];
        bytes.extend(mask);
        // A length below 126 would be written in one byte by others; the generator's never is.
        bytes.extend(body.iter().enumerate().map(|(i, byte)| byte ^ mask[i % 4]));
        for end in 0..bytes.len() {
            assert_eq!(message(&bytes[..end]), Ok(None), "{end} bytes");
        }
        let whole = message(&bytes);
        assert_eq!(whole, Ok(Some((*b"0123456789abcdef", bytes.len()))));
        assert_eq!(message(&[0x88; 9]), Err(Refusal::Malformed));
    }
}
