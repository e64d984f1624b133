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
    groups: BTreeMap<String, Group>,
    /// The longest timeout that a location wants, by upstream and key: ours belong to the upstream.
    timeouts: BTreeMap<(String, &'static str), String>,
}

/// The servers of an upstream and what is said of them.
#[derive(Clone, Debug, Default)]
struct Group {
    servers: Vec<Server>,
    rest: Section,
    /// Of `[upstream.NAME.tls]`; `None` where they speak plain HTTP.
    tls: Option<Section>,
    /// Some location passes requests to it as it stands here.
    is_used: bool,
    /// Some location passes requests to its servers over TLS.
    is_copied: bool,
}

/// One server.
#[derive(Clone, Debug)]
struct Server {
    address: String,
    /// More keys, with a comma before each.
    extra: String,
}

impl Upstreams {
    /// Converts an `upstream` block.
    pub(super) fn add(&mut self, directive: &Directive, notes: &mut Notes) {
        let name = ours(directive.arg());
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
                "hash" => match hash_key(value) {
                    Some(key) => {
                        rest.text("policy", "hash");
                        rest.text("hash_key", &key);
                    }
                    None => notes.rest(&mut rest, inner),
                },
                _ => notes.rest(&mut rest, inner),
            }
        }
        let group = Group {
            servers,
            rest,
            ..Group::default()
        };
        self.groups.insert(name, group);
    }

    /// The name or address to write for the server part of a `proxy_pass`.
    pub(super) fn resolve(&mut self, server: &str) -> (String, Option<String>) {
        let name = ours(server);
        if let Some(group) = self.groups.get_mut(&name) {
            group.is_used = true;
            return (name.clone(), Some(name));
        }
        if server.starts_with("unix:") {
            return (server.to_owned(), None);
        }
        (format!("http://{}", with_port(server)), None)
    }

    /// The same for servers that are reached over TLS: an upstream with these keys.
    pub(super) fn resolve_tls(
        &mut self,
        server: &str,
        keys: impl FnOnce(Option<&str>) -> Section,
    ) -> String {
        let name = ours(server);
        let (mut group, tls) = match self.groups.get_mut(&name) {
            Some(pool) => {
                pool.is_copied = true;
                (pool.clone(), keys(Some(server)))
            }
            None => {
                let address = with_port_or(server, 443);
                let extra = String::new();
                let group = Group {
                    servers: vec![Server { address, extra }],
                    ..Group::default()
                };
                (group, keys(None))
            }
        };
        for server in &mut group.servers {
            server.address = match server.address.strip_suffix(":80") {
                // What is written without a port is asked on that of the scheme.
                Some(host) => format!("https://{host}:443"),
                None => format!("https://{}", server.address),
            };
        }
        group.tls = Some(tls);
        (group.is_used, group.is_copied) = (true, false);
        // Other keys make another one.
        let mut name = format!("{name}_tls");
        while let Some(known) = self.groups.get(&name) {
            if known.tls == group.tls {
                return name;
            }
            name.push('_');
        }
        self.groups.insert(name.clone(), group);
        name
    }

    /// The same for servers that speak HTTP/2 without being asked.
    pub(super) fn resolve_h2(&mut self, server: &str) -> String {
        let name = ours(server);
        let mut group = match self.groups.get_mut(&name) {
            Some(pool) => {
                pool.is_copied = true;
                pool.clone()
            }
            None => {
                let address = match server.starts_with("unix:") {
                    true => server.to_owned(),
                    false => with_port(server),
                };
                let extra = String::new();
                Group {
                    servers: vec![Server { address, extra }],
                    ..Group::default()
                }
            }
        };
        group.rest.text("protocol", "h2");
        (group.is_used, group.is_copied) = (true, false);
        let name = format!("{name}_h2");
        self.groups.insert(name.clone(), group);
        name
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
            if let Some(group) = self.groups.get_mut(name) {
                group.rest.text(key, time);
            }
        }
        // One that is only reached over TLS stands there under its other name.
        let wanted = |group: &&Group| group.is_used || !group.is_copied;
        for (name, group) in self.groups.iter().filter(|(_, group)| wanted(group)) {
            let name = key(name);
            let mut section = Section::new(format!("[upstream.{name}]"));
            let servers: Vec<String> = group.servers.iter().map(Server::written).collect();
            section.raw("servers", format!("[{}]", servers.join(", ")));
            section.append(group.rest.clone());
            section.write(out);
            if let Some(tls) = group.tls.as_ref().filter(|tls| !tls.is_empty()) {
                let mut section = Section::new(format!("[upstream.{name}.tls]"));
                section.append(tls.clone());
                section.write(out);
            }
        }
    }
}

