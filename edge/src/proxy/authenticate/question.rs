//! The request that a service is asked with, and by what it is known again.

use aws_lc_rs::digest::{Context, SHA256};
use http::Method;

use crate::config::{AuthRequest, Forwarding, RequestPart};
use crate::message::{BodyLength, Fields, RequestHead, Target, TargetError};
use crate::proxy::caller::Caller;
use crate::proxy::forward;
use crate::proxy::trace::Trace;

/// Fields that say what the client wants. nginx's users say it with the first two, those of Traefik
/// and Caddy with the others.
const METHOD: [&str; 2] = ["x-original-method", "x-forwarded-method"];
const URI: [&str; 2] = ["x-original-uri", "x-forwarded-uri"];

/// A GET without body that says who asks for what.
pub(super) fn question(
    wanted: &AuthRequest,
    head: &RequestHead,
    caller: &Caller,
    forwarding: &Forwarding,
    trace: Option<&Trace>,
) -> Result<RequestHead, TargetError> {
    let mut fields = Fields::default();
    for name in &wanted.request_fields {
        for value in head.fields.values_of(name) {
            fields.push(name.as_bytes(), value);
        }
    }
    let mut question = RequestHead {
        method: Method::GET,
        target: Target::from_path(wanted.path.as_bytes())?,
        sent: None,
        authority: head.authority.clone(),
        version: head.version,
        fields,
        length: BodyLength::Empty,
        expects_continue: false,
        upgrade: None,
    };
    forward::request_fields(
        &mut question,
        &caller.peer,
        &caller.request_id,
        forwarding,
        trace,
    );
    let said = [(METHOD, head.method.as_str()), (URI, head.target.as_str())];
    for (names, value) in said {
        for name in names {
            question.fields.remove_all(name);
            question.fields.push(name.as_bytes(), value.as_bytes());
        }
    }
    Ok(question)
}

/// What a question is known by: the route, and those parts of the request that matter.
pub(super) fn identity(
    route: usize,
    parts: &[RequestPart],
    head: &RequestHead,
    caller: &Caller,
) -> [u8; 32] {
    let mut hash = Context::new(&SHA256);
    // Each with its length before it, so that no two requests run together to the same bytes.
    let mut add = |value: &[u8]| {
        hash.update(&(value.len() as u64).to_be_bytes());
        hash.update(value);
    };
    add(&route.to_be_bytes());
    for part in parts {
        match part {
            RequestPart::Address => {
                let address = caller.peer.addr.ip().to_canonical();
                add(address.to_string().as_bytes());
            }
            RequestPart::Host => {
                add(head.authority.as_str().as_bytes());
                add(caller.peer.scheme().as_bytes());
            }
            RequestPart::Method => add(head.method.as_str().as_bytes()),
            RequestPart::Uri => add(head.target.as_str().as_bytes()),
            RequestPart::Header(name) => {
                head.fields.values_of(name).for_each(&mut add);
                add(b"");
            }
            RequestPart::Cookie(name) => add(head.fields.cookie(name).unwrap_or_default()),
        }
    }
    let mut identity = [0; 32];
    identity.copy_from_slice(hash.finish().as_ref());
    identity
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::UpstreamId;
    use crate::message::h1::parse_request;
    use crate::proxy::exchange::Peer;
    use crate::proxy::request_id::RequestId;

    fn head(fields: &str) -> RequestHead {
        let text = format!("POST /a?b=1 HTTP/1.1\r\nHost: h\r\nContent-Length: 3\r\n{fields}\r\n");
        parse_request(text.as_bytes(), 100).expect("valid").0
    }

    fn caller() -> Caller {
        Caller {
            peer: Peer::new("192.0.2.7:5".parse().expect("valid"), Some("TLSv1.3")),
            request_id: RequestId::kept(b"id-1"),
        }
    }

    #[test]
    fn a_question_says_who_asks_for_what_and_nothing_the_client_made_up() {
        let wanted = AuthRequest {
            upstream: UpstreamId(0),
            path: "/verify?app=mcp".into(),
            request_fields: vec!["authorization".into(), "x-original-uri".into()],
            refusal_fields: Vec::new(),
            upstream_fields: Vec::new(),
            user_field: None,
            timeout: std::time::Duration::from_secs(1),
            cache: None,
            cache_key: Vec::new(),
        };
        let asked = head("Authorization: Bearer t\r\nCookie: c\r\nX-Original-Uri: /free\r\n");
        let question =
            question(&wanted, &asked, &caller(), &Forwarding::default(), None).expect("valid");
        assert_eq!(question.method, Method::GET);
        assert_eq!(question.target.as_str(), "/verify?app=mcp");
        assert_eq!(question.length, BodyLength::Empty);
        let lines: Vec<String> = question
            .fields
            .iter()
            .map(|(_, name, value)| {
                let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
                format!("{}: {}", text(name), text(value))
            })
            .collect();
        assert_eq!(
            lines,
            [
                "authorization: Bearer t",
                "x-forwarded-for: 192.0.2.7",
                "x-real-ip: 192.0.2.7",
                "x-forwarded-proto: https",
                "x-forwarded-host: h",
                "x-request-id: id-1",
                "via: 1.1 edge",
                "x-original-method: POST",
                "x-forwarded-method: POST",
                "x-original-uri: /a?b=1",
                "x-forwarded-uri: /a?b=1",
            ]
        );
    }

    #[test]
    fn requests_are_alike_in_the_parts_that_matter_alone() {
        let of = |parts: &[RequestPart], fields: &str| identity(3, parts, &head(fields), &caller());
        let token = [RequestPart::Header("authorization".into())];
        assert_eq!(
            of(&token, "Authorization: a\r\nX: 1\r\n"),
            of(&token, "Authorization: a\r\n")
        );
        assert_ne!(of(&token, "Authorization: a\r\n"), of(&token, ""));
        // Where one value ends and the next begins is part of it.
        let two = [
            RequestPart::Header("a".into()),
            RequestPart::Cookie("b".into()),
        ];
        assert_ne!(
            of(&two, "A: xy\r\nCookie: b=z\r\n"),
            of(&two, "A: x\r\nCookie: b=yz\r\n")
        );
        assert_ne!(
            of(&two, "A: x\r\nA: y\r\n"),
            of(&two, "A: x\r\nCookie: b=y\r\n")
        );
        let other_route = identity(4, &token, &head("Authorization: a\r\n"), &caller());
        assert_ne!(of(&token, "Authorization: a\r\n"), other_route);
    }
}
