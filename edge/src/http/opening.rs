//! Extended CONNECT (RFC 8441, RFC 9220) as the request that opens a WebSocket over HTTP/1.1.

use aws_lc_rs::rand;
use http::Method;

use crate::message::{BodyLength, Name, RequestHead, websocket_key};

/// The opening for a server that knows it as a GET with a key (RFC 8441 §5, RFC 9220); other heads
/// stay as they are. The stream's data
/// is no request body.
pub(super) fn as_get(mut head: RequestHead) -> RequestHead {
    if head.upgrade.is_none() {
        return head;
    }
    let mut nonce = [0; 16];
    // The key proves that the server has read this request; without randomness it still does.
    let _ = rand::fill(&mut nonce);
    head.method = Method::GET;
    head.length = BodyLength::Empty;
    head.expects_continue = false;
    head.fields
        .set(Name::SecWebsocketKey, websocket_key(nonce).as_bytes());
    head
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::{RequestSection, SectionError, Upgrade, Version, is_valid_opening};
    use http::StatusCode;

    fn convert(protocol: Option<&'static [u8]>) -> Result<RequestHead, SectionError> {
        let mut section = RequestSection::new(100, 0);
        section.line(b":method", b"CONNECT")?;
        section.line(b":scheme", b"https")?;
        section.line(b":authority", b"a.example")?;
        section.line(b":path", b"/ws")?;
        if let Some(protocol) = protocol {
            section.line(b":protocol", protocol)?;
        }
        section.line(b"sec-websocket-version", b"13")?;
        section.finish(Version::Http3, false).map(as_get)
    }

    #[test]
    fn an_opening_becomes_a_get_with_a_key_of_its_own() {
        let (one, other) = (convert(Some(b"websocket")), convert(Some(b"websocket")));
        let (one, other) = (one.expect("an opening"), other.expect("an opening"));
        assert!(is_valid_opening(&one) && is_valid_opening(&other));
        assert_eq!(one.upgrade, Some(Upgrade::WebSocket));
        assert_eq!(one.target.as_str(), "/ws");
        let key = |head: &RequestHead| head.fields.value(Name::SecWebsocketKey).map(<[u8]>::to_vec);
        assert_ne!(key(&one), key(&other));
    }

    #[test]
    fn other_tunnels_are_not_made() {
        let refused = SectionError::Refused(StatusCode::NOT_IMPLEMENTED);
        assert_eq!(convert(Some(b"connect-udp")).err(), Some(refused));
        // Without a protocol it may name no path.
        assert_eq!(convert(None).err(), Some(SectionError::Malformed));
    }
}
