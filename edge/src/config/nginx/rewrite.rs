//! Paths that nginx makes anew: `rewrite`, and variables in `proxy_pass`.

use regex::bytes::Regex;

use super::expression::{Expression, expression};
use super::tree::Directive;
use super::variables::template;

/// Expressions that take every path, and what `$1` is in them.
const EVERY_PATH: &[(&str, &str)] = &[
    ("^", ""),
    ("^.*$", ""),
    ("^.*", ""),
    (".*", ""),
    ("^(.*)$", "$1"),
    ("^(.*)", "$1"),
    ("(.*)", "$1"),
    ("^/(.*)$", "/$1"),
    ("^/(.*)", "/$1"),
    ("^(/.*)$", "$1"),
];

/// A `rewrite` that sends every client elsewhere, as the `return` that it is.
pub(super) fn as_return(directive: &Directive) -> Option<Directive> {
    let [regex, to, flags @ ..] = &directive.args[..] else {
        return None;
    };
    let is_url = to.starts_with("http://") || to.starts_with("https://");
    let code = match flags.first().map(String::as_str) {
        Some("permanent") => "301",
        Some("redirect") => "302",
        _ if is_url || to.starts_with("$scheme") => "302",
        _ => return None,
    };
    let (_, group) = EVERY_PATH.iter().find(|(known, _)| known == regex)?;
    // A question mark at the end says that the query is not to be added once more.
    let (to, adds_query) = match to.strip_suffix('?') {
        Some(to) => (to, false),
        None => (to.as_str(), !to.contains('?')),
    };
    let to = match group.is_empty() {
        true => to.to_owned(),
        false if adds_query => to.replace(group, "$request_uri"),
        false => to.replace(group, "$uri"),
    };
    (directive.name == "rewrite").then(|| Directive {
        name: "return".to_owned(),
        args: vec![code.to_owned(), to],
        ..directive.clone()
    })
}

/// A `rewrite` that sends some clients elsewhere: whom, with which status and where.
pub(super) fn moved(
    directive: &Directive,
    server_name: &str,
) -> Option<(Regex, &'static str, String)> {
    let [regex, to, flags @ ..] = &directive.args[..] else {
        return None;
    };
    let code = match flags.first().map(String::as_str) {
        Some("permanent") => "301",
        Some("redirect") => "302",
        None if to.starts_with("http://") || to.starts_with("https://") => "302",
        _ => return None,
    };
    let Expression::Same(regex) = expression(regex) else {
        return None;
    };
    let regex = Regex::new(&regex).ok()?;
    let (text, adds_query) = match to.strip_suffix('?') {
        Some(to) => (to, false),
        None => (
            to.as_str(),
            !to.contains('?') && !to.contains("$request_uri"),
        ),
    };
    let mut to = template(text, server_name).ok()?;
    let is_place = to.starts_with('/') && !to.starts_with("//")
        || ["http://", "https://"].iter().any(|scheme| {
            // No variable in the name of the host, by which a client could choose it.
            let rest = to.strip_prefix(scheme).unwrap_or_default();
            rest.split_once('/')
                .is_some_and(|(host, _)| !host.contains('{'))
        });
    if adds_query {
        to.push_str("?{query}");
    }
    let mut beyond = (regex.captures_len()..=9).map(|group| format!("{{{group}}}"));
    let has_groups = !beyond.any(|group| to.contains(&group));
    (is_place && has_groups).then_some((regex, code, to))
}

/// Every directive, with such a `rewrite` as what it is.
pub(super) fn simplified(directives: &[Directive]) -> Vec<Directive> {
    let simple = |directive: &Directive| match as_return(directive) {
        Some(answer) => answer,
        None => Directive {
            block: directive.block.as_deref().map(simplified),
            ..directive.clone()
        },
    };
    directives.iter().map(simple).collect()
}

