//! What templates can say about a request, and how it is made safe for where it goes.
//!
//! A value in a header field can hold no line end, whatever a client sent: every byte that may not
//! stand in a field is left out here, at the one place where text is put together. A value in a URL
//! is percent-encoded, except the parts of a path, which are in that form already.

use std::fmt::Write as _;

use super::exchange::Peer;
use super::request_id::RequestId;
use crate::config::{PathMatch, Piece, RouteMatch, Template, Variable};
use crate::message::RequestHead;

/// A request, as templates see it.
pub(super) struct Facts<'a> {
    pub(super) head: &'a RequestHead,
    pub(super) peer: &'a Peer,
    pub(super) request_id: &'a RequestId,
    /// The conditions of its route, if it has one.
    pub(super) when: Option<&'a RouteMatch>,
}

/// Where a rendered text goes.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Into {
    Field,
    Url,
}

impl Facts<'_> {
    /// The value of a header field.
    pub(super) fn field_value(&self, template: &Template) -> String {
        let mut text = self.render(template, Into::Field);
        text.retain(|c| !c.is_control());
        match text.trim_ascii().len() == text.len() {
            true => text,
            false => text.trim_ascii().to_owned(),
        }
    }

    /// A URL or the path and query of one.
    pub(super) fn url(&self, template: &Template) -> String {
        let text = self.render(template, Into::Url);
        // `//host` is another server to a browser, however many slashes there are.
        let slashes = text.bytes().take_while(|b| *b == b'/').count();
        match slashes {
            0 | 1 => text,
            more => text[more - 1..].to_owned(),
        }
    }

    /// Where a client is sent: without the `?` of a `?{query}` that there is not, and with no backslash
    /// of a query, which browsers take for a slash.
    pub(super) fn location(&self, template: &Template) -> String {
        let mut url = self.url(template).replace('\\', "%5C");
        if url.ends_with('?') {
            url.pop();
        }
        url
    }

    fn render(&self, template: &Template, into: Into) -> String {
        let mut out = String::new();
        for piece in &template.pieces {
            match piece {
                Piece::Text(text) => out.push_str(text),
                Piece::Variable(variable) => self.put(&mut out, variable, into),
            }
        }
        out
    }

    fn put(&self, out: &mut String, variable: &Variable, into: Into) {
        let target = &self.head.target;
        match variable {
            // Infallible: writing to a string.
            Variable::ClientIp => {
                let _ = write!(out, "{}", self.peer.addr.ip().to_canonical());
            }
            Variable::ClientPort if self.peer.addr.port() == 0 => {}
            Variable::ClientPort => {
                let _ = write!(out, "{}", self.peer.addr.port());
            }
            Variable::Host => out.push_str(self.head.authority.url_host()),
            Variable::Port => out.push_str(self.head.authority.port()),
            Variable::Scheme => out.push_str(self.peer.scheme()),
            Variable::Method => out.push_str(self.head.method.as_str()),
            Variable::Path => out.push_str(target.path()),
            Variable::Query => out.push_str(target.query().unwrap_or_default()),
            Variable::Uri => out.push_str(target.as_str()),
            Variable::Rest => out.push_str(self.rest()),
            Variable::RequestId => foreign(out, self.request_id.as_bytes(), into),
            Variable::User => {
                let user = self.peer.user().unwrap_or_default();
                foreign(out, user.as_bytes(), into);
            }
            Variable::Claim(name) => {
                let value = self.peer.claim(name).unwrap_or_default();
                foreign(out, value.as_bytes(), into);
            }
            Variable::TlsVersion => out.push_str(self.peer.tls.unwrap_or_default()),
            Variable::Header(name) => {
                let value = self.head.fields.values_of(name).next();
                foreign(out, value.unwrap_or_default(), into);
            }
            Variable::Cookie(name) => {
                foreign(out, self.head.fields.cookie(name).unwrap_or_default(), into);
            }
            Variable::Group(number) => {
                if let Some(PathMatch::Regex(regex)) = self.when.map(|when| &when.path)
                    && let Some(groups) = regex.captures(target.routing_path().as_bytes())
                    && let Some(group) = groups.get(*number)
                {
                    out.push_str(&String::from_utf8_lossy(group.as_bytes()));
                }
            }
        }
    }

    /// What follows the path of the route: nothing, or something that starts with a slash, unless
    /// an expression ends elsewhere.
    pub(super) fn rest(&self) -> &str {
        let target = &self.head.target;
        let Some(when) = self.when else {
            return "";
        };
        match &when.path {
            PathMatch::Prefix(prefix) => {
                let stem = prefix.strip_suffix('/').unwrap_or(prefix);
                let after = |path| {
                    str::strip_prefix(path, stem)
                        .filter(|rest| rest.is_empty() || rest.starts_with('/'))
                };
                after(target.path())
                    .or_else(|| after(target.routing_path()))
                    .unwrap_or_default()
            }
            PathMatch::Exact(_) => "",
            PathMatch::Regex(regex) => {
                let path = target.routing_path();
                let end = regex
                    .find(path.as_bytes())
                    .map_or(path.len(), |found| found.end());
                path.get(end..).unwrap_or_default()
            }
        }
    }
}

