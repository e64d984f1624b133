//! Rules that change fields: those of hosts and routes, applied to one message.

use std::cell::OnceCell;

use super::exchange::Peer;
use super::facts::Facts;
use super::request_id::RequestId;
use crate::config::{Change, FieldRule, RouteMatch, Template};
use crate::message::{Authority, Fields, RequestHead, is_alike};

/// What browsers must hear over TLS only (RFC 6797 §7.2).
const HSTS: &str = "strict-transport-security";

/// The rules for the answer to one request, with everything they say of that request.
pub(super) struct ResponseRules<'a> {
    rules: &'a [FieldRule],
    /// Values with variables in them, in order.
    rendered: Vec<String>,
    secure: bool,
    /// What is told of limits, as `RateLimit-Policy` and `RateLimit`.
    limits: OnceCell<[String; 2]>,
}

impl<'a> ResponseRules<'a> {
    pub(super) fn new(rules: &'a [FieldRule], facts: &Facts<'_>) -> ResponseRules<'a> {
        let rendered: Vec<String> = rules
            .iter()
            .filter_map(|rule| template(rule))
            .filter(|template| template.as_text().is_none())
            .map(|template| facts.field_value(template))
            .collect();
        ResponseRules {
            rules,
            rendered,
            secure: facts.peer.scheme() == "https",
            limits: OnceCell::new(),
        }
    }

    /// Has the client told what is left of its limits.
    pub(super) fn tell_limits(&self, told: &[[String; 2]]) {
        if !told.is_empty() {
            let joined = |n: usize| {
                told.iter()
                    .map(|each| &*each[n])
                    .collect::<Vec<_>>()
                    .join(", ")
            };
            // Told once a request.
            let _ = self.limits.set([joined(0), joined(1)]);
        }
    }

    /// Changes the fields of a response.
    pub(super) fn apply(&self, fields: &mut Fields) {
        let mut rendered = self.rendered.iter();
        for rule in self.rules {
            let value = value(rule, || rendered.next().map(String::as_str));
            if self.secure || &*rule.name != HSTS {
                apply(rule, value, fields);
            }
        }
        if let Some([policy, left]) = self.limits.get()
            && fields.values_of("ratelimit").next().is_none()
        {
            fields.push(b"ratelimit-policy", policy.as_bytes());
            fields.push(b"ratelimit", left.as_bytes());
        }
        if !self.secure {
            fields.remove_all(HSTS);
        }
    }
}

/// Changes the fields of a request on its way to the upstream, and the host it is sent for.
pub(super) fn apply_to_request(
    rules: &[FieldRule],
    head: &mut RequestHead,
    peer: &Peer,
    request_id: &RequestId,
    when: &RouteMatch,
) {
    for rule in rules {
        let facts = Facts {
            head,
            peer,
            request_id,
            when: Some(when),
        };
        let rendered = template(rule)
            .filter(|template| template.as_text().is_none())
            .map(|template| facts.field_value(template));
        let value = value(rule, || rendered.as_deref());
        match &*rule.name {
            // What is no host leaves the one that was asked for.
            "host" => {
                head.sent.get_or_insert_default().host = Authority::parse(value.as_bytes());
            }
            // CGI-like upstreams read `_` as `-`: no second spelling of what is set or removed.
            name => {
                if matches!(rule.change, Change::Set(_) | Change::Remove) {
                    head.fields.retain(|_, found, _| !is_alike(found, name));
                }
                apply(rule, value, &mut head.fields);
            }
        }
    }
}

fn template(rule: &FieldRule) -> Option<&Template> {
    match &rule.change {
        Change::Set(value) | Change::Add(value) | Change::Default(value) => Some(value),
        Change::Remove => None,
    }
}

fn value<'v>(rule: &'v FieldRule, rendered: impl FnOnce() -> Option<&'v str>) -> &'v str {
    let value = template(rule).map(|template| match template.as_text() {
        Some(text) => Some(text),
        None => rendered(),
    });
    value.flatten().unwrap_or_default()
}

fn apply(rule: &FieldRule, value: &str, fields: &mut Fields) {
    let name = &*rule.name;
    match rule.change {
        Change::Remove => fields.remove_all(name),
        Change::Default(_) if fields.values_of(name).next().is_some() => {}
        Change::Set(_) => {
            fields.remove_all(name);
            push(fields, name, value);
        }
        Change::Add(_) | Change::Default(_) => push(fields, name, value),
    }
}

