//! What a request would hit and why, told from a configuration without sending anything.
//!
//! The question goes through the same parser, router and rewriting as a request does.

use std::fmt::Write as _;

use http::Method;
use serde::Serialize;

use super::exchange::Peer;
use super::facts::Facts;
use super::guard::is_acme_challenge;
use super::matching::Taken;
use super::request_id::RequestId;
use super::rewrite::rewritten;
use super::router::{Match, Router};
use crate::config::{Action, Config, Route};
use crate::message::RequestHead;
use crate::message::h1::parse_request;

/// A request that might be made.
#[derive(Clone, Debug)]
pub struct Question {
    /// Its method.
    pub method: Method,
    /// Its URL.
    pub url: String,
    /// Its fields, each as `Name: value`.
    pub fields: Vec<String>,
}

/// What would become of it.
#[derive(Clone, Debug, Serialize)]
pub struct Explanation {
    /// The method.
    pub method: String,
    /// The host asked for.
    pub host: String,
    /// The names of the `[[host]]` that answers to it.
    pub host_names: Option<Vec<String>>,
    /// Path and query as they would be sent on.
    pub target: String,
    /// The path that routes are compared with.
    pub routing_path: String,
    /// Every route of the host, in the order in which they are tried.
    pub routes: Vec<Candidate>,
    /// What the client would get.
    pub outcome: String,
}

/// A route of the host.
#[derive(Clone, Debug, Serialize)]
pub struct Candidate {
    /// Its position among all routes of the file, from 1.
    pub number: usize,
    /// Its path, methods and fields.
    pub route: String,
    /// What it does.
    pub action: String,
    /// Whether it takes the request.
    pub takes: bool,
    /// Why it does not, or that another comes first.
    pub why: String,
}

/// Why a question has no answer.
#[derive(Debug, thiserror::Error)]
pub enum QuestionError {
    /// The URL is not absolute.
    #[error("{0:?} is not a URL; write https://host/path")]
    Url(String),
    /// The request would be refused as malformed.
    #[error("edge would refuse this request with {status}: {reason}")]
    Malformed {
        /// The answer.
        status: u16,
        /// Why.
        reason: String,
    },
}

/// Answers a question.
pub fn explain(config: &Config, question: &Question) -> Result<Explanation, QuestionError> {
    let bad_url = || QuestionError::Url(question.url.clone());
    let (secure, rest) = match question.url.split_once("://") {
        Some(("https", rest)) => (true, rest),
        Some(("http", rest)) => (false, rest),
        _ => return Err(bad_url()),
    };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let path = path.split('#').next().unwrap_or_default();
    let slash = if path.starts_with('/') { "" } else { "/" };
    let mut text = format!(
        "{} {slash}{path} HTTP/1.1\r\nHost: {authority}\r\n",
        question.method
    );
    for field in &question.fields {
        // Infallible: writing to a string.
        let _ = write!(text, "{}\r\n", field.replace(['\r', '\n'], " "));
    }
    text.push_str("\r\n");
    let (head, _) = parse_request(text.as_bytes(), config.bounds.head_fields).map_err(|error| {
        QuestionError::Malformed {
            status: error.status().as_u16(),
            reason: error.to_string(),
        }
    })?;
    Ok(told(config, &head, secure))
}

fn told(config: &Config, head: &RequestHead, secure: bool) -> Explanation {
    let router = Router::new(&config.hosts);
    let found = router.find(head);
    let chosen = match found {
        Match::Route { number, .. } => Some(number),
        _ => None,
    };
    let site = router.site(head.authority.host());
    let candidates = site.into_iter().flat_map(|site| site.candidates(head));
    let routes = candidates
        .map(|(number, route, taken)| Candidate {
            number: number + 1,
            route: conditions(route),
            action: action(config, route),
            takes: matches!(taken, Taken::Yes | Taken::Announced),
            why: match taken {
                Taken::Yes if chosen == Some(number) => "chosen".to_owned(),
                Taken::Announced if chosen == Some(number) => {
                    "chosen: may take the request that this asks about".to_owned()
                }
                Taken::Yes => "would take it, but comes later".to_owned(),
                Taken::Announced => {
                    "may take what this asks about, but another is asked".to_owned()
                }
                Taken::OtherPath => "another path".to_owned(),
                Taken::OtherMethod => format!("not for {}", head.method),
                Taken::OtherField(field) => format!("wants {field}"),
            },
        })
        .collect();
    Explanation {
        method: head.method.to_string(),
        host: head.authority.as_str().to_owned(),
        host_names: site.map(|site| {
            let names = &config.hosts[site.number].names;
            names.iter().map(ToString::to_string).collect()
        }),
        target: head.target.as_str().to_owned(),
        routing_path: head.target.routing_path().to_owned(),
        routes,
        outcome: outcome(config, head, found, secure),
    }
}

fn conditions(route: &Route) -> String {
    let mut text = route.when.path.to_string();
    for method in &route.when.methods {
        let _ = write!(text, " {method}");
    }
    for field in &route.when.fields {
        let _ = write!(text, " [{field}]");
    }
    text
}

