//! `location` blocks, as routes.

mod action;
mod beyond;
mod preflight;

use super::auth;
use super::document::Section;
use super::expression::{Expression, expression};
use super::guards;
use super::limits::Limits;
use super::notes::Notes;
use super::scope::Scope;
use super::tree::Directive;
use super::upstream::Upstreams;

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
    /// Routes for the preflights of the location at hand.
    preflights: Vec<Section>,
    /// Routes for prefixes that nginx asks before any expression, by those.
    ahead: Vec<(String, Section)>,
    /// Routes name networks themselves, for not all are those of the host.
    networks: bool,
}

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
            preflights: Vec::new(),
            ahead: Vec::new(),
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
                let tries = block.iter().find(|directive| directive.name == "try_files");
                let before = self.preflights.len();
                if self.taken.contains(&id) {
                    let reason = "another location has become the same route";
                    self.leave(location, reason);
                } else if self.fill_with(&mut section, key, &pattern, &scope, tries) {
                    self.taken.push(id);
                    for preflight in self.preflights.split_off(before) {
                        self.push(preflight, location, &scope);
                    }
                    match guards::methods(&scope) {
                        Some(methods) => self.split(section, methods, (key, &pattern), location),
                        None => self.push(section, location, &scope),
                    }
                } else {
                    // No other route takes its requests: nginx finds nothing, or looks elsewhere.
                    let elsewhere = block.iter().any(|d| matches!(&*d.name, "rewrite" | "if"));
                    let mut nothing = Section::new("[[host.route]]");
                    nothing.text(key, &pattern);
                    nothing.raw("respond", if elsewhere { "502" } else { "404" });
                    nothing.comment(format!("no route for: {}", location.written()));
                    nothing.append_comments(section);
                    self.taken.push(id);
                    self.preflights.truncate(before);
                    self.push(nothing, location, &scope);
                    self.notes.left_out += 1;
                }
            }
            Err(_) if is_tried(location, outer) => {}
            Err(reason) => self.leave(location, &reason),
        }
        for inner in block.iter().filter(|inner| inner.name == "location") {
            self.add(inner, &scope);
        }
    }

    /// All routes, in the order in which they are to stand.
    pub(super) fn finish(mut self) -> Vec<Section> {
        // Of prefixes the longest is the one.
        self.ahead.sort_by_key(|(path, _)| usize::MAX - path.len());
        let ahead = self.ahead.into_iter().map(|(_, section)| section);
        [self.first, ahead.collect(), self.preflights, self.sections].concat()
    }

    /// Adds a route. A `^~`, and every prefix inside one, comes before every expression, as it does in
    /// nginx.
    fn push(&mut self, mut section: Section, location: &Directive, scope: &Scope<'_>) {
        let Some(path) = ahead_of_expressions(location, scope) else {
            if location.arg() == "^~" && has_expressions(scope) {
                self.notes.left_out += 1;
                let reason = "expressions are asked before it, for it holds others";
                section.comment(format!(
                    "not carried over: {} ({reason})",
                    location.written()
                ));
            }
            return self.sections.push(section);
        };
        if section.needs_path() || hides_guards(location, path, scope) {
            let then = "nginx asks this before every expression: write it as the first `regex`";
            if guards::asked(scope).is_empty() {
                self.notes.left_out += 1;
                section.comment(format!("not carried over: {} ({then})", location.written()));
                return self.sections.push(section);
            }
            self.notes.close(&mut section, &[], then);
        }
        section.replace_first("regex", &format!("^{}", regex::escape(path)));
        self.ahead.push((path.to_owned(), section));
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
}

/// Whether a named location answers where others find no file: then their routes are it.
fn is_tried(location: &Directive, outer: &Scope<'_>) -> bool {
    let own = outer.own().iter();
    let inside = own.clone().filter_map(|d| d.block.as_deref()).flatten();
    let mut tries = own.chain(inside).filter(|d| d.name == "try_files");
    tries.any(|tries| tries.args.last().is_some_and(|last| last == location.arg()))
}

