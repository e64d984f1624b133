//! `server` blocks, as hosts.

use std::collections::BTreeSet;

use super::access::{Networks, access, blocked};
use super::auth;
use super::content;
use super::document::Section;
use super::fields::Rules;
use super::guards;
use super::limits::Limits;
use super::listen::{Listen, reach};
use super::location::Routes;
use super::notes::Notes;
use super::pages::pages;
use super::scope::Scope;
use super::secure;
use super::tree::Directive;
use super::upstream::Upstreams;

/// What nginx takes of a body when nobody says.
const BODY_MAX_DEFAULT: &str = "1MiB";

/// A server and what decides whether it becomes a host.
#[derive(Clone)]
pub(super) struct Server<'a> {
    pub(super) directive: &'a Directive,
    pub(super) scope: Scope<'a>,
    pub(super) listens: Vec<Listen>,
    /// Names as ours are written.
    pub(super) names: Vec<String>,
    /// The only networks that reach it, where it listens on none but their addresses.
    pub(super) reach: Option<Vec<&'static str>>,
}

impl<'a> Server<'a> {
    pub(super) fn new(directive: &'a Directive, http: &Scope<'a>) -> Server<'a> {
        let scope = http.inner(directive.block.as_deref().unwrap_or_default());
        let ssl_on = scope.is_on("ssl");
        let own = |name: &'static str| scope.own().iter().filter(move |d| d.name == name);
        let mut listens: Vec<Listen> = own("listen")
            .filter_map(|directive| Listen::parse(directive, ssl_on))
            .collect();
        if own("listen").next().is_none() {
            listens.push(Listen::plain());
        }
        let mut names: Vec<String> = Vec::new();
        for name in own("server_name").flat_map(|directive| &directive.args) {
            names.extend(host_names(name));
        }
        if names.is_empty() || listens.iter().any(|listen| listen.default) {
            names.push("*".to_owned());
        }
        let mut seen = BTreeSet::new();
        names.retain(|name| seen.insert(name.clone()));
        let reach = reach(&listens);
        Server {
            reach,
            directive,
            scope,
            listens,
            names,
        }
    }

    pub(super) fn is_secure(&self) -> bool {
        self.listens.iter().any(|listen| listen.secure)
    }

    /// Whether all it does is to send clients to HTTPS, as certbot writes it too.
    pub(super) fn only_redirects(&self) -> bool {
        let to_https = |d: &Directive| {
            d.name == "return" && d.args.iter().any(|arg| arg.starts_with("https://"))
        };
        let redirects = |d: &Directive| {
            let inner = d.block.as_deref().unwrap_or_default();
            to_https(d) || (matches!(&*d.name, "if" | "location") && inner.iter().any(to_https))
        };
        self.scope.own().iter().any(redirects) && !self.passes()
    }

    /// Whether it sends all clients to one host, whichever they asked for.
    pub(super) fn redirects_to_one_host(&self) -> bool {
        let own = self.scope.own().iter();
        let mut targets = own.filter(|d| d.name == "return").flat_map(|d| &d.args);
        targets.any(|arg| arg.starts_with("https://") && !arg.starts_with("https://$"))
    }

    /// Its names that none of these is and none with a star covers.
    pub(super) fn names_beyond(&self, names: &BTreeSet<&String>) -> Vec<String> {
        let covers = |known: &str, name: &str| match known.strip_prefix('*') {
            Some(below) => name.ends_with(below),
            None => name == known,
        };
        let is_beyond =
            |name: &&String| *name != "*" && !names.iter().any(|known| covers(known, name));
        self.names.iter().filter(is_beyond).cloned().collect()
    }

    /// Whether all it does is to close connections of those who ask for no host that there is.
    pub(super) fn only_closes(&self) -> bool {
        let is_444 = |d: &Directive| d.name == "return" && d.arg() == "444";
        self.names == ["*"]
            && self.scope.own().iter().any(is_444)
            && !self.scope.own().iter().any(|d| d.name == "location")
    }

    /// Whether it refuses the networks of this variable, itself or in a location.
    pub(super) fn blocks_by(&self, variable: &str) -> bool {
        let is_it = |d: &Directive, scope: &Scope<'a>| {
            d.arg() == format!("({variable})") && blocked(d, scope).is_some()
        };
        let mut locations = self.scope.own().iter().filter(|d| d.name == "location");
        self.scope.own().iter().any(|d| is_it(d, &self.scope))
            || locations.any(|location| {
                let inner = location.block.as_deref().unwrap_or_default();
                inner.iter().any(|d| is_it(d, &self.scope))
            })
    }

    /// Whether nobody reaches it over a network.
    pub(super) fn is_local(&self) -> bool {
        self.listens.is_empty()
    }

    /// Whether it does nothing but refuse to shake hands.
    pub(super) fn only_refuses(&self) -> bool {
        self.scope.is_on("ssl_reject_handshake")
    }

    /// Whether requests go on to other servers.
    fn passes(&self) -> bool {
        let passes = |d: &Directive| {
            let inner = d.block.as_deref().unwrap_or_default();
            d.name == "location" && inner.iter().any(|d| d.name == "proxy_pass")
        };
        self.scope.own().iter().any(passes)
    }

    /// What was asked of certificates and is not asked here.
    fn lost_certificates(&self) -> Vec<&'a Directive> {
        let verify = self.scope.find("ssl_verify_client");
        let verify = verify.filter(|verify| verify.arg() == "on" && self.authorities().is_none());
        verify.into_iter().collect()
    }

    /// Who vouches for certificates of clients.
    fn authorities(&self) -> Option<&'a Directive> {
        let names = ["ssl_client_certificate", "ssl_trusted_certificate"];
        names.iter().find_map(|name| self.scope.find(name))
    }

    /// Writes the host. Names that another host has already are left out. `narrow` is for a host that
    /// others are reached at addresses where it is not.
    pub(super) fn write(
        &self,
        taken: &mut BTreeSet<String>,
        upstreams: &mut Upstreams,
        limits: &mut Limits,
        notes: &mut Notes,
        narrow: bool,
        out: &mut Vec<Section>,
    ) {
        let mut section = Section::new("[[host]]");
        let mut names = Vec::new();
        for name in &self.names {
            match taken.insert(name.clone()) {
                true => names.push(name.as_str()),
                false => section.comment(format!("another host answers to {name}")),
            }
        }
        let Some(first) = names.first().copied() else {
            section = Section::default();
            notes.leave(
                &mut section,
                self.directive,
                "other hosts have all of its names",
            );
            out.push(section);
            return;
        };
        section.list("names", &names);
        let reason = match names.contains(&"*") {
            true => "expressions are no names; the host answers to all that no other has",
            false => "expressions are no names; write those that it takes, as `*.example.com`",
        };
        for name in self.scope.own().iter().filter(|d| d.name == "server_name") {
            if name.args.iter().any(|arg| is_expression(arg)) {
                notes.leave(&mut section, name, reason);
            }
        }
        self.certificate(&mut section, notes);
        let mut rules = Rules::default();
        for name in ["proxy_set_header", "add_header", "proxy_hide_header"] {
            for directive in self.scope.all(name) {
                rules.take(directive, first, &mut section, notes);
            }
        }
        rules.write(&mut section);
        for name in ["limit_req", "limit_conn", "client_max_body_size"] {
            for directive in self.scope.all(name) {
                let _ = limits.take(directive, &self.scope, &mut section, notes)
                    || access(directive, &mut section, notes);
            }
        }
        pages(&mut section, &self.scope, notes);
        if self.passes() && self.scope.find("client_max_body_size").is_none() {
            section.text("max_body", BODY_MAX_DEFAULT);
        }
        let limiting = ["limit_req", "limit_conn"].map(|name| self.scope.all(name));
        limits.name(limiting.into_iter().flatten(), &self.scope, &mut section);
        let reach = self.reach.as_deref().filter(|_| narrow);
        if reach.is_some() {
            section.comment(
                "nginx listens for it where only these networks reach; here it is on every address",
            );
        }
        // It is looked at before any location.
        let falls_to = self.scope.own().iter().find(|d| d.name == "return");
        // A location with networks of its own has none but those.
        let own_networks = falls_to.is_none() && locations_name_networks(self.scope.own());
        if !own_networks {
            Networks::of(&self.scope).within(reach).write(&mut section);
        }

        let lost = self.lost_certificates();
        let mut routes = Routes::new(first, upstreams, limits, notes, reach, own_networks, lost);
        for directive in self.scope.own() {
            match &*directive.name {
                "location" if falls_to.is_none() => routes.add(directive, &self.scope),
                "location" | "return" => {}
                "if" if guards::wants_certificate(directive)
                    && guards::asks_for_certificates(&self.scope) => {}
                "if" if self.is_secure() && guards::sends_to_https(directive) => {}
                "if" if blocked(directive, &self.scope).is_some() => {}
                "if" if routes.moved_by_table(directive, &self.scope) => {}
                "rewrite" if falls_to.is_none() && routes.within(directive, None, &self.scope) => {}
                "rewrite" if falls_to.is_none() && routes.moved(directive, &self.scope) => {}
                name if HANDLED.contains(&name)
                    || auth::NAMES.contains(&name)
                    || content::NAMES.contains(&name)
                    || secure::NAMES.contains(&name) => {}
                _ => routes.notes.rest(&mut section, directive),
            }
        }
        if let Some(directive) = falls_to {
            routes.answer(directive);
        }
        if falls_to.is_none() {
            routes.others(&self.scope);
            routes.beside(&self.scope);
        }
        let sections = routes.finish();
        let has_route = sections.iter().any(Section::is_table);
        out.push(section);
        out.extend(sections);
        if !has_route {
            let mut nothing = Section::new("[[host.route]]");
            nothing.raw("respond", "404");
            out.push(nothing);
        }
    }

    fn certificate(&self, section: &mut Section, notes: &mut Notes) {
        if !self.is_secure() {
            return;
        }
        let chains = self.scope.all("ssl_certificate");
        let keys = self.scope.all("ssl_certificate_key");
        if let (Some(chain), Some(key)) = (chains.first(), keys.first()) {
            section.text("certificate", chain.arg());
            section.text("key", key.arg());
        } else if let Some(listen) = self.scope.own().iter().find(|d| d.name == "listen") {
            let reason =
                "no file that is here names its certificate: write `certificate` and `key`";
            notes.leave(section, listen, reason);
        }
        if let Some(verify) = self.scope.find("ssl_verify_client")
            && verify.arg() == "optional_no_ca"
        {
            let reason = "certificates are judged by `client_ca`, or not asked for";
            notes.leave(section, verify, reason);
        }
        for more in chains.iter().skip(1) {
            notes.leave(section, more, "a host has one certificate");
        }
        let verify = self.scope.find("ssl_verify_client").map(Directive::arg);
        let wanted = match verify {
            Some(_) if guards::asks_for_certificates(&self.scope) => Some("required"),
            Some("optional") => Some("optional"),
            _ => None,
        };
        if let (Some(wanted), Some(authorities)) = (wanted, self.authorities()) {
            section.text("client_ca", authorities.arg());
            section.text("client_certificate", wanted);
            if let Some(revoked) = self.scope.find("ssl_crl") {
                section.text("client_crl", revoked.arg());
            }
        }
        if let Some(answer) = self.scope.find("ssl_stapling_file") {
            section.text("ocsp", answer.arg());
        } else if self.scope.is_on("ssl_stapling") {
            section.text("ocsp", "fetch");
        }
    }
}