/// Bytes that a client chose freely.
fn foreign(out: &mut String, bytes: &[u8], into: Into) {
    match into {
        Into::Field => out.push_str(&String::from_utf8_lossy(bytes)),
        Into::Url => {
            for &byte in bytes {
                if byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'.' | b'_' | b'~') {
                    out.push(byte as char);
                } else {
                    let _ = write!(out, "%{byte:02X}");
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{Action, Config};
    use crate::message::h1::parse_request;

    /// What a route with these conditions makes of a template: in a field and in a URL.
    fn rendered(path: &str, request: &str, template: &str) -> (String, String) {
        let text = format!(
            "[[host]]\nnames = [\"*\"]\n[[host.route]]\n{path}\nredirect = 'https://{{host}}/{template}'\n"
        );
        let config = Config::parse(&text, "edge.toml".as_ref()).unwrap_or_else(|e| panic!("{e}"));
        let route = &config.hosts[0].routes[0];
        let Action::Redirect(redirect) = &route.action else {
            panic!("it redirects")
        };
        let (head, _) = parse_request(request.as_bytes(), 100).unwrap();
        let facts = Facts {
            head: &head,
            peer: &Peer::new("[::ffff:192.0.2.7]:5555".parse().unwrap(), Some("TLSv1.3")),
            request_id: &RequestId::new(),
            when: Some(&route.when),
        };
        let cut = |text: String| text.strip_prefix("https://h/").map(str::to_owned).unwrap();
        (
            cut(facts.field_value(&redirect.to)),
            cut(facts.location(&redirect.to)),
        )
    }

    #[test]
    fn every_variable() {
        let request = "POST /a/b%20c?x=1&y HTTP/1.1\r\nHost: H:8443\r\nX-Id:  7 8 \r\nCookie: a=1; sid=s3;b=2\r\n\r\n";
        let both = |template| rendered("path = \"/a\"", request, template);
        let (field, url) =
            both("{client_ip} {client_port} {host} {port} {scheme} {method} {tls_version}");
        assert_eq!(field, "192.0.2.7 5555 h 8443 https POST TLSv1.3");
        assert_eq!(field, url);
        assert_eq!(
            both("{path}|{query}|{uri}|{rest}").0,
            "/a/b%20c|x=1&y|/a/b%20c?x=1&y|/b%20c"
        );
        assert_eq!(
            both("{header:x-id}{cookie:sid}{cookie:id}{header:none}").0,
            "7 8s3"
        );
        assert_eq!(both("{header:x-id}").1, "7%208");
        assert_eq!(both("{request_id}").0.len(), 36);
        let groups = rendered("regex = '^/a/(.).(..)'", request, "{2}{1}{rest}");
        assert_eq!(groups.0, "20b".to_owned() + "c");
        let asked = |query: &str| {
            let request = format!("GET /a/b{query} HTTP/1.1\r\nHost: h\r\n\r\n");
            rendered("regex = '^/a/(.*)$'", &request, "{1}?{query}").1
        };
        assert_eq!(asked("?x=1"), "b?x=1");
        assert_eq!((asked(""), asked("?")), ("b".to_owned(), "b".to_owned()));
    }

    #[test]
    fn nothing_a_client_sends_ends_a_line() {
        // Control characters do not get past the parser; should one ever, it ends here.
        let (head, _) = parse_request(b"GET / HTTP/1.1\r\nHost: h\r\nA: x\r\n\r\n", 100).unwrap();
        let mut fields = head.fields.clone();
        fields.push(b"evil", b"a\r\nSet-Cookie: b\0\x7f\x1b");
        let head = RequestHead { fields, ..head };
        let when = RouteMatch {
            path: PathMatch::Prefix("/".into()),
            methods: Vec::new(),
            fields: Vec::new(),
        };
        let facts = Facts {
            head: &head,
            peer: &Peer::new("192.0.2.7:5".parse().unwrap(), None),
            request_id: &RequestId::new(),
            when: Some(&when),
        };
        let template = Template {
            pieces: vec![Piece::Variable(Variable::Header("evil".into()))],
        };
        assert_eq!(facts.field_value(&template), "aSet-Cookie: b");
        assert_eq!(facts.url(&template), "a%0D%0ASet-Cookie%3A%20b%00%7F%1B");
    }

    #[test]
    fn a_path_never_becomes_a_host() {
        let sent = |path: &str, template: &str| {
            let text = format!(
                "[[host]]\nnames = [\"*\"]\n[[host.route]]\npath = \"/go\"\nredirect = \"{template}\"\n"
            );
            let config =
                Config::parse(&text, "edge.toml".as_ref()).unwrap_or_else(|e| panic!("{e}"));
            let route = &config.hosts[0].routes[0];
            let Action::Redirect(redirect) = &route.action else {
                panic!("it redirects")
            };
            let request = format!("GET {path} HTTP/1.1\r\nHost: h\r\n\r\n");
            let (head, _) = parse_request(request.as_bytes(), 100).unwrap();
            let facts = Facts {
                head: &head,
                peer: &Peer::new("192.0.2.7:5".parse().unwrap(), None),
                request_id: &RequestId::new(),
                when: Some(&route.when),
            };
            facts.location(&redirect.to)
        };
        let rest = |path| sent(path, "{rest}");
        assert_eq!(sent("/go?\\evil.example", "/{query}"), "/%5Cevil.example");
        assert_eq!(sent("/go?//evil.example", "/{query}"), "/evil.example");
        assert_eq!(rest("/go//evil.example"), "/evil.example");
        assert_eq!(rest("/go///evil.example"), "/evil.example");
        assert_eq!(rest("//go/x"), "/x");
    }
}
