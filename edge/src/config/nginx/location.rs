//! `location` blocks, as routes.

mod action;
mod beyond;

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
