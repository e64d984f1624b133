//! Which requests a route takes: path, methods and fields.

use std::collections::HashMap;

use http::Method;
use regex::bytes::{Regex, RegexBuilder};

use crate::config::item::Item;
use crate::config::table::Table;
use crate::config::types::FieldMatch;
use crate::config::value::{Invalid, check_route_path, is_token, parse_field_match, quote};
use crate::config::{PathMatch, RouteMatch};

/// Compiled expressions are held by every worker; one that needs more than this is not a path.
const REGEX_BYTES_MAX: usize = 256 * 1024;

/// Which requests the route takes; two routes of a host may not take the same.
pub(super) fn read(table: &Table<'_>, seen: &mut HashMap<String, usize>) -> Option<RouteMatch> {
    let path = path(table);
    let methods = table.list_of("methods", "a list of methods such as [\"POST\"]", method);
    let mut fields = table.list_of(
        "headers",
        "a list of conditions such as [\"X-Version: 2\"]",
        parse_field_match,
    );
    fields.sort_by(|a: &FieldMatch, b| a.name.cmp(&b.name));
    let when = RouteMatch {
        path: path?,
        methods,
        fields,
    };
    let key = ["path", "exact", "regex"]
        .into_iter()
        .find_map(|key| table.item(key).map(|item| (key, item.span())));
    let (key, span) = key.unwrap_or(("path", table.span()));
    let line = table.report().line(span.start);
    if let Some(first) = seen.insert(when.identity(), line) {
        let path = match &when.path {
            PathMatch::Prefix(path) | PathMatch::Exact(path) => quote(path),
            PathMatch::Regex(regex) => quote(regex.as_str()),
        };
        let message = format!("`{key}`: this host already has a route for {path}, on line {first}");
        table.report().error(span, message);
    }
    Some(when)
}

fn path(table: &Table<'_>) -> Option<PathMatch> {
    let given: Vec<(&str, Item<'_>)> = ["path", "exact", "regex"]
        .into_iter()
        .filter_map(|key| table.item(key).map(|item| (key, item)))
        .collect();
    let expected = "a path such as \"/mcp\"";
    match &given[..] {
        [] => Some(PathMatch::Prefix("/".to_owned())),
        [("path", item)] => item
            .parse(expected, check_route_path)
            .map(PathMatch::Prefix),
        [("exact", item)] => item.parse(expected, exact).map(PathMatch::Exact),
        [(_, item)] => item
            .parse("a regular expression such as \"^/v[0-9]+/\"", regex)
            .map(PathMatch::Regex),
        [(first, _), (_, second), ..] => {
            second.error(format!(
                "there is `{first}` already; a route has one of `path`, `exact` and `regex`"
            ));
            None
        }
    }
}

/// An exact path may end in a slash; otherwise it is written as a prefix is.
fn exact(text: &str) -> Result<String, Invalid> {
    match text.strip_suffix('/') {
        Some(stem) if !stem.is_empty() && !stem.ends_with('/') => {
            check_route_path(stem).map(|stem| stem + "/")
        }
        _ => check_route_path(text),
    }
}

fn regex(text: &str) -> Result<Regex, Invalid> {
    // Paths are ASCII by the time they are matched, so Unicode classes have no use.
    RegexBuilder::new(text)
        .unicode(false)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                Invalid::new(format!("{} is too large when compiled", quote(text)))
            }
            error => {
                // The library shows the expression with a mark; the last line says what is wrong.
                let text_of_error = error.to_string();
                let last = text_of_error.lines().last().unwrap_or_default();
                let reason = last.trim_start_matches("error: ");
                Invalid::new(format!(
                    "{} is not a regular expression: {reason}",
                    quote(text)
                ))
            }
        })
}

fn method(text: &str) -> Result<Method, Invalid> {
    let invalid = || Invalid::new(format!("{} is not a method", quote(text)));
    if text.bytes().any(|b| b.is_ascii_lowercase()) {
        let upper = text.to_ascii_uppercase();
        return Err(invalid().fix(format!("methods are in capitals: write {}", quote(&upper))));
    }
    match Method::from_bytes(text.as_bytes()) {
        Ok(Method::CONNECT | Method::TRACE) => {
            Err(Invalid::new(format!("{} is never served", quote(text))))
        }
        Ok(method) if is_token(text) => Ok(method),
        _ => Err(invalid()),
    }
}
