//! `location` blocks, as routes.

use regex::bytes::RegexBuilder;

use super::access::{access, networks};
use super::auth;
use super::content;
use super::document::Section;
use super::fields::Rules;
use super::known;
use super::limits::Limits;
use super::notes::Notes;
use super::rewrite;
use super::scope::Scope;
use super::secure;
use super::tree::Directive;
use super::upstream::Upstreams;
use super::values::duration;
use super::variables::template;

/// What the locations of one server become.
pub(super) struct Routes<'c> {
    pub(super) server_name: &'c str,
    pub(super) upstreams: &'c mut Upstreams,
    pub(super) limits: &'c mut Limits,
    pub(super) notes: &'c mut Notes,
    /// Routes in the order of the file; comments about locations without one stand among them.
    pub(super) sections: Vec<Section>,
    /// Keys that are taken: the same path twice is an error.
    taken: Vec<String>,
}

impl<'c> Routes<'c> {
    pub(super) fn new(
        server_name: &'c str,
        upstreams: &'c mut Upstreams,
        limits: &'c mut Limits,
        notes: &'c mut Notes,
    ) -> Routes<'c> {
        Routes {
            server_name,
            upstreams,
            limits,
            notes,
            sections: Vec::new(),
            taken: Vec::new(),
        }
    }

    /// Converts a location and those inside it.
    pub(super) fn add(&mut self, location: &Directive, outer: &Scope<'_>) {
        let block = location.block.as_deref().unwrap_or_default();
        let scope = outer.inner(block);
        let mut section = Section::new("[[host.route]]");
        match matcher(location) {
            // Clients get nothing there, whatever other routes would take it.
            Ok((key, pattern)) if auth::is_internal(location) => {
                let id = format!("{key} {pattern}");
                if !self.taken.contains(&id) {
                    section.text(key, &pattern);
                    section.comment("`internal`: only nginx itself asked for it");
                    section.raw("respond", "404");
                    self.taken.push(id);
                    self.sections.push(section);
                }
            }
            Ok((key, pattern)) => {
                let id = format!("{key} {pattern}");
                if self.taken.contains(&id) {
                    let reason = "another location has become the same route";
                    self.leave(location, reason);
                } else if self.fill_with(&mut section, key, &pattern, &scope) {
                    self.taken.push(id);
                    self.sections.push(section);
                } else {
                    let mut only_comments = Section::default();
                    only_comments.comment(format!("no route for: {}", location.written()));
                    only_comments.append_comments(section);
                    self.sections.push(only_comments);
                    self.notes.left_out += 1;
                }
            }
            Err(reason) => self.leave(location, &reason),
        }
        for inner in block.iter().filter(|inner| inner.name == "location") {
            self.add(inner, &scope);
        }
    }

    fn leave(&mut self, location: &Directive, reason: &str) {
        let mut section = Section::default();
        self.notes.leave(&mut section, location, reason);
        self.sections.push(section);
    }

    /// A route for what a server says outside its locations, `return` above all.
    pub(super) fn answer(&mut self, directive: &Directive) {
        let mut section = Section::new("[[host.route]]");
        match self.respond(&mut section, directive) {
            Ok(()) => self.sections.push(section),
            Err(reason) => self.leave(directive, &reason),
        }
    }

    /// A route for the files that no location takes.
    pub(super) fn others(&mut self, scope: &Scope<'_>) {
        let taken = self.taken.iter().any(|id| id == "path /");
        // What is written there of a location has been looked at already.
        let outer: Vec<Directive> = Vec::new();
        if taken || scope.find("root").is_none() {
            return;
        }
        let mut section = Section::new("[[host.route]]");
        if self.fill(&mut section, "path", "/", &scope.inner(&outer)) {
            self.sections.push(section);
        }
    }

    /// Fills a route in, as [`Self::fill`]; where a location looks for files first and leaves the rest
    /// to a named one, it is that.
    fn fill_with(
        &mut self,
        section: &mut Section,
        key: &str,
        pattern: &str,
        scope: &Scope<'_>,
    ) -> bool {
        let own = |name: &str| scope.own().iter().find(|directive| directive.name == name);
        let named = own("try_files").and_then(|tries| {
            let name = tries.args.last()?;
            let named = scope.location(name).filter(|_| name.starts_with('@'))?;
            Some((tries, named))
        });
        let Some((tries, named)) = named.filter(|_| own("proxy_pass").is_none()) else {
            return self.fill(section, key, pattern, scope);
        };
        let reason = "everything goes to the named location; files want a route of their own";
        self.notes.leave(section, tries, reason);
        let inner = named.block.as_deref().unwrap_or_default();
        self.fill(section, key, pattern, &scope.inner(inner))
    }

    /// Fills a route in; `false` when there is nothing it could do.
    fn fill(&mut self, section: &mut Section, key: &str, pattern: &str, scope: &Scope<'_>) -> bool {
        section.text(key, pattern);
        let expires = scope.find("expires");
        let mut rules = Rules::default();
        rules.expires = expires.is_some_and(|expires| expires.arg() != "off");
        let mut acts = false;
        let mut passes = false;
        let groups = rewrite::groups(key, pattern);
        let pass = scope.own().iter().find(|d| d.name == "proxy_pass");
        let rewritten = pass.and_then(|pass| rewrite::of_prefix(scope.own(), pass, key, pattern));
        for directive in scope.own() {
            let directive = &rewrite::plain(directive, &groups, pass);
            match &*directive.name {
                "location" => {}
                "rewrite" if rewritten.is_some() => {}
                "proxy_connect_timeout" | "proxy_send_timeout" | "proxy_read_timeout" => {}
                "proxy_pass" | "return" if acts => {
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
                "deny" if directive.arg() == "all" && scope.all("allow").is_empty() => {
                    section.raw("respond", "403");
                    acts = true;
                }
                name if auth::NAMES.contains(&name) || content::NAMES.contains(&name) => {}
                name if secure::NAMES.contains(&name) => {}
                _ if auth::is_told(directive, scope) => {}
                _ if self.limits.take(directive, section, self.notes) => {}
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
        auth::auth(scope, self.upstreams, section, self.notes);
        rules.write(section);
        self.limits.name(scope.own(), section);
        networks(scope.own(), section);
        acts
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
    fn respond(&mut self, section: &mut Section, directive: &Directive) -> Result<(), String> {
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
            (444, _) => return Err("connections are not closed without an answer".to_owned()),
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

/// The key and the pattern of a route for a location.
fn matcher(location: &Directive) -> Result<(&'static str, String), String> {
    match (location.arg(), location.args.get(1)) {
        ("=", Some(path)) => Ok(("exact", path.clone())),
        ("~", Some(regex)) => expression(regex.clone()),
        ("~*", Some(regex)) => expression(format!("(?i){regex}")),
        ("^~", Some(path)) => Ok(("path", normal(path))),
        (name, None) if name.starts_with('@') => {
            Err("named locations have no counterpart".to_owned())
        }
        (path, None) if path.starts_with('/') => Ok(("path", normal(path))),
        _ => Err("not a location that nginx would take".to_owned()),
    }
}

fn expression(regex: String) -> Result<(&'static str, String), String> {
    match RegexBuilder::new(&regex).unicode(false).build() {
        Ok(_) => Ok(("regex", regex)),
        Err(_) => Err("this expression needs PCRE; ours have no look-around".to_owned()),
    }
}

/// A prefix as ours are written: without the slash at its end.
fn normal(path: &str) -> String {
    match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.to_owned(),
    }
}