/// A variable that says nothing leaves no field behind.
fn push(fields: &mut Fields, name: &str, value: &str) {
    if !value.is_empty() {
        fields.push(name.as_bytes(), value.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;
    use crate::message::h1::parse_request;

    /// What the rules of a route make of a request and of a response with these fields.
    fn changed(keys: &str, tls: bool, answer: &[(&str, &str)]) -> (Vec<String>, Vec<String>) {
        let text = format!(
            "[[host]]\nnames = [\"*\"]\nresponse_headers = [\"X-Host: h\"]\n\
             [[host.route]]\n{keys}\nupstream = \"127.0.0.1:1\"\n"
        );
        let config = Config::parse(&text, "edge.toml".as_ref()).unwrap_or_else(|e| panic!("{e}"));
        let route = &config.hosts[0].routes[0];
        let request = b"GET /a?b HTTP/1.1\r\nHost: h\r\nX-A: 1\r\nX-A: 2\r\n\r\n";
        let (mut head, _) = parse_request(request, 100).unwrap();
        let peer = Peer::new("192.0.2.7:5".parse().unwrap(), tls.then_some("TLSv1.3"));
        let request_id = RequestId::new();
        let facts = Facts {
            head: &head,
            peer: &peer,
            request_id: &request_id,
            when: None,
        };
        let mut response = Fields::default();
        for (name, value) in answer {
            response.push(name.as_bytes(), value.as_bytes());
        }
        ResponseRules::new(&route.response_rules, &facts).apply(&mut response);
        apply_to_request(
            &route.request_rules,
            &mut head,
            &peer,
            &request_id,
            &route.when,
        );
        let lines = |fields: &Fields| {
            let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
            let line =
                |(_, name, value): (_, &[u8], &[u8])| format!("{}: {}", text(name), text(value));
            fields.iter().map(line).collect()
        };
        (lines(&head.fields), lines(&response))
    }

    #[test]
    fn defaults_are_there_unless_somebody_says_otherwise() {
        let (_, plain) = changed("", false, &[("X-Frame-Options", "SAMEORIGIN")]);
        assert_eq!(
            plain,
            [
                "X-Frame-Options: SAMEORIGIN",
                "x-content-type-options: nosniff",
                "referrer-policy: same-origin",
                "x-host: h",
            ]
        );
        let keys = "response_headers = [\"-X-Frame-Options\", \"Referrer-Policy: no-referrer\", \"-X-Host\"]";
        let (_, tls) = changed(keys, true, &[("Server", "u"), ("x-frame-options", "DENY")]);
        assert_eq!(
            tls,
            [
                "Server: u",
                "strict-transport-security: max-age=31536000",
                "x-content-type-options: nosniff",
                "referrer-policy: no-referrer",
            ]
        );
    }

    #[test]
    fn hsts_is_never_sent_in_the_clear() {
        let keys = "response_headers = [\"Strict-Transport-Security: max-age=1\"]";
        let of_server = [("Strict-Transport-Security", "max-age=2")];
        let has = |lines: &[String], value: &str| lines.iter().any(|line| line.ends_with(value));
        let (_, plain) = changed(keys, false, &of_server);
        assert!(
            !has(&plain, "max-age=1") && !has(&plain, "max-age=2"),
            "{plain:?}"
        );
        let (_, tls) = changed(keys, true, &of_server);
        assert!(has(&tls, "max-age=1") && !has(&tls, "max-age=2"), "{tls:?}");
    }

    #[test]
    fn fields_are_set_added_and_removed() {
        let keys = "request_headers = [\"X-A: {client_ip}\", \"+X-A: {uri}\", \"X-None: {cookie:x}\", \"-X-B\"]\n\
                    response_headers = [\"+Set-Cookie: a={query}\"]";
        let (request, response) = changed(keys, false, &[("Set-Cookie", "b")]);
        assert_eq!(request, ["x-a: 192.0.2.7", "x-a: /a?b"]);
        assert!(response.contains(&"Set-Cookie: b".to_owned()));
        assert!(response.contains(&"set-cookie: a=b".to_owned()));
    }
}
