//! The whole file: what stands outside servers, then the servers.

use std::collections::BTreeSet;
use std::path::PathBuf;

use super::Imported;
use super::auth;
use super::constants::replaced_in_servers;
use super::content;
use super::document::Section;
use super::guards;
use super::limits::Limits;
use super::listen::merged;
use super::moves::is_table;
use super::notes::Notes;
use super::rewrite::simplified;
use super::scope::Scope;
use super::secure;
use super::server::Server;
use super::tree::{Directive, Missing};
use super::upstream::Upstreams;
use super::values::{duration, millis};

/// Directives above `http` that are about the process.
const MAIN: &[&str] = &["worker_processes", "env", "stream", "mail"];

pub(super) fn convert(files: &[PathBuf], trees: &[Directive], missing: &[Missing]) -> Imported {
    let mut http = Vec::new();
    let mut main = Vec::new();
    for directive in &simplified(&replaced_in_servers(trees)) {
        match (&*directive.name, &directive.block) {
            ("http", Some(block)) => http.extend(block.iter().cloned()),
            (name, _) if MAIN.contains(&name) => main.push(directive.clone()),
            _ => http.push(directive.clone()),
        }
    }
    let scope = Scope::new(&http);
    let mut notes = Notes::default();
    let mut top = Section::default();
    let names: Vec<String> = files
        .iter()
        .map(|file| file.display().to_string())
        .collect();
    top.comment(format!("Converted from {}.", names.join(", ")));
    top.comment("Read it, then let `edge check` verify it.");
    for absent in missing {
        let file = absent.file.file_name().unwrap_or_default();
        top.comment(format!(
            "not carried over: {}:{}: include {} ({})",
            file.to_string_lossy(),
            absent.line,
            absent.included.display(),
            absent.cause
        ));
        notes.left_out += 1;
    }
    main_context(&main, &mut top, &mut notes);

    let servers: Vec<Server<'_>> = http
        .iter()
        .filter(|directive| directive.name == "server")
        .map(|directive| Server::new(directive, &scope))
        .collect();
    let mut upstreams = Upstreams::default();
    for directive in http.iter().filter(|directive| directive.name == "upstream") {
        upstreams.add(directive, &mut notes);
    }
    let mut limits = Limits::default();
    for zone in http.iter().filter(|d| is_zone(&d.name)) {
        limits.add_zone(zone, &http, &mut top, &mut notes);
    }
    let scopes: Vec<&Scope<'_>> = servers.iter().map(|server| &server.scope).collect();
    for directive in &http {
        let name = &*directive.name;
        let is_handled = HANDLED.contains(&name)
            || content::NAMES.contains(&name)
            || secure::NAMES.contains(&name)
            || auth::NAMES.contains(&name)
            || limits.is_sparing(directive)
            || is_table(directive, &scopes)
            || is_block_list(directive, &servers);
        match name {
            "location" | "listen" | "server_name" => notes.leave(
                &mut top,
                directive,
                "it belongs to a server: convert the file with the `server` that includes this one",
            ),
            _ if is_handled => {}
            _ => notes.rest(&mut top, directive),
        }
    }

    let mut out = String::new();
    top.write(&mut out);
    for section in [
        listen(&servers),
        timeouts(&scope, &servers),
        tls(&scope, &servers),
        forwarding(&scope, &servers),
        quic(&servers),
        log(&scope, &servers),
    ] {
        if !section.is_empty() {
            section.write(&mut out);
        }
    }
    let mut hosts = Vec::new();
    let mut taken = BTreeSet::new();
    let secure_names: BTreeSet<&String> = servers
        .iter()
        .filter(|server| server.is_secure())
        .flat_map(|server| &server.names)
        .collect();
    // Hosts are on every address, also those of other hosts, which more networks may reach.
    let differ = servers
        .windows(2)
        .any(|pair| pair[0].reach != pair[1].reach);
    // Those with a certificate first: a name belongs to one host, and that is the one. Of others it is
    // one that keeps clients out.
    let (secure, mut plain): (Vec<_>, Vec<_>) =
        servers.iter().partition(|server| server.is_secure());
    let shares = |server: &Server<'_>| {
        let others = servers.iter().filter(|other| !std::ptr::eq(*other, server));
        let mut others = others.filter(|other| !other.is_secure());
        others.any(|other| other.names.iter().any(|name| server.names.contains(name)))
    };
    plain.sort_by_key(|server| !(shares(server) && guards::any(server.scope.own())));
    for mut server in secure.into_iter().chain(plain) {
        let redirecting;
        let in_secure = server.names.iter().all(|name| secure_names.contains(name));
        let is_redirect = !server.is_secure() && server.only_redirects();
        if is_redirect && (in_secure || !secure_names.is_empty()) {
            // Hosts with a certificate redirect by themselves.
            let others = server.names_beyond(&secure_names);
            if others.is_empty() {
                continue;
            }
            if !server.redirects_to_one_host() {
                let mut section = Section::default();
                let reason = format!(
                    "no server with a certificate answers to {}",
                    others.join(", ")
                );
                notes.leave(&mut section, server.directive, &reason);
                hosts.push(section);
                continue;
            }
            redirecting = Server {
                names: others,
                ..server.clone()
            };
            server = &redirecting;
        } else if server.only_closes() || server.only_refuses() {
            continue; // In [listen]; who asks for no host that there is gets no certificate either.
        } else if server.is_local() {
            let mut section = Section::default();
            let reason = "it listens on a Unix socket, or on a name, alone";
            notes.leave(&mut section, server.directive, reason);
            hosts.push(section);
            continue;
        }
        server.write(
            &mut taken,
            &mut upstreams,
            &mut limits,
            &mut notes,
            differ,
            &mut hosts,
        );
    }
    limits.write(&mut out);
    upstreams.write(&mut out);
    for section in hosts {
        section.write(&mut out);
    }
    Imported {
        toml: out,
        left_out: notes.left_out,
        closed: notes.closed,
    }
}