/// Directives of a server that are looked at by name.
const HANDLED: &[&str] = &[
    "listen",
    "server_name",
    "ssl_certificate",
    "ssl_certificate_key",
    "proxy_set_header",
    "add_header",
    "proxy_hide_header",
    "proxy_connect_timeout",
    "proxy_send_timeout",
    "proxy_read_timeout",
    "keepalive_timeout",
    "client_header_timeout",
    "client_body_timeout",
    "send_timeout",
    "access_log",
    "limit_req",
    "limit_conn",
    "client_max_body_size",
    "allow",
    "deny",
    "ssl_client_certificate",
    "ssl_reject_handshake",
    "ssl_verify_client",
    "ssl_crl",
    "ssl_stapling",
    "ssl_stapling_file",
    "ssl_protocols",
    "quic_retry",
    "set_real_ip_from",
    "real_ip_header",
    "real_ip_recursive",
    "error_page",
];

/// Whether a location in a block says from where its clients may ask.
fn locations_name_networks(block: &[Directive]) -> bool {
    let locations = block
        .iter()
        .filter(|directive| directive.name == "location");
    let mut inside = locations.filter_map(|location| location.block.as_deref());
    inside.any(|block| {
        let is_variable = |d: &Directive| d.args.len() == 1 && d.arg().starts_with("($");
        let names = block.iter().any(|d| match &*d.name {
            "allow" | "deny" => true,
            // Perhaps one that a `geo` has made.
            name => name == "if" && is_variable(d),
        });
        names || locations_name_networks(block)
    })
}

fn is_expression(name: &str) -> bool {
    name.starts_with('~') || name.ends_with(".*")
}

/// A server name as ours are; an expression has no counterpart and is no name.
fn host_names(name: &str) -> Vec<String> {
    let lower = name.to_ascii_lowercase();
    match lower.as_str() {
        "_" | "" => vec!["*".to_owned()],
        expression if is_expression(expression) => Vec::new(),
        below if below.starts_with('.') => vec![below[1..].to_owned(), format!("*{below}")],
        _ => vec![lower],
    }
}
