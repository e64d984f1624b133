//! Which fields may come behind a body (RFC 9110 §6.5.1).
//!
//! Some recipients merge a trailer section into the head they have already acted on. So what frames,
//! routes, authenticates or describes a message is not passed on from there, nor what only a proxy
//! may say of a client. A `_` counts as the `-` that CGI-like servers make of it.

use super::Name;

/// What may not trail, whole names.
const NAMES: [&str; 35] = [
    "age",
    "authorization",
    "cache-control",
    "connection",
    "content-encoding",
    "content-length",
    "content-location",
    "content-range",
    "content-type",
    "cookie",
    "date",
    "early-data",
    "expect",
    "expires",
    "forwarded",
    "host",
    "keep-alive",
    "location",
    "max-forwards",
    "origin",
    "pragma",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "range",
    "retry-after",
    "set-cookie",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "www-authenticate",
    "x-request-id",
];
/// Beginnings of names that may not.
const BEGINNINGS: [&str; 7] = [
    "client-cert",
    "if-",
    "mcp-",
    "sec-websocket-",
    "x-client-cert",
    "x-forwarded-",
    "x-real-ip",
];

/// Whether a field may be passed on from a trailer section.
pub(super) fn may_trail(name: &[u8]) -> bool {
    let begins = |text: &str| {
        name.get(..text.len())
            .is_some_and(|start| is_alike(start, text))
    };
    !NAMES.iter().any(|known| is_alike(name, known)) && !BEGINNINGS.iter().any(|b| begins(b))
}

/// Whether a server that reads `_` as `-` takes `name` for `known`, which is in lower case.
pub fn is_alike(name: &[u8], known: &str) -> bool {
    let fold = |byte: u8| match byte {
        b'_' => b'-',
        byte => byte.to_ascii_lowercase(),
    };
    name.len() == known.len()
        && name
            .iter()
            .zip(known.bytes())
            .all(|(&a, b)| fold(a) == fold(b))
}

/// Whether a field is a second spelling of what frames a message (RFC 9112 §6): a name of its own to
/// this proxy, and the same to a server that reads `_` as `-`.
pub(super) fn frames_by_another_name(known: Name, name: &[u8]) -> bool {
    known == Name::Other
        && [Name::ContentLength, Name::TransferEncoding]
            .iter()
            .any(|framing| is_alike(name, framing.text()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sums_trail_and_what_a_head_is_for_does_not() {
        for name in [
            "X-Sum",
            "grpc-status",
            "Content-Digest",
            "Server-Timing",
            "ETag",
        ] {
            assert!(may_trail(name.as_bytes()), "{name}");
        }
        for name in [
            "Content-Length",
            "content_length",
            "Host",
            "AUTHORIZATION",
            "Cookie",
            "Set-Cookie",
            "X-Forwarded-For",
            "X_Forwarded_Proto",
            "X-Real-IP",
            "Client-Cert",
            "x_client_cert_subject",
            "Mcp-Session-Id",
            "If-None-Match",
            "Content-Type",
            "Upgrade",
            "Expect",
        ] {
            assert!(!may_trail(name.as_bytes()), "{name}");
        }
    }

    #[test]
    fn names_are_alike_however_they_are_spelt() {
        for name in ["x-user", "X-User", "X_USER", "x_user"] {
            assert!(is_alike(name.as_bytes(), "x-user"), "{name}");
        }
        for name in ["x-users", "xuser", "x-use", "y-user"] {
            assert!(!is_alike(name.as_bytes(), "x-user"), "{name}");
        }
    }

    #[test]
    fn framing_has_one_name() {
        let other = |name: &str| {
            let name = name.as_bytes();
            frames_by_another_name(Name::of(name), name)
        };
        assert!(other("Content_Length") && other("TRANSFER_encoding"));
        assert!(!other("Content-Length") && !other("X_Content_Length"));
    }
}
