//! What one route does, and what goes with it.

use super::Routes;
use crate::config::nginx::access::{Networks, access, blocked};
use crate::config::nginx::auth;
use crate::config::nginx::content;
use crate::config::nginx::document::Section;
use crate::config::nginx::fields::Rules;
use crate::config::nginx::guards;
use crate::config::nginx::known;
use crate::config::nginx::rewrite;
use crate::config::nginx::scope::Scope;
use crate::config::nginx::secure;
use crate::config::nginx::tree::Directive;
use crate::config::nginx::values::duration;
use crate::config::nginx::variables::template;

/// Directives that hold in a location inside another, unless it has some of the same name.
const INHERITED: &[&str] = &[
    "limit_req",
    "limit_conn",
    "add_header",
    "client_max_body_size",
];
/// The same of locations that pass requests on.
const INHERITED_BY_PASS: &[&str] = &["proxy_set_header", "proxy_hide_header"];
const INHERITED_BY_GRPC: &[&str] = &["grpc_set_header", "grpc_hide_header"];

/// What stands beside the keys of a route whose guards are lost.
const THEN: &str = "write what takes its place, see docs/auth.md and docs/from-nginx.md, then these keys instead of `respond`";

impl Routes<'_> {
    /// Fills a route in, as [`Self::fill`]; where `try_files` leaves what is no file to a named location, it
    /// is that, with files before it.
    pub(super) fn fill_with(
        &mut self,
        section: &mut Section,
        key: &str,
        pattern: &str,
        scope: &Scope<'_>,
        tries: Option<&Directive>,
    ) -> bool {
        let named = tries.and_then(|tries| {
            let name = tries.args.last()?;
            let named = scope.location(name).filter(|_| name.starts_with('@'))?;
            Some((tries, named))
        });
        let passes = scope.own().iter().any(|d| d.name == "proxy_pass");
        let Some((tries, named)) = named.filter(|_| !passes) else {
            return self.fill(section, key, pattern, scope);
        };
        let inner = scope.inner(named.block.as_deref().unwrap_or_default());
        let acts = self.fill(section, key, pattern, &inner);
        let first = match section.has("upstream") {
            true => content::files_first(section, tries, scope, self.notes),
            false => Err("it has no upstream that could get what is no file"),
        };
        if let Err(reason) = first {
            let reason = format!("everything goes to the named location: {reason}");
            self.notes.leave(section, tries, &reason);
        }
        // nginx asks for what both of them say.
        if acts && !guards::asked(scope).is_subset(&guards::asked(&inner)) {
            self.notes.close(section, &[named], THEN);
        }
        acts
    }

    /// Fills a route in; `false` when there is nothing it could do.
    pub(super) fn fill(
        &mut self,
        section: &mut Section,
        key: &str,
        pattern: &str,
        scope: &Scope<'_>,
    ) -> bool {
        section.text(key, pattern);
        let networks = Networks::of(scope).within(self.reach);
        if networks.is_empty() {
            section.raw("respond", "403");
            return true;
        }
        let expires = scope.find("expires");
        let mut rules = Rules::default();
        rules.expires = expires.is_some_and(|expires| expires.arg() != "off");
        let mut acts = false;
        let mut passes = false;
        let groups = rewrite::groups(key, pattern);
        let pass = scope.own().iter().find(|d| d.name == "proxy_pass");
        let rewritten = pass.and_then(|pass| rewrite::of_prefix(scope.own(), pass, key, pattern));
        let outer = outer(scope);
        let here = || scope.own().iter().chain(outer.iter().copied());
        for directive in here() {
            let directive = &rewrite::plain(directive, &groups, pass);
            match &*directive.name {
                "location" => {}
                "rewrite" if rewritten.is_some() => {}
                "rewrite" if key == "path" && self.is_within(directive, pattern, scope) => {}
                "proxy_connect_timeout" | "proxy_send_timeout" | "proxy_read_timeout" => {}
                "proxy_pass" | "grpc_pass" | "return" if acts => {
                    self.notes
                        .leave(section, directive, "the route does something else already");
                }
                "proxy_pass" => match self.pass(section, directive, key, pattern, scope) {
                    Ok(()) => (acts, passes) = (true, true),
                    Err(reason) => self.notes.leave(section, directive, &reason),
                },
                "return" => match self.respond(section, directive) {
                    Ok(()) => acts = true,
                    Err(reason) => self.notes.leave(section, directive, &reason),
                },
                "grpc_pass" => match self.pass_grpc(section, directive, scope) {
                    Ok(()) => acts = true,
                    Err(reason) => self.notes.leave(section, directive, reason),
                },
                "limit_except" => {}
                "if" if guards::method_rule(directive).is_some() => {}
                "if" if blocked(directive, scope).is_some() => {}
                "if" if self.answers_preflight(directive, key, pattern, scope) => {}
                name if auth::NAMES.contains(&name) || content::NAMES.contains(&name) => {}
                name if secure::NAMES.contains(&name) => {}
                _ if auth::is_told(directive, scope) => {}
                _ if self.limits.take(directive, scope, section, self.notes) => {}
                _ if access(directive, section, self.notes) => {}
                _ if rules.take(directive, self.server_name, section, self.notes) => {}
                _ => self.notes.rest(section, directive),
            }
        }
        // What was meant to answer must not be answered by files or by another route.
        let meant =
            |directive: &Directive| known::is_pass(&directive.name) || directive.name == "return";
        if !acts && scope.own().iter().any(meant) {
            section.comment("what answers here could not be carried over");
            section.raw("respond", "502");
            acts = true;
        }
        match rewritten.filter(|_| passes) {
            Some(base) if base.is_empty() => section.raw("strip_prefix", "true"),
            Some(base) => section.text("rewrite", &format!("{base}{{rest}}")),
            None => {}
        }
        if !acts {
            acts = content::files(section, key, pattern, scope, self.notes);
        }
        if passes {
            content::cache(section, scope, self.notes);
        }
        content::compression(section, scope);
        let mut lost = self.lost.clone();
        lost.extend(guards::lost(scope));
        lost.extend(auth::auth(scope, self.upstreams, section, self.notes));
        rules.write(section);
        self.limits.name(here(), scope, section);
        if self.networks {
            networks.write(section);
        }
        if acts && !lost.is_empty() {
            self.notes.close(section, &lost, THEN);
        }
        acts
    }

    /// Whether a `rewrite` of a location of the server has become a route of its own.
    fn is_within(&mut self, directive: &Directive, pattern: &str, scope: &Scope<'_>) -> bool {
        let server = scope.server();
        scope.blocks().len() == 3 && self.within(directive, Some(pattern), &server)
    }

    /// `grpc_pass ADDRESS`, which is HTTP/2 without asking.
    fn pass_grpc(
        &mut self,
        section: &mut Section,
        directive: &Directive,
        scope: &Scope<'_>,
    ) -> Result<(), &'static str> {
        let url = directive.arg();
        let server = url.strip_prefix("grpc://").unwrap_or(url);
        if server.contains(['$', '/']) && !server.starts_with("unix:/") {
            return Err("write an upstream with `protocol = \"h2\"`");
        }
        section.text("upstream", &self.upstreams.resolve_h2(server));
        let patience = scope.find("grpc_read_timeout");
        if let Some(time) = patience.and_then(|directive| duration(directive.arg())) {
            section.text("response_timeout", &time);
        }
        Ok(())
    }

    fn pass(
        &mut self,
        section: &mut Section,
        directive: &Directive,
        key: &str,
        pattern: &str,
        scope: &Scope<'_>,
    ) -> Result<(), String> {
        let url = directive.arg();
        let (rest, is_tls) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
            (Some(rest), _) => (rest, false),
            (_, Some(rest)) => (rest, true),
            _ => return Err("an upstream is asked over http:// or https://".to_owned()),
        };
        // nginx writes `unix:/path:/uri`.
        let (server, uri) = match rest.strip_prefix("unix:") {
            Some(path) => match path.split_once(':') {
                Some((path, uri)) => (format!("unix:{path}"), uri),
                None => (format!("unix:{path}"), ""),
            },
            None => {
                let ends = ["/", "$request_uri", "$uri"];
                let at = ends.iter().filter_map(|end| rest.find(end)).min();
                let at = at.unwrap_or(rest.len());
                (rest[..at].to_owned(), &rest[at..])
            }
        };
        if server.contains('$') {
            return Err("an upstream cannot be picked by variables".to_owned());
        }
        let made = rewrite::path(uri, key, self.server_name)?;
        if is_tls && server.starts_with("unix:") {
            return Err("a Unix socket is not reached over TLS".to_owned());
        }
        let (written, name) = match is_tls {
            false => self.upstreams.resolve(&server),
            true => {
                let notes = &mut *self.notes;
                let keys = |pool: Option<&str>| secure::keys(scope, pool, notes);
                let name = self.upstreams.resolve_tls(&server, keys);
                (name.clone(), Some(name))
            }
        };
        section.text("upstream", &written);
        if let Some(name) = name {
            self.upstreams.timeouts(&name, scope);
        }
        let patience = scope.find("proxy_read_timeout");
        if let Some(time) = patience.and_then(|directive| duration(directive.arg())) {
            section.text("response_timeout", &time);
        }
        let prefix = uri.strip_suffix('/').unwrap_or(uri);
        match key {
            _ if uri.is_empty() || uri == "$request_uri" => {}
            _ if uri.contains('$') => section.text("rewrite", &made),
            "path" if prefix == pattern.trim_end_matches('/') => {}
            "path" if prefix.is_empty() => section.raw("strip_prefix", "true"),
            "path" => section.text("rewrite", &format!("{prefix}{{rest}}")),
            _ => section.text("rewrite", uri),
        }
        Ok(())
    }

    /// `return CODE [TEXT|URL]` or `return URL`.
    pub(super) fn respond(
        &mut self,
        section: &mut Section,
        directive: &Directive,
    ) -> Result<(), String> {
        let (code, value) = match (directive.arg().parse::<u16>(), directive.args.get(1)) {
            (Ok(code), value) => (code, value.map(String::as_str)),
            (Err(_), _) => (302, Some(directive.arg())),
        };
        match (code, value) {
            (301 | 302 | 303 | 307 | 308, Some(to)) => {
                let to = template(to, self.server_name)
                    .map_err(|variable| format!("{variable} has no counterpart"))?;
                if to.starts_with("https://{host}") || to.starts_with("{scheme}://{host}") {
                    return Err("a redirect to a host that the client names is refused".to_owned());
                }
                section.text("redirect", &to);
                section.raw("status", code.to_string());
            }
            (444, _) => section.raw("respond", "444"),
            (200..=599, Some(body)) if body.contains('$') => {
                return Err("answers hold no variables".to_owned());
            }
            (200..=599, Some(body)) => {
                section.text("respond", body);
                section.raw("status", code.to_string());
            }
            (200..=599, None) => section.raw("respond", code.to_string()),
            _ => return Err(format!("{code} is no final status")),
        }
        Ok(())
    }
}

/// What the locations around one say for it.
fn outer<'a>(scope: &Scope<'a>) -> Vec<&'a Directive> {
    let own = |name: &str| scope.own().iter().any(|directive| directive.name == name);
    let passed = match (own("proxy_pass"), own("grpc_pass")) {
        (true, _) => INHERITED_BY_PASS,
        (_, true) => INHERITED_BY_GRPC,
        _ => &[],
    };
    let names = INHERITED.iter().chain(passed).filter(|name| !own(name));
    names.flat_map(|name| scope.locations().all(name)).collect()
}
