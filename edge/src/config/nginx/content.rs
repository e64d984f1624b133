//! Files, compression and stored answers, as keys of a route.

use regex::bytes::RegexBuilder;

use super::document::{Section, text};
use super::expression::{Expression, expression};
use super::guards;
use super::known::is_pass;
use super::notes::Notes;
use super::scope::Scope;
use super::tree::Directive;
use super::values::{duration, size};
use crate::content::type_of_extension;

/// Directives that are looked at here, wherever they stand.
pub(super) const NAMES: &[&str] = &[
    "root",
    "alias",
    "index",
    "try_files",
    "types",
    "default_type",
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

/// The type of what is not known, in most configurations and here.
const UNKNOWN: &str = "application/octet-stream";

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
        notes.leave(section, root, VARIABLE);
        return false;
    }
    if alias.is_some() && key != "path" {
        notes.leave(section, root, "`strip_prefix` needs a route with a `path`");
        return false;
    }
    let mut keys = vec![format!("root = {}", text(root.arg()))];
    if let Some(index) = scope.find("index") {
        let names: Vec<String> = index.args.iter().map(|name| text(name)).collect();
        let programs = index.args.iter().filter(|name| is_program(name, scope));
        match index.args.iter().any(|name| name.contains(['/', '$'])) {
            true => notes.leave(section, index, "an index is a name of a file"),
            false if programs.count() > 0 => {
                notes.leave(section, index, PROGRAM);
                let others = index.args.iter().filter(|name| !is_program(name, scope));
                let others: Vec<String> = others.map(|name| text(name)).collect();
                keys.push(format!("index = [{}]", others.join(", ")));
            }
            false => keys.push(format!("index = [{}]", names.join(", "))),
        }
    }
    let prefix = alias.map_or("", |_| pattern.trim_end_matches('/'));
    // A location has none from outside; what no location takes is asked for by the server's.
    let tried = match scope.own() {
        [] => scope.find("try_files"),
        own => own.iter().find(|directive| directive.name == "try_files"),
    };
    if let Some(directive) = tried {
        let tries = match is_left_to_another(directive) {
            true => Err("what is no file is left to a named location, which says nothing here"),
            false => tries(directive, prefix, scope),
        };
        match tries {
            Ok(tries) => keys.extend(tries),
            Err(reason) => notes.leave(section, directive, reason),
        }
    }
    if alias.is_some() {
        section.raw("strip_prefix", "true");
    }
    keys.extend(sent(section, scope, notes));
    section.raw("files", format!("{{ {} }}", keys.join(", ")));
    true
}

/// Files that come before the upstream of a route, which gets what `try_files` leaves to a named location;
/// or why there can be none.
pub(super) fn files_first(
    section: &mut Section,
    tries: &Directive,
    scope: &Scope<'_>,
    notes: &mut Notes,
) -> Result<(), &'static str> {
    if scope
        .own()
        .iter()
        .any(|directive| directive.name == "alias")
    {
        return Err("an alias takes the prefix from files and not from what is asked upstream");
    }
    let root = scope.find("root").ok_or("there is no `root`")?;
    if root.arg().contains('$') {
        return Err(VARIABLE);
    }
    let mut keys = vec![format!("root = {}", text(root.arg()))];
    keys.extend(self::tries(tries, "", scope)?);
    keys.extend(sent(section, scope, notes));
    section.raw("files", format!("{{ {} }}", keys.join(", ")));
    Ok(())
}

/// What files are sent with.
fn sent(section: &mut Section, scope: &Scope<'_>, notes: &mut Notes) -> Vec<String> {
    let mut keys = types(section, scope, notes);
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
    keys
}

/// Whether nginx hands a file that it has found itself to another location, which runs it or keeps
/// clients from it: here it would be sent as it is.
fn is_program(path: &str, scope: &Scope<'_>) -> bool {
    let path = format!("/{}", path.trim_start_matches('/'));
    let locations = scope.blocks().iter().flat_map(|block| block.iter());
    let mut takers = locations.filter(|location| match (location.arg(), location.args.get(1)) {
        _ if location.name != "location" => false,
        ("=", Some(exact)) => *exact == path,
        ("~" | "~*", Some(regex)) => {
            let (Expression::Same(ours) | Expression::Wider(ours)) = expression(regex);
            let ours = RegexBuilder::new(&ours)
                .unicode(false)
                .case_insensitive(true)
                .build();
            ours.is_ok_and(|ours| ours.is_match(path.as_bytes()))
        }
        _ => false,
    });
    takers.any(|location| {
        let block = location.block.as_deref().unwrap_or_default();
        let passes = |d: &Directive| is_pass(&d.name) || d.name == "return";
        block.iter().any(passes) || guards::any(block)
    })
}