fn action(config: &Config, route: &Route) -> String {
    let mut text = match &route.action {
        Action::Proxy(proxy) => {
            let upstream = format!("upstream {}", config.upstreams[proxy.upstream.0].name);
            match &proxy.files {
                Some(files) => format!("files {}, what is none: {upstream}", files.root.display()),
                None => upstream,
            }
        }
        Action::Redirect(redirect) => format!("redirect {}", redirect.status.as_u16()),
        Action::Files(files) => format!("files {}", files.root.display()),
        Action::Respond(respond) if respond.is_none() => "no answer".to_owned(),
        Action::Respond(respond) => format!("respond {}", respond.status.as_u16()),
    };
    let cached = matches!(&route.action, Action::Proxy(proxy) if proxy.cache.is_some());
    for (is_on, what) in [
        (cached, ", cached"),
        (route.compress.is_some(), ", compressed"),
    ] {
        if is_on {
            text.push_str(what);
        }
    }
    text
}

fn outcome(config: &Config, head: &RequestHead, found: Match<'_>, secure: bool) -> String {
    let has_certificate = found.site().is_some_and(|site| site.has_certificate);
    if matches!(found, Match::UnknownHost) {
        return match config.listen.close_unknown {
            true => "no [[host]] answers to this name: the connection is closed".to_owned(),
            false => "no [[host]] answers to this name: 421".to_owned(),
        };
    }
    if secure && !has_certificate {
        return "this host has no certificate, so it is reached over plain HTTP only".to_owned();
    }
    let to_https = config.listen.redirect && !config.listen.https.is_empty();
    if !secure && has_certificate && to_https && !is_acme_challenge(head) {
        return "redirect to https, whatever the route".to_owned();
    }
    let route = match found {
        Match::Route { route, .. } => route,
        Match::OtherMethod(site) => return format!("405, allow: {}", site.allowed(head)),
        Match::NoRoute(_) | Match::UnknownHost => return "404: no route takes it".to_owned(),
    };
    let peer = Peer::new(([192, 0, 2, 1], 1).into(), secure.then_some("TLSv1.3"));
    let facts = Facts {
        head,
        peer: &peer,
        request_id: &RequestId::new(),
        when: Some(&route.when),
    };
    let mut text = action(config, route);
    match &route.action {
        Action::Proxy(proxy) => match rewritten(&proxy.rewrite, &facts) {
            Ok(Some(target)) => {
                let _ = write!(text, ", asked for {}", target.as_str());
            }
            Ok(None) => {}
            Err(error) => {
                let _ = write!(text, ", but rewriting fails, 400: {error}");
            }
        },
        Action::Redirect(redirect) => {
            let _ = write!(text, " to {}", facts.location(&redirect.to));
        }
        Action::Files(_) | Action::Respond(_) => {}
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEXT: &str = r#"
[[host]]
names = ["a.example", "*.b.example"]
certificate = "c.pem"
key = "k.pem"
[[host.route]]
path = "/mcp"
methods = ["POST"]
upstream = "http://127.0.0.1:8000"
strip_prefix = true
cache = true
compress = true
[[host.route]]
exact = "/mcp"
headers = ["X-Beta"]
respond = 503
[[host.route]]
path = "/old"
redirect = "https://{host}/new{rest}"
status = 301
"#;

    fn told(method: &str, url: &str, fields: &[&str]) -> String {
        let config = Config::parse(TEXT, "edge.toml".as_ref()).unwrap_or_else(|e| panic!("{e}"));
        let question = Question {
            method: Method::from_bytes(method.as_bytes()).unwrap(),
            url: url.to_owned(),
            fields: fields.iter().map(|field| (*field).to_owned()).collect(),
        };
        match explain(&config, &question) {
            Ok(explanation) => explanation.outcome,
            Err(error) => error.to_string(),
        }
    }

    #[test]
    fn outcomes() {
        assert_eq!(
            told("POST", "https://a.example/mcp/x?q", &[]),
            "upstream 127.0.0.1:8000, cached, compressed, asked for /x?q"
        );
        assert_eq!(
            told("POST", "https://a.example/mcp", &["x-beta: 1"]),
            "respond 503"
        );
        assert_eq!(
            told("GET", "https://x.b.example//old/x", &[]),
            "redirect 301 to https://x.b.example/new/x"
        );
        assert_eq!(
            told("GET", "https://a.example/mcp", &[]),
            "405, allow: POST"
        );
        assert_eq!(
            told("GET", "https://a.example", &[]),
            "404: no route takes it"
        );
        assert_eq!(
            told("GET", "http://a.example/old", &[]),
            "redirect to https, whatever the route"
        );
        assert_eq!(
            told("GET", "http://a.example/.well-known/acme-challenge/x", &[]),
            "404: no route takes it"
        );
        assert_eq!(
            told("GET", "https://c.example/", &[]),
            "no [[host]] answers to this name: 421"
        );
        assert_eq!(
            told("GET", "a.example/", &[]),
            "\"a.example/\" is not a URL; write https://host/path"
        );
        assert_eq!(
            told("GET", "https://a.example/x/..;/y", &[]),
            "edge would refuse this request with 400: request target has no valid form"
        );
    }
}