/// Directives of `http` that are looked at by name.
const HANDLED: &[&str] = &[
    "server",
    "upstream",
    "limit_req_zone",
    "limit_conn_zone",
    "limit_req",
    "limit_conn",
    "client_max_body_size",
    "ssl_client_certificate",
    "ssl_verify_client",
    "ssl_crl",
    "ssl_stapling",
    "ssl_stapling_file",
    "ssl_protocols",
    "keepalive_timeout",
    "client_header_timeout",
    "client_body_timeout",
    "send_timeout",
    "access_log",
    "proxy_set_header",
    "add_header",
    "proxy_hide_header",
    "proxy_connect_timeout",
    "proxy_send_timeout",
    "proxy_read_timeout",
    "ssl_certificate",
    "ssl_certificate_key",
    "set_real_ip_from",
    "real_ip_header",
    "real_ip_recursive",
    "quic_retry",
    "error_page",
    "allow",
    "deny",
];

/// Whether all that a `geo` says is which networks are refused.
fn is_block_list(directive: &Directive, servers: &[Server<'_>]) -> bool {
    directive.name == "geo"
        && servers
            .iter()
            .any(|server| server.blocks_by(directive.arg()))
}

fn is_zone(name: &str) -> bool {
    matches!(name, "limit_req_zone" | "limit_conn_zone")
}

fn main_context(main: &[Directive], top: &mut Section, notes: &mut Notes) {
    for directive in main {
        match (&*directive.name, directive.arg().parse::<usize>()) {
            ("worker_processes", Ok(workers)) => top.raw("workers", workers.to_string()),
            ("worker_processes" | "env", _) => {}
            _ => notes.leave(top, directive, "only HTTP is served"),
        }
    }
}

fn listen(servers: &[Server<'_>]) -> Section {
    let mut section = Section::new("[listen]");
    let of = |secure: bool| {
        let all = servers.iter().flat_map(|server| &server.listens);
        let those = all.filter(|listen| listen.secure == secure);
        let addrs = merged(those.map(|listen| listen.addr));
        addrs.iter().map(ToString::to_string).collect::<Vec<_>>()
    };
    let (https, http) = (of(true), of(false));
    section.list("https", &https);
    section.list("http", &http);
    if servers.iter().any(Server::only_closes) {
        section.text("unknown_host", "close");
    }
    let all = servers.iter().flat_map(|server| &server.listens);
    let proxied = merged(
        all.filter(|listen| listen.proxy_protocol)
            .map(|listen| listen.addr),
    );
    let proxied: Vec<String> = proxied
        .iter()
        .map(ToString::to_string)
        .filter(|addr| https.contains(addr) || http.contains(addr))
        .collect();
    let trusts = |server: &Server<'_>| !server.scope.all("set_real_ip_from").is_empty();
    match servers.iter().any(trusts) {
        _ if proxied.is_empty() => {}
        true => section.list("proxy_protocol", &proxied),
        false => section.comment("`proxy_protocol` wants the proxies in [forwarding] `trusted`"),
    }
    section
}

fn timeouts(http: &Scope<'_>, servers: &[Server<'_>]) -> Section {
    let mut section = Section::new("[timeouts]");
    for (directive, key) in [
        ("client_header_timeout", "head"),
        ("client_body_timeout", "body"),
        ("keepalive_timeout", "idle"),
        ("send_timeout", "send"),
    ] {
        let scopes = servers.iter().map(|server| &server.scope).chain([http]);
        let longest = scopes
            .filter_map(|scope| duration(scope.find(directive)?.arg()))
            .max_by_key(|time| millis(time));
        if let Some(time) = longest.filter(|time| millis(time) > 0) {
            section.text(key, &time);
        }
    }
    section
}

/// TLS below 1.3 is left out where no server speaks it.
fn tls(http: &Scope<'_>, servers: &[Server<'_>]) -> Section {
    let mut section = Section::new("[tls]");
    let scopes = servers.iter().map(|server| &server.scope).chain([http]);
    let protocols: Vec<&Directive> = scopes
        .filter_map(|scope| scope.find("ssl_protocols"))
        .collect();
    if !protocols.is_empty() && protocols.iter().all(|d| d.args == ["TLSv1.3"]) {
        section.text("min_version", "1.3");
    }
    section
}

