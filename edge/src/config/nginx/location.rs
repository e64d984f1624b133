//! `location` blocks, as routes.

use std::collections::BTreeSet;

use super::access::{Networks, access};
use super::auth;
use super::content;
use super::document::Section;
use super::expression::{Expression, expression, none_of};
use super::fields::Rules;
use super::guards;
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
    sections: Vec<Section>,
    /// Keys that are taken: the same path twice is an error.
    taken: Vec<String>,
    /// What only some networks reach.
    reach: Option<&'c [&'c str]>,
    /// What is lost of the server, and so of every location.
    lost: Vec<&'c Directive>,
    /// Routes that come before all others.
    first: Vec<Section>,
    /// Routes name networks themselves, for not all are those of the host.
    networks: bool,
}

/// What stands beside the keys of a route whose guards are lost.
const THEN: &str = "write what takes its place, see docs/auth.md and docs/from-nginx.md, then these keys instead of `respond`";

impl<'c> Routes<'c> {
    pub(super) fn new(
        server_name: &'c str,
        upstreams: &'c mut Upstreams,
        limits: &'c mut Limits,
        notes: &'c mut Notes,
        reach: Option<&'c [&'c str]>,
        networks: bool,
        lost: Vec<&'c Directive>,
    ) -> Routes<'c> {
        Routes {
            reach,
            lost,
            first: Vec::new(),
            networks,
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
            Ok((key, pattern, _)) if auth::is_internal(&scope) => {
                let id = format!("{key} {pattern}");
                if !self.taken.contains(&id) {
                    section.text(key, &pattern);
                    section.comment("`internal`: only nginx itself asked for it");
                    section.raw("respond", "404");
                    self.taken.push(id);
                    self.push(section, location, &scope);
                }
            }
            // It takes more than it should: no other route may have it instead.
            Ok((key, pattern, false)) => {
                let id = format!("{key} {pattern}");
                if !self.taken.contains(&id) {
                    section.text(key, &pattern);
                    let reason = "this expression needs PCRE; ours have no look-around";
                    self.notes.leave(&mut section, location, reason);
                    self.notes.close(
                        &mut section,
                        &[],
                        "write an expression without it, and what answers",
                    );
                    self.taken.push(id);
                    self.sections.push(section);
                }
            }
            Ok((key, pattern, true)) => {
                let id = format!("{key} {pattern}");
                if self.taken.contains(&id) {
                    let reason = "another location has become the same route";
                    self.leave(location, reason);
                } else if self.fill_with(&mut section, key, &pattern, &scope) {
                    self.taken.push(id);
                    match guards::methods(&scope) {
                        Some(methods) => self.split(section, methods, (key, &pattern), location),
                        None => self.push(section, location, &scope),
                    }
                } else {
                    // Where clients were kept out, no other route may let them in.
                    let mut comments = match guards::asked(&scope).is_empty() {
                        true => Section::default(),
                        false => Section::new("[[host.route]]"),
                    };
                    if comments.is_table() {
                        comments.text(key, &pattern);
                        comments.raw("respond", "404");
                        self.taken.push(id);
                    }
                    comments.comment(format!("no route for: {}", location.written()));
                    comments.append_comments(section);
                    self.sections.push(comments);
                    self.notes.left_out += 1;
                }
            }
            Err(reason) => self.leave(location, &reason),
        }
        for inner in block.iter().filter(|inner| inner.name == "location") {
            self.add(inner, &scope);
        }
    }

    /// All routes, in the order in which they are to stand.
    pub(super) fn finish(self) -> Vec<Section> {
        [self.first, self.sections].concat()
    }

    /// Adds a route. A guarded `^~` comes before every expression, as it does in nginx.
    fn push(&mut self, mut section: Section, location: &Directive, scope: &Scope<'_>) {
        let server = scope.blocks().get(1).copied().unwrap_or_default();
        let is_regex = |d: &Directive| d.name == "location" && d.arg().starts_with('~');
        let path = location.args.get(1).filter(|_| location.arg() == "^~");
        let guarded = || server.iter().any(is_regex) && !guards::asked(scope).is_empty();
        let Some(path) = path.filter(|_| guarded()) else {
            return self.sections.push(section);
        };
        if section.needs_path() {
            let then = "nginx asks this before every expression: write it as the first `regex`";
            self.notes.close(&mut section, &[], then);
        }
        section.replace_first("regex", &format!("^{}", regex::escape(path)));
        self.first.push(section);
    }

    fn leave(&mut self, location: &Directive, reason: &str) {
        let mut section = Section::default();
        self.notes.leave(&mut section, location, reason);
        self.sections.push(section);
    }

    /// A route for some methods, and one for the others.
    fn split(
        &mut self,
        mut section: Section,
        methods: guards::Methods,
        (key, pattern): (&str, &str),
        location: &Directive,
    ) {
        let mut others = Section::new("[[host.route]]");
        others.text(key, pattern);
        match methods.others {
            Some(status) => others.raw("respond", status.to_string()),
            None => {
                let block = location.block.as_deref().unwrap_or_default();
                let except: Vec<_> = block.iter().filter(|d| d.name == "limit_except").collect();
                let then =
                    "other methods were asked for something else: write what, and what answers";
                self.notes.close(&mut others, &except, then);
            }
        }
        section.list("methods", &methods.names);
        self.sections.extend([section, others]);
    }

    /// Routes for what nginx guards along with a prefix: names that only begin so. `server` is all of it.
    pub(super) fn beside(&mut self, server: &Scope<'_>) {
        let prefix = |location: &Directive| match (location.arg(), location.args.get(1)) {
            ("^~", Some(path)) => Some(path.clone()),
            (path, None) if path.starts_with('/') => Some(path.to_owned()),
            _ => None,
        };
        let all: Vec<(String, BTreeSet<String>)> = server
            .own()
            .iter()
            .filter(|directive| directive.name == "location")
            .filter_map(|location| {
                let block = location.block.as_deref().unwrap_or_default();
                Some((prefix(location)?, guards::asked(&server.inner(block))))
            })
            .collect();
        for (path, asked) in all.iter().filter(|(path, _)| !path.ends_with('/')) {
            let shorter = all
                .iter()
                .filter(|(other, _)| other != path && path.starts_with(other));
            let falls_to = match shorter.max_by_key(|(other, _)| other.len()) {
                Some((_, asked)) => asked.clone(),
                None if server.find("root").is_some() => guards::asked(server),
                None => continue,
            };
            if asked.is_subset(&falls_to) {
                continue;
            }
            let longer = all
                .iter()
                .filter_map(|(other, _)| other.strip_prefix(path.as_str()));
            let mut rests: Vec<&str> = longer.filter(|rest| !rest.is_empty()).collect();
            rests.push("/");
            let regex = format!("^{}{}", regex::escape(path), none_of(&rests, false));
            let mut section = Section::new("[[host.route]]");
            section.text("regex", &regex);
            section.comment(format!(
                "nginx guards what only begins with {path} along with it"
            ));
            section.raw("respond", "403");
            self.sections.push(section);
        }
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
        let inner = scope.inner(named.block.as_deref().unwrap_or_default());
        let acts = self.fill(section, key, pattern, &inner);
        // nginx asks for what both of them say.
        if acts && !guards::asked(scope).is_subset(&guards::asked(&inner)) {
            self.notes.close(section, &[named], THEN);
        }
        acts
    }

    /// Fills a route in; `false` when there is nothing it could do.
    fn fill(&mut self, section: &mut Section, key: &str, pattern: &str, scope: &Scope<'_>) -> bool {
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
                "limit_except" => {}
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
        let mut lost = self.lost.clone();
        lost.extend(guards::lost(scope));
        lost.extend(auth::auth(scope, self.upstreams, section, self.notes));
        rules.write(section);
        self.limits.name(scope.own(), section);
        if self.networks {
            networks.write(section);
        }
        if acts && !lost.is_empty() {
            self.notes.close(section, &lost, THEN);
        }
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

/// The key and the pattern of a route for a location, and whether it takes no more than that.
fn matcher(location: &Directive) -> Result<(&'static str, String, bool), String> {
    let regex = |regex: &str| match expression(regex) {
        Expression::Same(regex) => ("regex", regex, true),
        Expression::Wider(regex) => ("regex", regex, false),
    };
    match (location.arg(), location.args.get(1)) {
        ("=", Some(path)) => Ok(("exact", path.clone(), true)),
        ("~", Some(text)) => Ok(regex(text)),
        ("~*", Some(text)) => Ok(regex(&format!("(?i){text}"))),
        ("^~", Some(path)) => Ok(("path", normal(path), true)),
        (name, None) if name.starts_with('@') => {
            Err("named locations have no counterpart".to_owned())
        }
        (path, None) if path.starts_with('/') => Ok(("path", normal(path), true)),
        _ => Err("not a location that nginx would take".to_owned()),
    }
}

/// A prefix as ours are written: without the slash at its end.
fn normal(path: &str) -> String {
    match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        path => path.to_owned(),
    }
}