/// What a `hash` goes by, in our words.
fn hash_key(text: &str) -> Option<String> {
    // The host is the same for a route, or makes no worse a hash.
    let rest = ["$scheme", "$proxy_host", "$host", "$http_host"]
        .iter()
        .fold(text, |rest, name| match rest.strip_prefix(name) {
            Some(after) if after.starts_with('$') => after,
            _ => rest,
        });
    let is_name = |name: &str| {
        !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
    };
    match rest {
        "$remote_addr" | "$binary_remote_addr" => Some("address".to_owned()),
        "$request_uri" | "$uri$is_args$args" => Some("uri".to_owned()),
        "$uri" | "$document_uri" => Some("path".to_owned()),
        _ => {
            let field = rest.strip_prefix("$http_").filter(|name| is_name(name));
            let cookie = rest.strip_prefix("$cookie_").filter(|name| is_name(name));
            let field = field.map(|name| format!("header:{}", name.replace('_', "-")));
            field.or_else(|| cookie.map(|name| format!("cookie:{name}")))
        }
    }
}

/// One server; `None` for one that is switched off.
fn server(directive: &Directive, section: &mut Section, notes: &mut Notes) -> Option<Server> {
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
                // 0 is how nginx is told to ask a server again at once.
                if let Some(time) = duration(time).filter(|time| millis(time) > 0) {
                    section.set("eject_time", &text(&time));
                }
            }
            _ => notes.leave(section, directive, &format!("`{arg}` has no counterpart")),
        }
    }
    Some(Server { address, extra })
}

impl Server {
    /// As TOML.
    fn written(&self) -> String {
        let Server { address, extra } = self;
        match extra.is_empty() {
            true => text(address),
            false => format!("{{ address = {}{extra} }}", text(address)),
        }
    }
}

/// A server without a port is asked on 80.
fn with_port(host: &str) -> String {
    with_port_or(host, 80)
}

/// An address that nobody can connect to is taken for this machine, as the kernel does.
fn with_port_or(host: &str, port: u16) -> String {
    let (any, this) = match host.starts_with('[') {
        true => ("[::]", "[::1]"),
        false => ("0.0.0.0", "127.0.0.1"),
    };
    let host = match host.strip_prefix(any) {
        Some(rest) if rest.is_empty() || rest.starts_with(':') => &format!("{this}{rest}"),
        _ => host,
    };
    let after_bracket = host.rsplit(']').next().unwrap_or(host);
    match after_bracket.contains(':') {
        true => host.to_owned(),
        false => format!("{host}:{port}"),
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

#[cfg(test)]
mod tests {
    use super::with_port;

    #[test]
    fn servers_without_a_port_or_of_any_address() {
        for (nginx, ours) in [
            ("app", "app:80"),
            ("[::1]", "[::1]:80"),
            ("0.0.0.0:5000", "127.0.0.1:5000"),
            ("[::]:5000", "[::1]:5000"),
            ("[::]", "[::1]:80"),
            ("0.0.0.0.example:1", "0.0.0.0.example:1"),
        ] {
            assert_eq!(with_port(nginx), ours);
        }
    }
}
