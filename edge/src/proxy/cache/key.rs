//! What tells one question from another, and which questions are never answered from the store.

use std::rc::Rc;

use http::Method;

use super::store::Key;
use super::stored::joined;
use crate::config::CacheRules;
use crate::message::{BodyLength, Name, RequestHead};
use crate::proxy::exchange::Peer;

/// A longer one would cost more than most answers.
const KEY_BYTES_MAX: usize = 4096;

/// By these clients say who they are.
const CREDENTIALS: &[&str] = &[
    "authorization",
    "cookie",
    "x-api-key",
    "api-key",
    "x-auth-token",
];

/// By these some servers take another method, path or host than the request has: an answer to them
/// is no answer to the next client.
const OVERRIDES: &[&str] = &[
    "x-original-url",
    "x-rewrite-url",
    "x-original-host",
    "x-host",
    "x-http-method",
    "x-http-method-override",
    "x-method-override",
];

/// A question that may be answered from the store.
pub(super) struct Question {
    pub(super) key: Key,
    /// It says who asks.
    pub(super) credentials: bool,
    pub(super) is_head: bool,
}

impl Question {
    /// The question of a request as the upstream would get it; `None` where the store is bypassed.
    pub(super) fn of(
        head: &RequestHead,
        peer: &Peer,
        rules: &CacheRules,
        route: usize,
    ) -> Option<Question> {
        let fields = &head.fields;
        let has = |name: &str| fields.values_of(name).next().is_some();
        let is_read = matches!(head.method, Method::GET | Method::HEAD);
        // A body that servers differ about, a path that they read in different ways.
        let is_plain = head.length == BodyLength::Empty
            && head.upgrade.is_none()
            && head.target.path() == head.target.routing_path();
        let is_partial = fields.value(Name::Range).is_some()
            || ["if-match", "if-unmodified-since", "if-range"]
                .into_iter()
                .any(has);
        let wants_stream = fields
            .values(Name::Accept)
            .any(|value| memchr::memmem::find(value, b"event-stream").is_some());
        let overrides = OVERRIDES.iter().any(|name| has(name));
        if !is_read || !is_plain || is_partial || wants_stream || overrides {
            return None;
        }
        let key = key(head, peer, rules, route);
        (key.len() <= KEY_BYTES_MAX).then(|| Question {
            key,
            credentials: CREDENTIALS.iter().any(|name| has(name))
                || peer.user().is_some()
                || peer
                    .client_auth
                    .as_ref()
                    .is_some_and(|auth| auth.certificate.is_some()),
            is_head: head.method == Method::HEAD,
        })
    }
}

/// Route, scheme, host and target as the client and as the upstream has them, and the fields that
/// the route names. The client's word alone would not do: a route may make the target of anything.
pub(super) fn key(head: &RequestHead, peer: &Peer, rules: &CacheRules, route: usize) -> Key {
    let mut key = Vec::with_capacity(256);
    key.extend_from_slice(&route.to_le_bytes());
    let mut part = |bytes: Option<&[u8]>| {
        // The length before each part: no two lists of parts make the same key.
        let len = bytes.map_or(u64::MAX, |bytes| bytes.len() as u64);
        key.extend_from_slice(&len.to_le_bytes());
        key.extend_from_slice(bytes.unwrap_or_default());
    };
    part(Some(peer.scheme().as_bytes()));
    part(Some(head.authority.as_str().as_bytes()));
    part(Some(head.target.as_str().as_bytes()));
    let sent = head.sent.as_deref();
    let host = sent.and_then(|sent| sent.host.as_ref());
    part(host.map(|host| host.as_str().as_bytes()));
    let target = sent.and_then(|sent| sent.target.as_ref());
    part(target.map(|target| target.as_str().as_bytes()));
    for name in &rules.key_headers {
        part(joined(&head.fields, name).as_deref());
    }
    Rc::from(key)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::h1::parse_request;

    fn question(request: &str) -> Option<Question> {
        let (head, _) = parse_request(request.as_bytes(), 100).unwrap();
        let peer = Peer::new("192.0.2.1:1".parse().unwrap(), None);
        let rules = CacheRules {
            key_headers: vec!["x-tenant".to_owned(), "x-more".to_owned()],
            ..CacheRules::default()
        };
        Question::of(&head, &peer, &rules, 3)
    }

    fn get(target: &str, fields: &str) -> Option<Question> {
        question(&format!("GET {target} HTTP/1.1\r\nHost: h\r\n{fields}\r\n"))
    }

    #[test]
    fn one_key_for_one_question() {
        let key = |target: &str, fields: &str| get(target, fields).unwrap().key;
        let plain = key("/a?b=c", "");
        assert_eq!(
            plain,
            key("/./a?b=c", "X-Forwarded-Host: evil\r\nAccept: */*\r\n")
        );
        let head = question("HEAD /a?b=c HTTP/1.1\r\nHost: H\r\n\r\n").unwrap();
        assert!(head.key == plain && head.is_head);
        for (target, fields) in [
            ("/a?b=d", ""),
            ("/a", ""),
            ("/A?b=c", ""),
            ("/a%3fb=c", ""),
            ("/a?b=c", "X-Tenant: 1\r\n"),
            ("/a?b=c", "X-Tenant: \r\n"),
            ("/a?b=c", "X-More: 1\r\n"),
        ] {
            assert_ne!(plain, key(target, fields), "{target} {fields}");
        }
        let (one, other) = ("X-Tenant: a\r\nX-More: b\r\n", "X-Tenant: a, b\r\n");
        assert_ne!(key("/", one), key("/", other));
        let host = question("GET /a?b=c HTTP/1.1\r\nHost: h:8080\r\n\r\n").unwrap();
        assert_ne!(plain, host.key);
    }

    #[test]
    fn what_is_never_answered_from_the_store() {
        assert!(!get("/", "").unwrap().credentials);
        for fields in ["Authorization: Bearer x\r\n", "Cookie: a=b\r\n"] {
            assert!(get("/", fields).unwrap().credentials);
        }
        for fields in [
            "Range: bytes=0-0\r\n",
            "If-Match: *\r\n",
            "If-Range: \"a\"\r\n",
            "Accept: text/event-stream\r\n",
            "X-Original-URL: /admin\r\n",
            "X-HTTP-Method-Override: DELETE\r\n",
            "Content-Length: 3\r\n",
            "Transfer-Encoding: chunked\r\n",
        ] {
            assert!(get("/", fields).is_none(), "{fields}");
        }
        // Servers that read these as another path would have us keep its answer under this one.
        for target in ["/account;x.css", "/account%2fx.css", "//account", "/a//b"] {
            assert!(get(target, "").is_none(), "{target}");
        }
        assert!(get(&format!("/{}", "a".repeat(5000)), "").is_none());
        assert!(question("POST / HTTP/1.1\r\nHost: h\r\n\r\n").is_none());
    }
}
