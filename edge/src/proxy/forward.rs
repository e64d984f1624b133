//! Field rules on the way to the upstream and back.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::exchange::Peer;
use crate::message::{Name, RequestHead, Version};

/// Makes the fields the upstream may rely on: what the client claims about its address, scheme and
/// host is replaced by what the edge knows.
pub(super) fn request_fields(head: &mut RequestHead, peer: &Peer) {
    head.fields
        .retain(|name, text, _| !is_forwarding(name, text));
    let fields = &mut head.fields;

    let mut buf = TextBuf::default();
    // Infallible: the buffer is longer than any address.
    let _ = write!(buf, "{}", canonical(peer.addr.ip()));
    fields.push_known(Name::XForwardedFor, buf.as_bytes());
    fields.push_known(Name::XRealIp, buf.as_bytes());
    fields.push_known(Name::XForwardedProto, peer.scheme().as_bytes());
    if !head.authority.as_str().is_empty() {
        fields.push_known(Name::XForwardedHost, head.authority.as_str().as_bytes());
    }
    // RFC 9110 §7.6.3: a gateway adds itself to every request.
    let via: &[u8] = match head.version {
        Version::Http10 => b"1.0 edge",
        Version::Http11 => b"1.1 edge",
        Version::Http2 => b"2.0 edge",
        Version::Http3 => b"3.0 edge",
    };
    fields.push_known(Name::Via, via);
}

/// Fields by which an intermediary tells an upstream about the client. CGI-like upstreams read `_`
/// as `-`, so such spellings count as the field itself.
fn is_forwarding(name: Name, text: &[u8]) -> bool {
    match name {
        Name::Forwarded
        | Name::XForwardedFor
        | Name::XForwardedHost
        | Name::XForwardedProto
        | Name::XRealIp => true,
        Name::Other => {
            let starts_with_x = matches!(text.first(), Some(b'x' | b'X'));
            (starts_with_x && is_like(text, b"x-forwarded-"))
                || (starts_with_x && text.len() == 9 && is_like(text, b"x-real-ip"))
        }
        _ => false,
    }
}

fn is_like(text: &[u8], prefix: &[u8]) -> bool {
    text.len() >= prefix.len()
        && text.iter().zip(prefix).all(|(&b, &p)| match b {
            b'_' => p == b'-',
            b => b.to_ascii_lowercase() == p,
        })
}

fn canonical(ip: IpAddr) -> IpAddr {
    ip.to_canonical()
}

/// Text of at most 64 bytes without allocation.
struct TextBuf {
    bytes: [u8; 64],
    len: usize,
}

impl Default for TextBuf {
    fn default() -> Self {
        TextBuf {
            bytes: [0; 64],
            len: 0,
        }
    }
}

impl TextBuf {
    fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }
}

impl std::fmt::Write for TextBuf {
    fn write_str(&mut self, s: &str) -> std::fmt::Result {
        let end = self.len + s.len();
        let room = self.bytes.get_mut(self.len..end).ok_or(std::fmt::Error)?;
        room.copy_from_slice(s.as_bytes());
        self.len = end;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::h1::parse_request;

    #[test]
    fn claims_of_the_client_are_replaced() {
        let (mut head, _) = parse_request(
            b"GET / HTTP/1.1\r\nHost: h:8443\r\nX-Forwarded-For: 1.1.1.1\r\nx_forwarded_for: 2.2.2.2\r\n\
              X-Forwarded-Port: 1\r\nX_Real_IP: 3.3.3.3\r\nForwarded: for=4.4.4.4\r\nX-Real-Ipsum: kept\r\n\r\n",
            100,
        )
        .expect("valid");
        let peer = Peer {
            addr: "203.0.113.9:5".parse().expect("valid"),
            tls: Some("TLSv1.3"),
        };
        request_fields(&mut head, &peer);
        let lines: Vec<String> = head
            .fields
            .iter()
            .map(|(_, n, v)| {
                format!(
                    "{}: {}",
                    String::from_utf8_lossy(n),
                    String::from_utf8_lossy(v)
                )
            })
            .collect();
        assert_eq!(
            lines,
            [
                "X-Real-Ipsum: kept",
                "x-forwarded-for: 203.0.113.9",
                "x-real-ip: 203.0.113.9",
                "x-forwarded-proto: https",
                "x-forwarded-host: h:8443",
                "via: 1.1 edge",
            ]
        );
    }
}
