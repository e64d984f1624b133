//! Routes for what a server says outside its locations, or guards beyond them.

use std::collections::BTreeSet;

use super::Routes;
use crate::config::nginx::document::Section;
use crate::config::nginx::expression::none_of;
use crate::config::nginx::guards;
use crate::config::nginx::moves::moves;
use crate::config::nginx::rewrite;
use crate::config::nginx::scope::Scope;
use crate::config::nginx::tree::Directive;
use crate::config::nginx::within::within;

impl Routes<'_> {
    /// A route for a `rewrite` of the server that sends clients elsewhere; `false` where there is none.
    pub(in crate::config::nginx) fn moved(
        &mut self,
        directive: &Directive,
        server: &Scope<'_>,
    ) -> bool {
        let Some((regex, code, to)) = rewrite::moved(directive, self.server_name) else {
            return false;
        };
        // Those come before expressions here, where nginx looks at them behind it.
        let is_exact = |d: &Directive| d.name == "location" && d.arg() == "=";
        let mut exact = server.own().iter().filter(|d| is_exact(d));
        let id = format!("regex {}", regex.as_str());
        let takes = |d: &Directive| {
            d.args
                .get(1)
                .is_some_and(|path| regex.is_match(path.as_bytes()))
        };
        if self.taken.contains(&id) || exact.any(takes) {
            return false;
        }
        let mut section = Section::new("[[host.route]]");
        section.text("regex", regex.as_str());
        section.text("redirect", &to);
        section.raw("status", code);
        self.taken.push(id);
        self.first.push(section);
        true
    }

    /// Routes for a table of addresses that a server looks into; `false` where it is none.
    pub(in crate::config::nginx) fn moved_by_table(
        &mut self,
        directive: &Directive,
        server: &Scope<'_>,
    ) -> bool {
        let Some((status, rows)) = moves(directive, server) else {
            return false;
        };
        let ids: Vec<_> = rows
            .iter()
            .map(|row| format!("{} {}", row.key, row.pattern))
            .collect();
        if ids.iter().any(|id| self.taken.contains(id)) {
            return false;
        }
        for row in rows {
            let mut section = Section::new("[[host.route]]");
            section.text(row.key, &row.pattern);
            section.text("redirect", &row.to);
            section.raw("status", status.to_string());
            self.first.push(section);
        }
        self.taken.extend(ids);
        true
    }

    /// A route for a `rewrite ... last` of the server, or of a location for this prefix; `false` where it
    /// is not sure what it comes to.
    pub(in crate::config::nginx) fn within(
        &mut self,
        directive: &Directive,
        prefix: Option<&str>,
        server: &Scope<'_>,
    ) -> bool {
        let Some(found) = within(directive, server, self.server_name) else {
            return false;
        };
        let own = server.own();
        let is_exact = |d: &Directive| d.name == "location" && d.arg() == "=";
        let takes = |d: &&Directive| {
            let path = d.args.get(1);
            path.is_some_and(|path| found.regex.is_match(path.as_bytes()))
        };
        let mut exact = own.iter().filter(|d| is_exact(d));
        // A location's own must take nothing but what is the location's, and come to it first.
        let is_told = prefix.is_none_or(|prefix| {
            let start = format!("^{}", regex::escape(prefix.trim_end_matches('/')));
            found.regex.as_str().starts_with(&format!("{start}/"))
                && !own
                    .iter()
                    .any(|d| d.name == "location" && d.arg().starts_with('~'))
                && !own.iter().any(|d| {
                    let path = d.arg().trim_end_matches('/');
                    d.name == "location" && path != prefix && path.starts_with(prefix)
                })
        });
        let id = format!("regex {}", found.regex.as_str());
        if !is_told || self.taken.contains(&id) || exact.any(|d| takes(&d)) {
            return false;
        }
        let block = found.location.block.as_deref().unwrap_or_default();
        let scope = server.inner(block);
        let mut section = Section::new("[[host.route]]");
        if !self.fill(&mut section, "regex", found.regex.as_str(), &scope) {
            return false;
        }
        // Below what is closed, for who opens it.
        match section.is_closed() {
            true => section.comment(format!("rewrite = \"{}\"", found.to)),
            false => section.text("rewrite", &found.to),
        }
        self.taken.push(id);
        self.first.push(section);
        true
    }

    /// Routes for what nginx guards along with a prefix: names that only begin so. `server` is all of it.
    pub(in crate::config::nginx) fn beside(&mut self, server: &Scope<'_>) {
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
    pub(in crate::config::nginx) fn answer(&mut self, directive: &Directive) {
        let mut section = Section::new("[[host.route]]");
        match self.respond(&mut section, directive) {
            Ok(()) => self.sections.push(section),
            Err(reason) => self.leave(directive, &reason),
        }
    }

    /// A route for the files that no location takes.
    pub(in crate::config::nginx) fn others(&mut self, scope: &Scope<'_>) {
        let taken = self.taken.iter().any(|id| id == "path /");
        // What is written there of a location has been looked at already.
        let outer: Vec<Directive> = Vec::new();
        if taken || scope.find("root").is_none() {
            return;
        }
        let mut section = Section::new("[[host.route]]");
        let tries = scope.find("try_files");
        let inner = scope.inner(&outer);
        if self.fill_with(&mut section, "path", "/", &inner, tries) {
            self.sections.push(section);
        }
    }
}