const VARIABLE: &str = "a directory cannot be picked by variables";
const PROGRAM: &str = "another location takes this file: it is not to be sent as it is";

/// Whether `try_files` ends with a named location.
fn is_left_to_another(tries: &Directive) -> bool {
    tries.args.last().is_some_and(|last| last.starts_with('@'))
}

/// `try` and `fallback`.
fn tries(
    directive: &Directive,
    prefix: &str,
    scope: &Scope<'_>,
) -> Result<Vec<String>, &'static str> {
    let Some((last, tried)) = directive.args.split_last() else {
        return Ok(Vec::new());
    };
    let all = directive
        .args
        .iter()
        .map(|path| path.replace("$uri", "any"));
    let mut files = all.filter(|path| !path.starts_with(['=', '@']));
    if files.any(|path| is_program(&path, scope)) {
        return Err(PROGRAM);
    }
    let places: Result<Vec<String>, _> = tried.iter().map(|path| place(path, prefix)).collect();
    let places = places?;
    let mut keys = Vec::new();
    let default: &[&str] = match is_left_to_another(directive) {
        true => &["{path}"],
        false => &["{path}", "{path}/"],
    };
    if places != default {
        let places: Vec<String> = places.iter().map(|place| text(place)).collect();
        keys.push(format!("try = [{}]", places.join(", ")));
    }
    match &**last {
        "=404" => {}
        path if path.starts_with('=') => return Err("what is not there is 404"),
        // The upstream of the route.
        path if path.starts_with('@') => {}
        path => keys.push(format!("fallback = {}", text(&below(path, prefix)?))),
    }
    Ok(keys)
}

/// A place where nginx looks, as ours is written.
fn place(path: &str, prefix: &str) -> Result<String, &'static str> {
    let Some(suffix) = path.strip_prefix("$uri") else {
        return below(path, prefix);
    };
    let is_plain = !suffix.contains(['$', '{', '}', '?']) && !suffix.contains("..");
    match suffix {
        "" | "/" => Ok(format!("{{path}}{suffix}")),
        _ if is_plain && !suffix.ends_with('/') => Ok(format!("{{path}}{suffix}")),
        _ => Err("a place is {path}, with the end of a name behind it, or a path"),
    }
}

/// A path below what an alias stands for.
fn below(path: &str, prefix: &str) -> Result<String, &'static str> {
    match path.strip_prefix(prefix) {
        Some(path) if path.starts_with('/') && !path.contains(['$', '?']) && path.len() > 1 => {
            Ok(path.to_owned())
        }
        _ => Err("a fallback is a file of the directory"),
    }
}

/// Media types that are not those that are known anyway.
fn types(section: &mut Section, scope: &Scope<'_>, notes: &mut Notes) -> Vec<String> {
    let mut keys = Vec::new();
    let table = scope.find("types");
    let own = table.and_then(|table| table.block.as_deref());
    if let (Some(table), Some([])) = (table, own) {
        notes.leave(section, table, "the types that are known stay so");
    }
    let mut rules = Vec::new();
    // What nginx comes with says no more than is known here, but for what nobody uses any more.
    let is_stock = table.is_some_and(|table| table.file.ends_with("mime.types"));
    let is_type = |entry: &&Directive| !is_stock && entry.name != "include";
    for entry in own.unwrap_or_default().iter().filter(is_type) {
        let differs = |extension: &&String| {
            let known = type_of_extension(&extension.to_ascii_lowercase());
            let known = known.and_then(|known| known.split(';').next());
            // JavaScript has had other names.
            let same = known == Some(&*entry.name)
                || (known == Some("text/javascript") && entry.name.ends_with("/javascript"));
            !same && extension.bytes().all(|b| b.is_ascii_alphanumeric())
        };
        let extensions: Vec<&str> = entry.args.iter().filter(differs).map(|e| &**e).collect();
        if !extensions.is_empty() && entry.name.contains('/') {
            rules.push(text(&format!("{}: {}", extensions.join(" "), entry.name)));
        }
    }
    if !rules.is_empty() {
        keys.push(format!("types = [{}]", rules.join(", ")));
    }
    let default = scope.find("default_type").map(Directive::arg);
    if let Some(default) = default.filter(|kind| *kind != UNKNOWN && kind.contains('/')) {
        keys.push(format!("default_type = {}", text(default)));
    }
    keys
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
