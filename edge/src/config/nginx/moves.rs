//! Tables of old and new addresses: `map $uri $new { ... }` and `if ($new) { return 301 $new; }`.

use super::expression::{Expression, expression};
use super::rewrite;
use super::scope::Scope;
use super::tree::Directive;
use super::variables::template;

/// One row: the key and pattern of a route, and where it leads.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Move {
    pub(super) key: &'static str,
    pub(super) pattern: String,
    pub(super) to: String,
}

/// Whether a condition looks into such a table: the status, and the table's rows. `None` where any of them
/// has no counterpart.
pub(super) fn moves(directive: &Directive, scope: &Scope<'_>) -> Option<(u16, Vec<Move>)> {
    let (status, to) = answer(directive)?;
    let variable = directive.arg().strip_prefix('(')?.strip_suffix(')')?;
    let map = table(variable, scope)?;
    let base = to.strip_suffix(variable)?;
    let is_whole = map.arg() == "$request_uri";
    let mut rows = Vec::new();
    for row in map.block.as_deref()? {
        let target = row.arg();
        let (name, is_regex) = match row.name.strip_prefix('~') {
            Some(regex) => match regex.strip_prefix('*') {
                Some(regex) => (format!("(?i){regex}"), true),
                None => (regex.to_owned(), true),
            },
            None => (row.name.clone(), false),
        };
        if name == "default" && target.is_empty() {
            continue;
        }
        let row = match is_regex {
            // An expression may be about the query, which routes do not see.
            true if is_whole => return None,
            true => {
                let Expression::Same(pattern) = expression(&name) else {
                    return None;
                };
                let groups = rewrite::groups("regex", &pattern);
                let named = Directive {
                    args: vec![format!("{base}{target}")],
                    ..row.clone()
                };
                let to = template(rewrite::plain(&named, &groups, None).arg(), "").ok()?;
                let key = "regex";
                Move { key, pattern, to }
            }
            false if !name.starts_with('/') || name.contains('?') => return None,
            false => Move {
                key: "exact",
                pattern: name,
                to: template(&format!("{base}{target}"), "").ok()?,
            },
        };
        let is_place = row.to.starts_with('/') && !row.to.starts_with("//")
            || row.to.starts_with("https://")
            || row.to.starts_with("http://");
        if !is_place {
            return None;
        }
        rows.push(row);
    }
    (!rows.is_empty()).then_some((status, rows))
}

/// Whether a `map` is such a table of one of these servers.
pub(super) fn is_table(map: &Directive, servers: &[&Scope<'_>]) -> bool {
    let uses = |scope: &&Scope<'_>| {
        let mut ifs = scope.own().iter().filter(|d| d.name == "if");
        ifs.any(|d| {
            let variable = d.arg().trim_start_matches('(').trim_end_matches(')');
            map.args.last().is_some_and(|name| name == variable) && moves(d, scope).is_some()
        })
    };
    map.name == "map" && servers.iter().any(uses)
}

fn answer(directive: &Directive) -> Option<(u16, &str)> {
    let [only] = directive.block.as_deref()? else {
        return None;
    };
    let [status, to] = &only.args[..] else {
        return None;
    };
    let status = status.parse().ok()?;
    let is_move = matches!(status, 301 | 302 | 303 | 307 | 308);
    (directive.name == "if" && directive.args.len() == 1 && only.name == "return" && is_move)
        .then_some((status, to))
}

fn table<'a>(variable: &str, scope: &Scope<'a>) -> Option<&'a Directive> {
    let http = scope.blocks().first()?.iter();
    let mut maps = http.filter(|d| d.name == "map");
    maps.find(|d| matches!(&d.args[..], [of, name] if is_path(of) && name == variable))
}

fn is_path(variable: &str) -> bool {
    matches!(variable, "$uri" | "$document_uri" | "$request_uri")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::nginx::tree::read;

    fn rows(map: &str, condition: &str) -> Option<String> {
        let file = tempfile::NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), format!("{map} {condition}")).expect("our own");
        let block = read(file.path()).expect("nginx reads it").0;
        let server = Scope::new(&block[..1]).inner(&block[1..]);
        let (status, rows) = moves(&block[1], &server)?;
        let rows = rows
            .iter()
            .map(|row| format!(" {}={}>{}", row.key, row.pattern, row.to));
        Some(format!("{status}{}", rows.collect::<String>()))
    }

    #[test]
    fn tables_of_addresses() {
        let go = "if ($new) { return 301 $new; }";
        for (map, condition, expected) in [
            (
                "map $uri $new { default ''; /a /b; }",
                go,
                Some("301 exact=/a>/b"),
            ),
            (
                "map $uri $new { ~^/old/(?<rest>.*)$ /new/$rest; ~*^/x$ https://b.example/; }",
                go,
                Some("301 regex=^/old/(?<rest>.*)$>/new/{1} regex=(?i)^/x$>https://b.example/"),
            ),
            (
                "map $request_uri $new { /a /b; }",
                "if ($new) { return 308 https://b.example$new; }",
                Some("308 exact=/a>https://b.example/b"),
            ),
            ("map $request_uri $new { /a?x=1 /b; }", go, None),
            ("map $request_uri $new { ~x=1 /b; }", go, None),
            ("map $host $new { a.example /b; }", go, None),
            ("map $uri $new { default /b; }", go, None),
            ("map $uri $new { /a //b; }", go, None),
            (
                "map $uri $new { /a /b; }",
                "if ($other) { return 301 $new; }",
                None,
            ),
            (
                "map $uri $new { /a /b; }",
                "if ($new) { return 403; }",
                None,
            ),
        ] {
            assert_eq!(
                rows(map, condition).as_deref(),
                expected,
                "{map} {condition}"
            );
        }
    }
}