/// The prefix of a location that nginx asks before the expressions of its server, where there are some.
fn ahead_of_expressions<'d>(location: &'d Directive, scope: &Scope<'_>) -> Option<&'d str> {
    let server = scope.blocks().get(1).copied().unwrap_or_default();
    let is_ahead = |d: &Directive| d.name == "location" && d.arg() == "^~";
    let path = match (location.arg(), location.args.get(1)) {
        ("^~", Some(path)) => path,
        (path, None) if path.starts_with('/') => path,
        _ => return None,
    };
    // A longer prefix that is no `^~` comes behind the expressions all the same.
    let is_longer = |d: &Directive| {
        d.name == "location" && d.args.len() == 1 && d.arg().starts_with(path) && d.arg() != path
    };
    let inside = |d: &Directive| {
        let block = d.block.as_deref().unwrap_or_default();
        is_ahead(d) && block.iter().any(|inner| std::ptr::eq(inner, location))
    };
    let guarded = || !guards::asked(scope).is_empty();
    let is_it = match is_ahead(location) {
        true => guarded() || !(server.iter().any(is_longer) || inner_expressions(location)),
        false => server.iter().any(inside),
    };
    (is_it && has_expressions(scope)).then_some(path)
}

/// Whether something else is asked behind a prefix, by an expression inside or a longer prefix, which would
/// not be asked if it came first.
fn hides_guards(location: &Directive, path: &str, scope: &Scope<'_>) -> bool {
    let server = scope.blocks().get(1).copied().unwrap_or_default();
    let asked = guards::asked(scope);
    let asks_otherwise = |d: &Directive| {
        let block = d.block.as_deref().unwrap_or_default();
        let outer = Scope::new(scope.blocks()[0]).inner(server);
        d.name == "location"
            && d.args.len() == 1
            && d.arg() != path
            && d.arg().starts_with(path)
            && guards::asked(&outer.inner(block)) != asked
    };
    inner_expressions(location) || server.iter().any(asks_otherwise)
}

/// Whether a location for an expression is inside this one.
fn inner_expressions(location: &Directive) -> bool {
    let block = location.block.as_deref().unwrap_or_default();
    let is_it =
        |d: &Directive| d.name == "location" && (d.arg().starts_with('~') || inner_expressions(d));
    block.iter().any(is_it)
}

/// Whether a location of the server is for an expression.
fn has_expressions(scope: &Scope<'_>) -> bool {
    let server = scope.blocks().get(1).copied().unwrap_or_default();
    let is_regex = |d: &Directive| d.name == "location" && d.arg().starts_with('~');
    server.iter().any(is_regex)
}

/// The key and the pattern of a route for a location, and whether it takes no more than that.
fn matcher(location: &Directive) -> Result<(&'static str, String, bool), String> {
    let regex = |regex: &str| match expression(regex) {
        Expression::Same(regex) => ("regex", regex, true),
        Expression::Wider(regex) => ("regex", regex, false),
    };
    match (location.arg(), location.args.get(1)) {
        ("=", Some(path)) => Ok(("exact", encoded(path), true)),
        ("~", Some(text)) => Ok(regex(text)),
        ("~*", Some(text)) => Ok(regex(&format!("(?i){text}"))),
        ("^~", Some(path)) => Ok(("path", normal(path), true)),
        (name, None) if name.starts_with('@') => {
            Err("named locations have no counterpart: what `try_files` leaves to one goes there, for one that \
                 stands in for a failed server write `backup = true` in `servers`"
                .to_owned())
        }
        (path, None) if path.starts_with('/') => Ok(("path", normal(path), true)),
        _ => Err("not a location that nginx would take".to_owned()),
    }
}

/// A prefix as ours are written: without the slash at its end.
fn normal(path: &str) -> String {
    match path.trim_end_matches('/') {
        "" => "/".to_owned(),
        path => encoded(path),
    }
}

/// nginx compares what a path means, ours are written as they are asked for (RFC 3986 §3.3).
fn encoded(path: &str) -> String {
    let is_plain = |b: u8| b.is_ascii_alphanumeric() || b"/:@-._~!$&'()*+,;=".contains(&b);
    let mut out = String::new();
    for byte in path.bytes() {
        match is_plain(byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}
