//! One exchange with one program, as facts that can be compared.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use rustls::ClientConfig;

use super::front::Front;
use super::origin::{Origin, Seen};
use crate::support::{Client, H2, Response};

/// By name: `status`, `header NAME`, `body`, `seen ...` of what reached the server behind.
pub(super) type Facts = BTreeMap<String, String>;

const PATIENCE: Duration = Duration::from_secs(8);

/// How the request gets there and what is looked at.
#[derive(Clone)]
pub(super) enum Way {
    /// Over plain TCP.
    Plain,
    /// HTTP/1.1 over TLS.
    Tls,
    /// The head over TLS, the rest when an interim answer has come or a second has passed.
    Continue(&'static str),
    /// Over TLS: whether the first event comes before the second is let go.
    Events,
    /// Over TLS: bytes after 101 come back.
    Tunnel,
    /// Over TLS, again and again: whether one is refused after so many, and before the thousandth.
    Often(usize),
    /// HTTP/2: method, path and body.
    H2(&'static str, &'static str, Option<Vec<u8>>),
}

/// A request that is sent to every program.
#[derive(Clone)]
pub(super) struct Case {
    pub(super) name: &'static str,
    pub(super) way: Way,
    pub(super) bytes: Vec<u8>,
}

impl Case {
    /// Sends it; what came back and what got through.
    pub(super) fn facts(&self, front: &Front, origin: &Origin, tls: &Tls) -> Facts {
        origin.take();
        let mut facts = Facts::new();
        match &self.way {
            Way::H2(method, path, body) => {
                let config = Arc::clone(&tls.h2);
                let mut client = H2::connect_using(front.https, "mcp.example.com", config);
                let request = http::Request::builder()
                    .method(*method)
                    .uri(format!("https://mcp.example.com{path}"))
                    .header("user-agent", "tests")
                    .body(())
                    .expect("a valid request");
                let body = body.clone().map(Bytes::from);
                match client.exchange(request, body, PATIENCE) {
                    Ok(response) => describe(&response, &mut facts),
                    Err(reason) => no_answer(&reason, &mut facts),
                }
            }
            _ => match self.connect(front, tls) {
                Ok(client) => self.exchange(client, origin, &mut facts),
                Err(error) => {
                    facts.insert("connection".into(), error.to_string());
                }
            },
        }
        if let Some(seen) = origin.take() {
            seen_facts(&seen, &mut facts);
        }
        facts
    }

    fn connect(&self, front: &Front, tls: &Tls) -> std::io::Result<Client> {
        match self.way {
            Way::Plain => Ok(Client::plain(front.http)),
            _ => Client::tls_using(front.https, tls.name, Arc::clone(&tls.h1)),
        }
    }