/// What takes the place of the path of a location before its requests are passed on, where a
/// `rewrite` does that and nothing else: `^/api/(.*)$ /$1 break` cuts the path off.
pub(super) fn of_prefix(
    own: &[Directive],
    pass: &Directive,
    key: &str,
    pattern: &str,
) -> Option<String> {
    let mut rewrites = own.iter().filter(|directive| directive.name == "rewrite");
    let (rewrite, None) = (rewrites.next()?, rewrites.next()) else {
        return None;
    };
    let [regex, to, flag] = &rewrite.args[..] else {
        return None;
    };
    let url = pass.arg();
    let authority = url.split_once("://").map_or(url, |(_, rest)| rest);
    if flag != "break" || key != "path" || pattern == "/" || authority.contains(['/', '$']) {
        return None;
    }
    let regex = regex.replace("\\.", ".").replace("\\/", "/");
    let rest = regex.strip_prefix('^').unwrap_or(&regex);
    let rest = rest.strip_prefix(pattern)?;
    let group = match rest.strip_suffix('$').unwrap_or(rest) {
        "/(.*)" | "/?(.*)" => "/$1",
        "(/.*)" | "(.*)" | "(/|$)(.*)" => "$1",
        _ => return None,
    };
    let base = to.strip_suffix(group)?.trim_end_matches('/');
    let is_plain = base.is_empty() || base.starts_with('/');
    (is_plain && !base.contains(['$', '?', '{', '}'])).then(|| base.to_owned())
}

/// The path that a `proxy_pass` with variables asks for.
pub(super) fn path(uri: &str, key: &str, server_name: &str) -> Result<String, String> {
    let ends = ["$is_args$args", "?$args", "?$query_string"];
    // The query stays by itself.
    let bare = ends.iter().find_map(|end| uri.strip_suffix(end));
    let made = template(bare.unwrap_or(uri), server_name)
        .map_err(|variable| format!("{variable} has no counterpart"))?;
    let has_group = (1..=9).any(|group| made.contains(&format!("{{{group}}}")));
    let starts = ["/", "{path}", "{uri}"];
    match () {
        () if !uri.contains('$') => Ok(made),
        () if has_group && key != "regex" => Err("there are no groups without `regex`".to_owned()),
        () if !starts.iter().any(|start| made.starts_with(start)) => {
            Err("it is not sure to begin with a slash".to_owned())
        }
        () => Ok(made),
    }
}

/// The names of groups in the expression of a location, each with its number.
pub(super) fn groups(key: &str, pattern: &str) -> Vec<(String, usize)> {
    let regex = Regex::new(pattern).ok().filter(|_| key == "regex");
    let Some(regex) = regex else {
        return Vec::new();
    };
    let names = regex.capture_names().enumerate();
    let named = names.filter_map(|(number, name)| Some((name?.to_owned(), number)));
    named.filter(|(_, number)| *number <= 9).collect()
}

/// A directive in which groups have numbers instead of names, and the server of `proxy_pass` stands
/// where a variable names it.
pub(super) fn plain(
    directive: &Directive,
    groups: &[(String, usize)],
    pass: Option<&Directive>,
) -> Directive {
    let mut plain = directive.clone();
    let host = pass.and_then(|pass| proxy_host(pass.arg()));
    for arg in &mut plain.args {
        for (name, number) in groups {
            *arg = replaced(arg, name, &format!("${number}"));
        }
        if let Some(host) = &host {
            *arg = replaced(arg, "proxy_host", host);
        }
    }
    plain
}

/// A variable replaced wherever it stands.
pub(super) fn replaced(text: &str, name: &str, by: &str) -> String {
    let mut out = String::new();
    let mut rest = text;
    let variable = format!("${name}");
    while let Some(at) = rest.find(&variable) {
        let after = &rest[at + variable.len()..];
        let goes_on = after.starts_with(|c: char| c.is_ascii_alphanumeric() || c == '_');
        out.push_str(&rest[..at]);
        out.push_str(if goes_on { &variable } else { by });
        rest = after;
    }
    out.push_str(rest);
    out.replace(&format!("${{{name}}}"), by)
}

