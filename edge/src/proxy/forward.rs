//! What upstreams are told about the client, and what it cannot say for itself.

use std::fmt::Write as _;
use std::net::IpAddr;

use super::client_certificate::{is_claim, push_fields};
use super::exchange::Peer;
use super::request_id::RequestId;
use super::trace::{self, Trace};
use crate::config::Forwarding;
use crate::message::{Name, RequestHead, Version};

/// Makes the fields the upstream may rely on: what the client claims about its address, scheme and
/// host is replaced by what the edge knows.
pub(super) fn request_fields(
    head: &mut RequestHead,
    peer: &Peer,
    request_id: &RequestId,
    forwarding: &Forwarding,
    trace: Option<&Trace>,
) {
    head.fields
        .retain(|name, text, _| !is_forwarding(name, text) && !is_claim(name, text));
    let sends = match trace {
        Some(trace) => trace.sends,
        None if forwarding.traceparent && trace::incoming(&head.fields).is_none() => {
            Some(trace::begun())
        }
        None => None,
    };
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
    fields.push(b"x-request-id", request_id.as_bytes());
    if forwarding.forwarded {
        fields.push_known(
            Name::Forwarded,
            forwarded(peer, head.authority.as_str()).as_bytes(),
        );
    }
    if let Some(sends) = sends {
        if trace::incoming(fields).is_none() {
            // What stands there is no trace; `tracestate` belongs to it (Trace Context §3.3).
            fields.remove_all("tracestate");
        }
        fields.remove_all("traceparent");
        fields.push(b"traceparent", &sends.text());
    }
    push_fields(fields, peer.client_auth.as_deref());
    // RFC 9110 §7.6.3: a gateway adds itself to every request.
    let via: &[u8] = match head.version {
        Version::Http10 => b"1.0 edge",
        Version::Http11 => b"1.1 edge",
        Version::Http2 => b"2.0 edge",
        Version::Http3 => b"3.0 edge",
    };
    fields.push_known(Name::Via, via);
}

/// One element: who, over what, for which host (RFC 7239 §4). An IPv6 address needs quotes.
fn forwarded(peer: &Peer, host: &str) -> String {
    let client = match canonical(peer.addr.ip()) {
        IpAddr::V4(v4) => v4.to_string(),
        IpAddr::V6(v6) => format!("\"[{v6}]\""),
    };
    let mut text = format!("for={client};proto={}", peer.scheme());
    if !host.is_empty() {
        let _ = write!(text, ";host=\"{host}\"");
    }
    text
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
                || (starts_with_x && text.len() == 12 && is_like(text, b"x-request-id"))
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
              X-Forwarded-Port: 1\r\nX_Real_IP: 3.3.3.3\r\nForwarded: for=4.4.4.4\r\nX-Real-Ipsum: kept\r\n\
              X-Request-Id: mine\r\n\r\n",
            100,
        )
        .expect("valid");
        let peer = Peer::new("203.0.113.9:5".parse().expect("valid"), Some("TLSv1.3"));
        request_fields(
            &mut head,
            &peer,
            &RequestId::kept(b"id-1"),
            &Forwarding::default(),
            None,
        );
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
                "x-request-id: id-1",
                "via: 1.1 edge",
            ]
        );
    }

    #[test]
    fn forwarded_and_traces_when_asked_for() {
        let told = |trace: &str| {
            let text = format!(
                "GET / HTTP/1.1\r\nHost: h\r\ntraceparent: {trace}\r\ntracestate: a=1\r\n\r\n"
            );
            let (mut head, _) = parse_request(text.as_bytes(), 100).expect("valid");
            let peer = Peer::new("[2001:db8::7]:5".parse().expect("valid"), None);
            let forwarding = Forwarding {
                forwarded: true,
                traceparent: true,
                ..Forwarding::default()
            };
            request_fields(&mut head, &peer, &RequestId::new(), &forwarding, None);
            let value = |name: &str| {
                let value = head.fields.values_of(name).next();
                value.map(|value| String::from_utf8_lossy(value).into_owned())
            };
            (
                value("forwarded"),
                value("traceparent"),
                value("tracestate"),
            )
        };
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        let (forwarded, kept, state) = told(good);
        let expected = "for=\"[2001:db8::7]\";proto=http;host=\"h\"";
        assert_eq!(forwarded.as_deref(), Some(expected));
        assert_eq!(
            (kept.as_deref(), state.as_deref()),
            (Some(good), Some("a=1"))
        );
        for bad in [
            "x",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
        ] {
            let (_, made, state) = told(bad);
            let made = made.expect("one is made");
            assert!(
                made != bad && made.len() == 55 && made.ends_with("-01"),
                "{made}"
            );
            assert_eq!(state, None, "it belongs to another trace");
        }
    }
}