    fn exchange(&self, mut client: Client, origin: &Origin, facts: &mut Facts) {
        let is_head = self.bytes.starts_with(b"HEAD ");
        if let Way::Often(burst) = self.way {
            for served in 0..1000 {
                client.send(&self.bytes);
                match client.response_within(is_head, PATIENCE) {
                    Ok(response) if response.status == 200 => {}
                    Ok(response) => {
                        let early = served < burst;
                        facts.insert("refused early".into(), early.to_string());
                        return describe(&response, facts);
                    }
                    Err(reason) => return no_answer(&reason, facts),
                }
            }
            facts.insert("refused early".into(), "never".into());
            return;
        }
        // Whoever answers early may not read on.
        let _ = client.try_send(&self.bytes);
        match &self.way {
            Way::Events => {
                origin.release(false);
                let start = Instant::now();
                let mut held = true;
                while held && start.elapsed() < Duration::from_secs(3) {
                    held = !client.has_read("data: one\n\n", Duration::from_millis(100));
                }
                let when = if held { "held back" } else { "at once" };
                facts.insert("first event".into(), when.into());
                origin.release(true);
            }
            Way::Continue(body) => {
                match client.response_within(false, Duration::from_secs(1)) {
                    Ok(response) => {
                        facts.insert("interim".into(), response.status.to_string());
                        if response.status >= 200 {
                            return describe(&response, facts);
                        }
                    }
                    Err(_) => {
                        facts.insert("interim".into(), "none".into());
                    }
                }
                let _ = client.try_send(body.as_bytes());
            }
            _ => {}
        }
        loop {
            match client.response_within(is_head, PATIENCE) {
                Ok(response) if response.status < 200 && response.status != 101 => {
                    facts.insert("interim".into(), response.status.to_string());
                }
                Ok(response) => {
                    describe(&response, facts);
                    break;
                }
                Err(reason) => return no_answer(&reason, facts),
            }
        }
        if matches!(self.way, Way::Tunnel) && facts["status"] == "101" {
            client.send(b"\x81\x80abcd");
            let back = client.has_read("abcd", Duration::from_secs(5));
            facts.insert("tunnel".into(), format!("echoed: {back}"));
        }
    }
}

/// Configurations of the clients.
pub(super) struct Tls {
    pub(super) name: &'static str,
    pub(super) h1: Arc<ClientConfig>,
    pub(super) h2: Arc<ClientConfig>,
}

fn no_answer(reason: &str, facts: &mut Facts) {
    let word = reason.split(' ').next().unwrap_or_default();
    facts.insert("status".into(), format!("none: {word}"));
    // A part of an answer that never came whole.
    if reason.contains("HTTP/1.1 200 OK") {
        facts.insert("status".into(), "200, cut off".into());
    }
}

/// Values that differ from one exchange to the next are only there or not.
fn masked(name: &str, value: &str) -> String {
    match name {
        "x-request-id" => "ID".into(),
        "date" if !value.contains("1994") => "NOW".into(),
        _ => value.to_owned(),
    }
}

fn add(facts: &mut Facts, key: String, value: String) {
    facts
        .entry(key)
        .and_modify(|all| {
            all.push_str(" | ");
            all.push_str(&value);
        })
        .or_insert(value);
}

fn describe(response: &Response, facts: &mut Facts) {
    facts.insert("status".into(), response.status.to_string());
    let length = response.body.len().to_string();
    for (name, value) in &response.headers {
        if name == "content-length" && *value == length {
            continue; // It says what the body is.
        }
        add(facts, format!("header {name}"), masked(name, value));
    }
    for (name, value) in &response.trailers {
        add(facts, format!("trailer {name}"), value.clone());
    }
    facts.insert("body".into(), shown(&response.body));
}

fn seen_facts(seen: &Seen, facts: &mut Facts) {
    facts.insert("seen line".into(), seen.line.clone());
    facts.insert("seen body".into(), shown(&seen.body));
    if seen.is_chunked {
        facts.insert("seen framing".into(), "chunked".into());
    }
    for (name, value) in &seen.fields {
        // nginx writes names as its configuration does; they mean the same.
        let lower = name.to_ascii_lowercase();
        add(facts, format!("seen {lower}"), masked(&lower, value));
        if name.starts_with("x-CuStOm") {
            facts.insert("seen case of names".into(), "kept".into());
        }
    }
}

fn shown(body: &[u8]) -> String {
    let text = String::from_utf8_lossy(body);
    match text.len() {
        _ if text.contains("<center>nginx") => "a page by nginx".to_owned(),
        0..200 => text.into_owned(),
        n => format!("{n} bytes"),
    }
}

/// What differs, in the order of the names.
pub(super) fn differences(nginx: &Facts, edge: &Facts) -> Vec<(String, String, String)> {
    let names: std::collections::BTreeSet<&String> = nginx.keys().chain(edge.keys()).collect();
    let value = |facts: &Facts, name: &String| facts.get(name).map_or("-", |v| v).to_owned();
    names
        .into_iter()
        .map(|name| (name.clone(), value(nginx, name), value(edge, name)))
        .filter(|(_, nginx, edge)| nginx != edge)
        .collect()
}