/// The server of a `proxy_pass` as nginx calls it: without the usual port of the scheme.
fn proxy_host(url: &str) -> Option<String> {
    let (rest, usual) = match (url.strip_prefix("http://"), url.strip_prefix("https://")) {
        (Some(rest), _) => (rest, ":80"),
        (_, Some(rest)) => (rest, ":443"),
        _ => return None,
    };
    if rest.starts_with("unix:") {
        return Some("localhost".to_owned());
    }
    let server = rest.split('/').next().unwrap_or(rest);
    let server = server.strip_suffix(usual).unwrap_or(server);
    (!server.is_empty() && !server.contains('$')).then(|| server.to_owned())
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    fn directive(name: &str, args: &[&str]) -> Directive {
        Directive {
            name: name.to_owned(),
            args: args.iter().map(|arg| (*arg).to_owned()).collect(),
            block: None,
            file: Path::new("nginx.conf").into(),
            line: 1,
        }
    }

    #[test]
    fn rewrites_that_send_everybody_elsewhere() {
        for (args, expected) in [
            (
                &["^", "https://a.example$request_uri?", "permanent"][..],
                Some("301 https://a.example$request_uri"),
            ),
            (
                &["^/(.*)$", "https://a.example/$1", "permanent"],
                Some("301 https://a.example$request_uri"),
            ),
            (
                &["^(.*)$", "http://a.example$1"],
                Some("302 http://a.example$request_uri"),
            ),
            (&["^(.*)$", "/new$1?", "redirect"], Some("302 /new$uri")),
            (&["^/old/(.*)$", "/new/$1", "permanent"], None),
            (&["^(.*)$", "/index.php", "last"], None),
        ] {
            let answer = as_return(&directive("rewrite", args));
            let answer = answer.map(|answer| answer.args.join(" "));
            assert_eq!(answer.as_deref(), expected, "{args:?}");
        }
    }

    #[test]
    fn rewrites_that_send_some_elsewhere() {
        for (args, expected) in [
            (
                &["^/old/(.*)$", "/new/$1", "permanent"][..],
                Some("^/old/(.*)$ 301 /new/{1}?{query}"),
            ),
            (
                &["^/a/(b)?c", "https://b.example/$1?", "redirect"],
                Some("^/a/(b)?c 302 https://b.example/{1}"),
            ),
            (
                &["\\.php$", "http://b.example/x?from=php"],
                Some("\\.php$ 302 http://b.example/x?from=php"),
            ),
            (&["^/a$", "https://$http_x/", "redirect"], None),
            (&["^/a(.*)$", "https://b.example$1", "redirect"], None),
            (&["^/a/(.*)$", "//$1", "redirect"], None),
            (&["^/a/(.*)$", "/b/$2", "redirect"], None),
            (&["^/a/(?!b)(.*)$", "/b/$arg_x", "redirect"], None),
            (&["^/a/(.*)$", "/b/$1", "last"], None),
        ] {
            let found = moved(&directive("rewrite", args), "a.example");
            let found = found.map(|(regex, code, to)| format!("{regex} {code} {to}"));
            assert_eq!(found.as_deref(), expected, "{args:?}");
        }
    }

    #[test]
    fn rewrites_that_change_the_prefix() {
        let base = |args: &[&str], pass: &str| {
            let own = [directive("rewrite", args)];
            of_prefix(&own, &directive("proxy_pass", &[pass]), "path", "/api")
        };
        let some = |text: &str| Some(text.to_owned());
        let app = "http://app";
        assert_eq!(base(&["^/api/(.*)$", "/$1", "break"], app), some(""));
        assert_eq!(base(&["^/api(/.*)$", "$1", "break"], app), some(""));
        assert_eq!(base(&["^/api/(.*)", "/v2/$1", "break"], app), some("/v2"));
        assert_eq!(base(&["/api/(.*)", "/v2/$1", "break"], app), some("/v2"));
        assert_eq!(base(&["^/api/(.*)$", "/$1", "last"], app), None);
        assert_eq!(base(&["^/api/(.*)$", "/x?y=$1", "break"], app), None);
        assert_eq!(base(&["^/other/(.*)$", "/$1", "break"], app), None);
        assert_eq!(base(&["^/api/(.*)$", "/$1", "break"], "http://app/x"), None);
    }

    #[test]
    fn names_of_groups_and_of_the_server() {
        let groups = groups("regex", "^/(?<tenant>[a-z]+)/(?<tenants>.*)$");
        let text = directive(
            "proxy_set_header",
            &["X", "$tenant-${tenant}-$tenants-$tenantx"],
        );
        assert_eq!(plain(&text, &groups, None).args[1], "$1-$1-$2-$tenantx");
        for (url, host) in [
            ("http://api/x", "api"),
            ("https://a.example:443", "a.example"),
            ("http://a.example:8080", "a.example:8080"),
            ("http://unix:/run/a.sock:/", "localhost"),
        ] {
            let set = directive("proxy_set_header", &["Host", "$proxy_host"]);
            let pass = directive("proxy_pass", &[url]);
            assert_eq!(plain(&set, &[], Some(&pass)).args[1], host);
        }
    }

    #[test]
    fn paths_with_variables() {
        let made = |uri, key| path(uri, key, "a.example");
        assert_eq!(
            made("/resize/$1/$2$is_args$args", "regex"),
            Ok("/resize/{1}/{2}".to_owned())
        );
        assert_eq!(made("$uri?$args", "path"), Ok("{path}".to_owned()));
        assert!(made("/x/$1", "path").is_err());
        assert!(made("$http_x", "path").is_err());
    }
}
