//! The opening handshake of WebSocket (RFC 6455 §4). Frames are opaque here: they pass as bytes.

use aws_lc_rs::digest::{SHA1_FOR_LEGACY_USE_ONLY, digest};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::Method;

use super::{BodyLength, Name, RequestHead};

/// A protocol that a request asks to go on in (RFC 9110 §7.8).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Upgrade {
    /// WebSocket, by `Upgrade` or by extended CONNECT.
    WebSocket,
    /// Anything else.
    Other,
}

/// The one version there is (RFC 6455 §4.1).
pub const WEBSOCKET_VERSION: &str = "13";
/// RFC 6455 §1.3.
const ACCEPT_GUID: &[u8] = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11";
/// Bytes of the nonce behind `Sec-WebSocket-Key`.
const NONCE_BYTES: usize = 16;

/// Judges the request that opens a WebSocket before an upstream sees it: what this proxy takes for
/// an upgrade and the upstream does not, or the other way round, is a way to smuggle requests.
pub fn is_valid_opening(head: &RequestHead) -> bool {
    let one = |name| {
        let mut values = head.fields.values(name);
        values.next().filter(|_| values.next().is_none())
    };
    let nonce = one(Name::SecWebsocketKey).and_then(|key| STANDARD.decode(key).ok());
    head.method == Method::GET
        && head.length == BodyLength::Empty
        && nonce.is_some_and(|nonce| nonce.len() == NONCE_BYTES)
        && one(Name::SecWebsocketVersion) == Some(WEBSOCKET_VERSION.as_bytes())
}

/// A key from 16 bytes that differ from one opening to the next.
pub fn websocket_key(nonce: [u8; NONCE_BYTES]) -> String {
    STANDARD.encode(nonce)
}

/// What a server that has understood `key` answers in `Sec-WebSocket-Accept`.
pub fn websocket_accept(key: &[u8]) -> String {
    STANDARD.encode(digest(
        &SHA1_FOR_LEGACY_USE_ONLY,
        &[key, ACCEPT_GUID].concat(),
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::h1::parse_request;

    fn check(fields: &str) -> bool {
        let text = format!(
            "GET /ws HTTP/1.1\r\nHost: h\r\nConnection: upgrade\r\nUpgrade: websocket\r\n{fields}\r\n"
        );
        let (head, _) = parse_request(text.as_bytes(), 100).expect("valid");
        assert_eq!(head.upgrade, Some(Upgrade::WebSocket));
        is_valid_opening(&head)
    }

    const KEY: &str = "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    const VERSION: &str = "Sec-WebSocket-Version: 13\r\n";

    /// The example of RFC 6455 §1.3.
    #[test]
    fn the_accept_of_the_rfc() {
        assert_eq!(
            websocket_accept(b"dGhlIHNhbXBsZSBub25jZQ=="),
            "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        );
        assert_eq!(
            websocket_key(*b"the sample nonce"),
            "dGhlIHNhbXBsZSBub25jZQ=="
        );
    }

    #[test]
    fn openings_are_judged() {
        assert!(check(&format!("{KEY}{VERSION}")));
        for fields in [
            KEY,
            VERSION,
            &format!("{KEY}Sec-WebSocket-Version: 8\r\n"),
            &format!("{KEY}{VERSION}{VERSION}"),
            &format!("{KEY}{KEY}{VERSION}"),
            &format!("Sec-WebSocket-Key: c2hvcnQ=\r\n{VERSION}"),
            &format!("{KEY}{VERSION}Content-Length: 5\r\n"),
            &format!("{KEY}{VERSION}Transfer-Encoding: chunked\r\n"),
            // A key that the client itself declares to be for this hop only does not get there.
            &format!("{KEY}{VERSION}Connection: sec-websocket-key\r\n"),
        ] {
            assert!(!check(fields), "{fields:?}");
        }
    }
}
