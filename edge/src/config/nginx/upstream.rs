//! `upstream` blocks and what locations say about the servers behind them.

use std::collections::BTreeMap;

use super::document::{Section, key, text};
use super::notes::Notes;
use super::scope::Scope;
use super::tree::Directive;
use super::values::{duration, millis};

/// Everything that requests are passed on to.
#[derive(Debug, Default)]
pub(super) struct Upstreams {
    /// By the name in the result.
    sections: BTreeMap<String, Section>,
    /// The longest timeout that a location wants, by upstream and key: ours belong to the upstream.
    timeouts: BTreeMap<(String, &'static str), String>,
}

impl Upstreams {
    /// Converts an `upstream` block.
    pub(super) fn add(&mut self, directive: &Directive, notes: &mut Notes) {
        let name = ours(directive.arg());
        let mut section = Section::new(format!("[upstream.{}]", key(&name)));
        let mut servers = Vec::new();
        let mut rest = Section::default();
        for inner in directive.block.iter().flatten() {
            let value = inner.arg();
            match &*inner.name {
                "server" => match server(inner, &mut rest, notes) {
                    Some(server) => servers.push(server),
                    None => rest.comment(format!("server {value} is marked `down`")),
                },
                "keepalive" => rest.raw("idle_max", value),
                "keepalive_timeout" => {
                    if let Some(time) = duration(value) {
                        rest.text("idle_timeout", &time);
                    }
                }
                "ip_hash" => rest.text("policy", "hash"),
                "hash" if value == "$remote_addr" || value == "$binary_remote_addr" => {
                    rest.text("policy", "hash");
                }
                "hash" if value.starts_with("$http_") => {
                    rest.text("policy", "hash");
                    rest.text("hash_field", &value["$http_".len()..].replace('_', "-"));
                }
                _ => notes.rest(&mut rest, inner),
            }
        }
        section.raw("servers", format!("[{}]", servers.join(", ")));
        section.append(rest);
        self.sections.insert(name, section);
    }

    /// The name or address to write for the server part of a `proxy_pass`.
    pub(super) fn resolve(&self, server: &str) -> (String, Option<String>) {
        let name = ours(server);
        if self.sections.contains_key(&name) {
            return (name.clone(), Some(name));
        }
        if server.starts_with("unix:") {
            return (server.to_owned(), None);
        }
        (format!("http://{}", with_port(server)), None)
    }

    /// Notes the timeouts in force where requests go to an upstream.
    pub(super) fn timeouts(&mut self, name: &str, scope: &Scope<'_>) {
        for (directive, key) in [
            ("proxy_connect_timeout", "connect_timeout"),
            ("proxy_send_timeout", "send_timeout"),
        ] {
            let wanted = scope.find(directive).and_then(|d| duration(d.arg()));
            let Some(wanted) = wanted else { continue };
            let longest = self.timeouts.entry((name.to_owned(), key)).or_default();
            if longest.is_empty() || millis(longest) < millis(&wanted) {
                *longest = wanted;
            }
        }
    }

    pub(super) fn write(mut self, out: &mut String) {
        for ((name, key), time) in &self.timeouts {
            if let Some(section) = self.sections.get_mut(name) {
                section.text(key, time);
            }
        }
        for section in self.sections.values() {
            section.write(out);
        }
    }
}

/// One server; `None` for one that is switched off.
fn server(directive: &Directive, section: &mut Section, notes: &mut Notes) -> Option<String> {
    let address = match directive.arg() {
        unix if unix.starts_with("unix:") => unix.to_owned(),
        host => with_port(host),
    };
    let mut extra = String::new();
    for arg in directive.args.iter().skip(1) {
        match arg.split_once('=') {
            None if arg == "down" => return None,
            None if arg == "backup" => extra.push_str(", backup = true"),
            None if arg == "resolve" => {}
            Some(("weight", weight)) => extra.push_str(&format!(", weight = {weight}")),
            Some(("max_conns", most)) if most != "0" => section.set("max_connections", most),
            Some(("max_fails", fails)) if fails != "0" => section.set("eject_after", fails),
            Some(("fail_timeout", time)) => {
                if let Some(time) = duration(time) {
                    section.set("eject_time", &text(&time));
                }
            }
            _ => notes.leave(section, directive, &format!("`{arg}` has no counterpart")),
        }
    }
    Some(match extra.is_empty() {
        true => text(&address),
        false => format!("{{ address = {}{extra} }}", text(&address)),
    })
}

/// A server without a port is asked on 80.
fn with_port(host: &str) -> String {
    let after_bracket = host.rsplit(']').next().unwrap_or(host);
    match after_bracket.contains(':') {
        true => host.to_owned(),
        false => format!("{host}:80"),
    }
}

/// A name as ours may be.
fn ours(name: &str) -> String {
    let plain = |c: char| match c.is_ascii_alphanumeric() || c == '-' || c == '_' {
        true => c,
        false => '_',
    };
    name.chars().map(plain).collect()
}
