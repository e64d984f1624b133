//! `rewrite ... last`: requests that another location answers under a new path.

use regex::bytes::Regex;

use super::expression::{Expression, expression};
use super::scope::Scope;
use super::tree::Directive;
use super::variables::template;

/// What such a `rewrite` comes to.
pub(super) struct Within<'a> {
    /// The paths that it takes.
    pub(super) regex: Regex,
    /// The location that answers.
    pub(super) location: &'a Directive,
    /// The path that is asked for there, as a template.
    pub(super) to: String,
}

/// Directives with which a location does more than pass requests on.
const MORE: &[&str] = &[
    "if",
    "rewrite",
    "return",
    "try_files",
    "set",
    "internal",
    "limit_except",
    "location",
    "alias",
    "break",
];

/// A `rewrite` of a server, or of a location for a prefix, where it is sure which location answers, and
/// that one passes paths on as they are.
pub(super) fn within<'a>(
    directive: &Directive,
    server: &Scope<'a>,
    server_name: &str,
) -> Option<Within<'a>> {
    let [from, to, flag] = &directive.args[..] else {
        return None;
    };
    let is_plain = to.starts_with('/') && !to.contains(['?', '{', '}']);
    if directive.name != "rewrite" || flag != "last" || !is_plain {
        return None;
    }
    let Expression::Same(regex) = expression(from) else {
        return None;
    };
    let regex = Regex::new(&regex).ok()?;
    let location = taker(to, server)?;
    let block = location.block.as_deref()?;
    if block.iter().any(|d| MORE.contains(&&*d.name)) {
        return None;
    }
    let pass = block.iter().find(|d| d.name == "proxy_pass")?.arg();
    let (_, authority) = pass.split_once("://")?;
    if authority.contains(['/', '$']) {
        return None;
    }
    let to = template(to, server_name).ok()?;
    let mut beyond = (regex.captures_len()..=9).map(|group| format!("{{{group}}}"));
    let has_groups = !beyond.any(|group| to.contains(&group));
    // What else a variable may hold could lead elsewhere.
    let is_ours = |name: &str| name.len() == 1 && name.as_bytes()[0].is_ascii_digit();
    let mut names = to
        .split('{')
        .skip(1)
        .filter_map(|rest| rest.split('}').next());
    (has_groups && names.all(is_ours)).then_some(Within {
        regex,
        location,
        to,
    })
}

/// The location that takes every path this may become; `None` where it depends.
fn taker<'a>(to: &str, server: &Scope<'a>) -> Option<&'a Directive> {
    let start = to.split('$').next().unwrap_or_default();
    let is_whole = start == to;
    let mut longest: Option<(&str, &'a Directive)> = None;
    for location in server.own().iter().filter(|d| d.name == "location") {
        match (location.arg(), location.args.get(1)) {
            ("=", Some(path)) if is_whole && path == to => return Some(location),
            ("=", Some(path)) if !is_whole && path.starts_with(start) => return None,
            ("=", _) => {}
            // It would be asked first, with a path that is not known.
            ("~" | "~*", Some(regex)) => {
                let found = match expression(&format!("(?i){regex}")) {
                    Expression::Same(regex) if is_whole => Regex::new(&regex).ok()?,
                    _ => return None,
                };
                if found.is_match(to.as_bytes()) {
                    return None;
                }
            }
            (name, None) if name.starts_with('@') => {}
            (name, more) => {
                let path = more.map_or(name, String::as_str);
                if start.starts_with(path) {
                    if longest.is_none_or(|(known, _)| known.len() < path.len()) {
                        longest = Some((path, location));
                    }
                } else if !is_whole && path.starts_with(start) {
                    return None;
                }
            }
        }
    }
    longest.map(|(_, location)| location)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::nginx::tree::read;

    #[test]
    fn who_answers_must_be_sure() {
        let app = "location /api/ { proxy_pass http://app; }";
        for (rewrite, locations, expected) in [
            ("^/v1/(.*)$ /api/$1 last", app, Some("^/v1/(.*)$ /api/{1}")),
            (
                "^/feed$ /api/feed.xml last",
                app,
                Some("^/feed$ /api/feed.xml"),
            ),
            (
                "^/feed$ /api/feed.xml last",
                "location ~ \\.php$ { deny all; } location /api/ { proxy_pass http://app; }",
                Some("^/feed$ /api/feed.xml"),
            ),
            ("^/v1/(.*)$ /api/$1", app, None),
            ("^/v1/(.*)$ /api/$1 break", app, None),
            ("^/v1/(.*)$ /api/$2 last", app, None),
            ("^/v1/(.*)$ /api/$arg_x last", app, None),
            ("^/v1/(.*)$ /api/$http_x last", app, None),
            ("^/v1/(.*)$ /other/$1 last", app, None),
            ("^/v1/(.*)$ /api/?x=$1 last", app, None),
            // A path that only the request decides may belong to either.
            (
                "^/v1/(.*)$ /api/$1 last",
                "location ~ \\.php$ { deny all; } location /api/ { proxy_pass http://app; }",
                None,
            ),
            (
                "^/v1/(.*)$ /api/$1 last",
                "location /api/ { proxy_pass http://app; } location /api/admin { deny all; }",
                None,
            ),
            (
                "^/v1/(.*)$ /api/$1 last",
                "location /api/ { proxy_pass http://app; } location = /api/admin { deny all; }",
                None,
            ),
            (
                "^/v1/(.*)$ /api/$1 last",
                "location /api/ { proxy_pass http://app/x; }",
                None,
            ),
            (
                "^/v1/(.*)$ /api/$1 last",
                "location /api/ { root /srv; }",
                None,
            ),
        ] {
            let file = tempfile::NamedTempFile::new().expect("a file");
            std::fs::write(file.path(), format!("rewrite {rewrite}; {locations}"))
                .expect("our own");
            let block = read(file.path()).expect("nginx reads it").0;
            let server = Scope::new(&[]).inner(&block);
            let found = within(&block[0], &server, "a.example");
            let found = found.map(|found| format!("{} {}", found.regex, found.to));
            assert_eq!(found.as_deref(), expected, "{rewrite}; {locations}");
        }
    }
}
