//! Variables that a server sets to a fixed text, put in place wherever they stand: guides write
//! `set $app jellyfin; proxy_pass http://$app:8096;` so that nginx looks the name up again.

use std::collections::{BTreeMap, BTreeSet};

use super::rewrite::replaced;
use super::tree::Directive;

/// By name, without the `$`.
type Values = BTreeMap<String, String>;

/// Every directive, with such variables of its server as what they hold.
pub(super) fn replaced_in_servers(directives: &[Directive]) -> Vec<Directive> {
    let one = |directive: &Directive| {
        let block = directive.block.as_deref();
        let block = match &*directive.name {
            "server" => block.map(|block| within(block, &Values::new(), &varying(block))),
            "http" => block.map(replaced_in_servers),
            _ => directive.block.clone(),
        };
        Directive {
            block,
            ..directive.clone()
        }
    };
    directives.iter().map(one).collect()
}

fn within(block: &[Directive], outer: &Values, varying: &BTreeSet<String>) -> Vec<Directive> {
    let mut values = outer.clone();
    for directive in block.iter().filter(|d| d.name == "set") {
        if let Some((name, value)) = constant(directive, &values, varying) {
            values.insert(name, value);
        }
    }
    // What stands here holds in the locations inside too, and means there what they set.
    let mut here = values.clone();
    for inner in block.iter().filter_map(|d| d.block.as_deref()) {
        here.retain(|name, value| !sets_otherwise(inner, name, value));
    }
    let mut out = Vec::new();
    for directive in block {
        let mut new = directive.clone();
        match &*directive.name {
            "set" if constant(directive, &values, varying).is_some() => continue,
            "if" => {}
            "location" => {
                let inner = directive.block.as_deref().unwrap_or_default();
                new.block = Some(within(inner, &values, varying));
            }
            _ => put(&mut new, &here),
        }
        out.push(new);
    }
    out
}

/// A `set` of a text in which nothing varies.
fn constant(
    directive: &Directive,
    values: &Values,
    varying: &BTreeSet<String>,
) -> Option<(String, String)> {
    let [name, value] = &directive.args[..] else {
        return None;
    };
    let name = name
        .strip_prefix('$')
        .filter(|name| !varying.contains(*name))?;
    let value = with(value, values);
    (!value.contains('$')).then(|| (name.to_owned(), value))
}

/// Names of variables that something else gives a value, that are set twice in a block, or that conditions
/// look at.
fn varying(block: &[Directive]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut once = BTreeSet::new();
    for directive in block {
        let inner = directive.block.as_deref().unwrap_or_default();
        let named = |arg: &String| {
            let parts = arg.split(['$', '<', '(', ')', '>', ' ', '=', '!', '"', '{', '}']);
            parts.map(str::to_owned).collect::<Vec<_>>()
        };
        match &*directive.name {
            "set" => {
                let name = directive.arg().trim_start_matches('$').to_owned();
                if !once.insert(name.clone()) {
                    found.insert(name);
                }
            }
            "if" => {
                found.extend(directive.args.iter().flat_map(named));
                let sets = inner.iter().filter(|d| d.name == "set");
                found.extend(sets.map(|d| d.arg().trim_start_matches('$').to_owned()));
            }
            // Groups with names.
            "location" | "server_name" | "rewrite" => {
                let groups = directive.args.iter().filter(|arg| arg.contains("(?"));
                found.extend(groups.flat_map(named));
            }
            "auth_request_set" | "perl_set" | "js_set" | "set_by_lua_block" => {
                found.insert(directive.arg().trim_start_matches('$').to_owned());
            }
            _ => {}
        }
        found.extend(varying(inner));
    }
    found
}

fn sets_otherwise(block: &[Directive], name: &str, value: &str) -> bool {
    block.iter().any(|directive| {
        let is_it = directive.name == "set"
            && directive.arg().strip_prefix('$') == Some(name)
            && directive.args.get(1).is_none_or(|other| other != value);
        let inner = directive.block.as_deref();
        is_it || inner.is_some_and(|inner| sets_otherwise(inner, name, value))
    })
}

fn put(directive: &mut Directive, values: &Values) {
    let is_pass = directive.name == "proxy_pass";
    for arg in &mut directive.args {
        let new = with(arg, values);
        // With a variable, nginx asks for what stands there and not for what follows the prefix.
        let behind = new
            .split_once("://")
            .and_then(|(_, rest)| rest.split_once('/'));
        if is_pass && new != *arg && !new.contains('$') && behind.is_some() {
            *arg = format!("{new}$is_args$args");
        } else {
            *arg = new;
        }
    }
}

fn with(text: &str, values: &Values) -> String {
    values.iter().fold(text.to_owned(), |text, (name, value)| {
        replaced(&text, name, value)
    })
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::config::nginx::tree::read;

    #[test]
    fn what_is_fixed_is_put_in_place_and_nothing_else() {
        let file = tempfile::NamedTempFile::new().expect("a file");
        let text = "server { set $app web; set $port 80; set $both $app:$port; set $mode 0;\n\
             set $user_id 1; proxy_set_header X $app; proxy_set_header Y $port;\n\
             if ($mode) { set $host_part a; }\n\
             location / { proxy_pass http://$both; add_header P $user_id; }\n\
             location /a { set $app other; proxy_pass http://${app}:$port/one; add_header M $mode; }\n\
             location ~ ^/(?<user_id>x) { set $t a; set $t b; set $u $arg_x; add_header T $t$u; } }";
        std::fs::write(file.path(), text).expect("our own");
        let tree = read(Path::new(file.path())).expect("nginx reads it").0;
        let mut written = Vec::new();
        let server = replaced_in_servers(&tree).remove(0);
        for directive in server.block.expect("it has one") {
            written.push(directive.written());
            written.extend(directive.block.iter().flatten().map(Directive::written));
        }
        assert_eq!(
            written,
            [
                "set $mode 0",
                "set $user_id 1",
                "proxy_set_header X $app",
                "proxy_set_header Y 80",
                "if ($mode)",
                "set $host_part a",
                "location /",
                "proxy_pass http://web:80",
                "add_header P $user_id",
                "location /a",
                "proxy_pass http://other:80/one$is_args$args",
                "add_header M $mode",
                "location ~ ^/(?<user_id>x)",
                "set $t a",
                "set $t b",
                "set $u $arg_x",
                "add_header T $t$u",
            ]
        );
    }
}
