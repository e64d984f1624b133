//! Files, compression and stored answers, as keys of a route.

use super::document::{Section, text};
use super::notes::Notes;
use super::scope::Scope;
use super::tree::Directive;
use super::values::{duration, size};

/// Directives that are looked at here, wherever they stand.
pub(super) const NAMES: &[&str] = &[
    "root",
    "alias",
    "index",
    "try_files",
    "expires",
    "gzip",
    "gzip_static",
    "gzip_min_length",
    "brotli",
    "brotli_static",
    "zstd",
    "zstd_static",
    "proxy_cache",
    "proxy_cache_valid",
    "proxy_cache_use_stale",
    "proxy_cache_background_update",
    "proxy_cache_lock",
    "proxy_cache_lock_timeout",
];

/// nginx sends stale answers without end; an hour is long enough to repair an upstream.
const STALE: &str = "1h";

/// Files of a location that does nothing else; `false` where it has none.
pub(super) fn files(
    section: &mut Section,
    key: &str,
    pattern: &str,
    scope: &Scope<'_>,
    notes: &mut Notes,
) -> bool {
    let alias = scope
        .own()
        .iter()
        .find(|directive| directive.name == "alias");
    let Some(root) = alias.or_else(|| scope.find("root")) else {
        return false;
    };
    if root.arg().contains('$') {
        notes.leave(section, root, "a directory cannot be picked by variables");
        return false;
    }
    if alias.is_some() && key != "path" {
        notes.leave(section, root, "`strip_prefix` needs a route with a `path`");
        return false;
    }
    let mut keys = vec![format!("root = {}", text(root.arg()))];
    if let Some(index) = scope.find("index") {
        let names: Vec<String> = index.args.iter().map(|name| text(name)).collect();
        match index.args.iter().any(|name| name.contains(['/', '$'])) {
            true => notes.leave(section, index, "an index is a name of a file"),
            false => keys.push(format!("index = [{}]", names.join(", "))),
        }
    }
    let prefix = alias.map_or("", |_| pattern.trim_end_matches('/'));
    if let Some(directive) = scope.find("try_files") {
        match fallback(directive, prefix) {
            Ok(None) => {}
            Ok(Some(path)) => keys.push(format!("fallback = {}", text(&path))),
            Err(reason) => notes.leave(section, directive, reason),
        }
    }
    let statics = ["gzip_static", "brotli_static", "zstd_static"];
    if statics.into_iter().any(|name| scope.is_on(name)) {
        keys.push("precompressed = true".to_owned());
    }
    if let Some(directive) = scope.find("expires") {
        match expires(directive) {
            Ok(None) => {}
            Ok(Some(value)) => keys.push(format!("cache_control = {}", text(&value))),
            Err(reason) => notes.leave(section, directive, reason),
        }
    }
    if alias.is_some() {
        section.raw("strip_prefix", "true");
    }
    section.raw("files", format!("{{ {} }}", keys.join(", ")));
    true
}

/// What is served where there is no file.
fn fallback(directive: &Directive, prefix: &str) -> Result<Option<String>, &'static str> {
    let Some((last, tried)) = directive.args.split_last() else {
        return Ok(None);
    };
    if tried
        .iter()
        .any(|path| !matches!(&**path, "$uri" | "$uri/"))
    {
        return Err("files are looked for under their own path only");
    }
    match &**last {
        "=404" => Ok(None),
        path if path.starts_with('=') => Err("what is not there is 404"),
        path if path.starts_with('@') => Err("named locations have no counterpart"),
        path => match path.strip_prefix(prefix) {
            Some(path) if path.starts_with('/') && !path.contains(['$', '?']) && path.len() > 1 => {
                Ok(Some(path.to_owned()))
            }
            _ => Err("a fallback is a file of the directory"),
        },
    }
}

/// `Cache-Control` for a time; `None` for none.
fn expires(directive: &Directive) -> Result<Option<String>, &'static str> {
    match directive.arg() {
        "off" => Ok(None),
        "max" => Ok(Some("max-age=315360000".to_owned())),
        "epoch" => Ok(Some("no-cache".to_owned())),
        time if time.starts_with('-') => Ok(Some("no-cache".to_owned())),
        time => match duration(time) {
            Some(time) => Ok(Some(format!(
                "max-age={}",
                super::values::millis(&time) / 1000
            ))),
            None => Err("write `cache_control` or a rule in `response_headers`"),
        },
    }
}

/// Compression that is on in a location.
pub(super) fn compression(section: &mut Section, scope: &Scope<'_>) {
    let codings = [("zstd", "zstd"), ("brotli", "br"), ("gzip", "gzip")];
    let on = codings.into_iter().filter(|(name, _)| scope.is_on(name));
    let on: Vec<String> = on.map(|(_, coding)| text(coding)).collect();
    if on.is_empty() {
        return;
    }
    let least = scope.find("gzip_min_length");
    let least = least.and_then(|directive| size(directive.arg()));
    let least = least.map_or(String::new(), |least| format!(", min_length = {least}"));
    section.raw(
        "compress",
        format!("{{ codings = [{}]{least} }}", on.join(", ")),
    );
}

/// Stored answers of a location that passes requests on.
pub(super) fn cache(section: &mut Section, scope: &Scope<'_>, notes: &mut Notes) {
    let zone = scope.find("proxy_cache");
    if zone.is_none_or(|directive| directive.arg() == "off") {
        return;
    }
    let mut keys = Vec::new();
    let mut times = Vec::new();
    for directive in scope.all("proxy_cache_valid") {
        let time = directive.args.last().and_then(|time| duration(time));
        let codes = &directive.args[..directive.args.len().saturating_sub(1)];
        let Some(time) = time.filter(|time| time != "0ms") else {
            notes.leave(section, directive, "answers without a time are not stored");
            continue;
        };
        let codes: Vec<&str> = match codes {
            [] => vec!["200", "301", "302"],
            codes if codes.iter().any(|code| code == "any") => vec!["2xx", "3xx", "4xx"],
            codes => codes.iter().map(String::as_str).collect(),
        };
        times.extend(codes.iter().map(|code| text(&format!("{code}: {time}"))));
    }
    if !times.is_empty() {
        keys.push(format!("ttl = [{}]", times.join(", ")));
    }
    let stale = scope.find("proxy_cache_use_stale");
    let stale = |wanted: &str| {
        stale.is_some_and(|directive| directive.args.iter().any(|when| when.starts_with(wanted)))
    };
    if stale("updating") && scope.is_on("proxy_cache_background_update") {
        keys.push(format!("stale_while_revalidate = {}", text(STALE)));
    }
    if stale("error") || stale("timeout") || stale("http_5") {
        keys.push(format!("stale_if_error = {}", text(STALE)));
    }
    let wait = match scope.is_on("proxy_cache_lock") {
        true => {
            let given = scope.find("proxy_cache_lock_timeout");
            given.and_then(|directive| duration(directive.arg()))
        }
        false => Some("off".to_owned()),
    };
    keys.extend(wait.map(|wait| format!("wait = {}", text(&wait))));
    section.raw("cache", format!("{{ {} }}", keys.join(", ")));
}
