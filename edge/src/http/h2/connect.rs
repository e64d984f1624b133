//! Extended CONNECT (RFC 8441) as the request that opens a WebSocket over HTTP/1.1.

use aws_lc_rs::rand;
use h2::ext::Protocol;
use http::request::Parts;
use http::{Method, StatusCode};

use crate::message::{BodyLength, Name, RequestHead, Upgrade, websocket_key};

/// What a CONNECT request asks for; an ordinary one asks for a tunnel, which is not made here.
pub(super) fn wanted_protocol(parts: &Parts) -> Result<Option<Upgrade>, StatusCode> {
    if parts.method != Method::CONNECT {
        return Ok(None);
    }
    match parts.extensions.get::<Protocol>() {
        Some(protocol) if protocol.as_str() == "websocket" => Ok(Some(Upgrade::WebSocket)),
        _ => Err(StatusCode::NOT_IMPLEMENTED),
    }
}

/// The same opening for a server that knows it as a GET with a key (RFC 8441 §5). The stream's data
/// is no request body.
pub(super) fn as_opening(mut head: RequestHead) -> RequestHead {
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
    use crate::http::h2::request::request_head;
    use crate::message::is_valid_opening;
    use http::Request;

    fn convert(protocol: Option<&'static str>) -> Result<RequestHead, StatusCode> {
        let mut request = Request::builder()
            .method("CONNECT")
            .uri("https://a.example/ws")
            .header("sec-websocket-version", "13")
            .body(())
            .expect("valid");
        if let Some(protocol) = protocol {
            request
                .extensions_mut()
                .insert(Protocol::from_static(protocol));
        }
        request_head(&request.into_parts().0, false, 100)
    }

    #[test]
    fn an_opening_becomes_a_get_with_a_key_of_its_own() {
        let (one, other) = (convert(Some("websocket")), convert(Some("websocket")));
        let (one, other) = (one.expect("an opening"), other.expect("an opening"));
        assert!(is_valid_opening(&one) && is_valid_opening(&other));
        assert_eq!(one.upgrade, Some(Upgrade::WebSocket));
        assert_eq!(one.target.as_str(), "/ws");
        let key = |head: &RequestHead| head.fields.value(Name::SecWebsocketKey).map(<[u8]>::to_vec);
        assert_ne!(key(&one), key(&other));
    }

    #[test]
    fn other_tunnels_are_not_made() {
        for protocol in [None, Some("connect-udp")] {
            assert_eq!(
                convert(protocol).err(),
                Some(StatusCode::NOT_IMPLEMENTED),
                "{protocol:?}"
            );
        }
    }
}