fn forwarding(http: &Scope<'_>, servers: &[Server<'_>]) -> Section {
    let mut section = Section::new("[forwarding]");
    let scopes = || servers.iter().map(|server| &server.scope).chain([http]);
    let trusted: BTreeSet<&str> = scopes()
        .flat_map(|scope| scope.all("set_real_ip_from"))
        .map(Directive::arg)
        .filter(|from| !from.starts_with("unix"))
        .collect();
    if !trusted.is_empty() {
        section.list("trusted", &trusted.into_iter().collect::<Vec<_>>());
        let field = scopes().find_map(|scope| scope.find("real_ip_header"));
        let field = field.map_or("X-Real-IP", Directive::arg);
        let known = ["X-Forwarded-For", "X-Real-IP", "Forwarded"];
        match known.iter().find(|known| known.eq_ignore_ascii_case(field)) {
            Some(known) => section.text("client_field", known),
            None if field.eq_ignore_ascii_case("proxy_protocol") => {}
            None => section.comment(format!(
                "clients are known by X-Forwarded-For instead of {field}: proxies send both"
            )),
        }
    }
    section
}

fn quic(servers: &[Server<'_>]) -> Section {
    let mut section = Section::new("[quic]");
    if servers
        .iter()
        .any(|server| server.scope.is_on("quic_retry"))
    {
        section.text("retry", "always");
    }
    section
}

fn log(http: &Scope<'_>, servers: &[Server<'_>]) -> Section {
    let mut section = Section::new("[log]");
    let scopes = servers.iter().map(|server| &server.scope).chain([http]);
    let mut logs: Vec<&str> = scopes
        .filter_map(|scope| Some(scope.find("access_log")?.arg()))
        .collect();
    logs.dedup();
    if let Some(first) = logs
        .first()
        .filter(|log| **log == "off" || log.starts_with('/'))
    {
        section.text("access", first);
    }
    for other in logs.iter().skip(1) {
        section.comment(format!("all hosts write to one log, not to {other} too"));
    }
    section
}
