//! `files` of a route, or `[host.route.files]`.

use std::collections::HashMap;

use toml::de::DeValue;

use super::tls::Places;
use crate::config::item::Item;
use crate::config::schema::FILES;
use crate::config::table::Table;
use crate::config::value::{Invalid, is_token, join, quote};
use crate::config::{Attempt, FilesAction};

/// Each is looked for in turn, with every request for a directory.
const INDEX_MAX: usize = 8;
/// So is each of these.
const TRIES_MAX: usize = 8;

/// What becomes of a request for no file.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Otherwise {
    /// 404.
    Nothing,
    /// The upstream of the route gets it.
    Upstream,
}

/// A directory, or a table that names one.
pub(super) fn read(
    route: &Table<'_>,
    places: &mut Places,
    otherwise: Otherwise,
) -> Option<FilesAction> {
    let item = route.item("files")?;
    let strip_prefix = route.flag("strip_prefix").unwrap_or(false);
    let table = match item.value() {
        DeValue::String(_) => Table::absent(FILES, item.report()),
        DeValue::Table(_) => item.table(FILES)?,
        _ => return item.mismatch("a directory such as \"/srv/www\", or a table"),
    };
    let root = match item.value() {
        DeValue::Table(_) => table.required("root", "\"/srv/www\"")?,
        _ => item,
    };
    let base = root.report().source().directory();
    let path = root.parse("the path of a directory", |text| join(base, text));
    places.extend(path.clone().map(|path| (path, root.span())));
    let fallback = table.item("fallback");
    if let (Some(item), Otherwise::Upstream) = (&fallback, otherwise) {
        item.error("would leave nothing to the `upstream` of the route; leave out one of them");
    }
    let fallback =
        fallback.and_then(|item| item.parse("a path such as \"/index.html\"", fallback_path));
    let cache_control = table.item("cache_control").and_then(|item| {
        item.parse("a text such as \"public, max-age=3600\"", |text| {
            let fits = !text.is_empty() && text.bytes().all(|b| (b' '..=b'~').contains(&b));
            match fits && text.trim() == text {
                true => Ok(text.to_owned()),
                false => Err(Invalid::new(format!(
                    "{} is no value of Cache-Control",
                    quote(text)
                ))),
            }
        })
    });
    Some(FilesAction {
        root: path?,
        directory: None,
        strip_prefix,
        index: index(&table),
        tries: tries(&table, otherwise),
        fallback,
        types: types(&table),
        default_type: table
            .item("default_type")
            .and_then(|item| item.parse("a media type such as \"text/plain\"", media_type)),
        precompressed: table.flag("precompressed").unwrap_or(false),
        hidden: table.flag("hidden").unwrap_or(false),
        cache_control,
    })
}

fn index(table: &Table<'_>) -> Vec<String> {
    let expected = "a list of names such as [\"index.html\"]";
    let Some(list) = table.item("index") else {
        return vec!["index.html".to_owned()];
    };
    let items = list.list(expected).unwrap_or_default();
    if items.len() > INDEX_MAX {
        list.error(format!("has more than {INDEX_MAX} names"));
    }
    let name = |item: &Item<'_>| {
        item.parse("the name of a file", |text| match is_name(text) {
            true => Ok(text.to_owned()),
            false => Err(Invalid::new(format!(
                "{} is not the name of a file",
                quote(text)
            ))),
        })
    };
    items.iter().filter_map(name).collect()
}

fn tries(table: &Table<'_>, otherwise: Otherwise) -> Vec<Attempt> {
    let expected = "a list of places such as [\"{path}\", \"{path}.html\"]";
    let Some(list) = table.item("try") else {
        return match otherwise {
            Otherwise::Nothing => vec![Attempt::Path, Attempt::Directory],
            // `/` and what looks like a directory are pages of the upstream.
            Otherwise::Upstream => vec![Attempt::Path],
        };
    };
    let items = list.list(expected).unwrap_or_default();
    if items.len() > TRIES_MAX {
        list.error(format!("has more than {TRIES_MAX} places"));
    }
    let place = |item: &Item<'_>| item.parse("a place such as \"{path}.html\"", attempt);
    items.iter().filter_map(place).collect()
}

fn attempt(text: &str) -> Result<Attempt, Invalid> {
    let invalid = || Invalid::new(format!("{} is no place in the directory", quote(text)));
    match text.strip_prefix("{path}") {
        Some("") => Ok(Attempt::Path),
        Some("/") => Ok(Attempt::Directory),
        Some(suffix) => {
            // Behind a path: whole names, or the end of the last one.
            let mut names = suffix.strip_prefix('/').unwrap_or(suffix).split('/');
            let fits = names.all(is_name) && !suffix.contains(['{', '}']);
            fits.then(|| Attempt::With(suffix.to_owned()))
                .ok_or_else(invalid)
        }
        None if text.contains(['{', '}']) => Err(invalid().fix("write {path} first, once")),
        None => fallback_path(text).map(Attempt::At),
    }
}

/// `"map: application/json"`, several extensions with spaces between.
fn types(table: &Table<'_>) -> HashMap<Box<str>, Box<str>> {
    let expected = "a list of types such as [\"map: application/json\"]";
    let items = table.item("types").and_then(|item| item.list(expected));
    let rule = |item: &Item<'_>| {
        item.parse("a type such as \"map: application/json\"", |text| {
            let invalid = |problem: &str| Invalid::new(format!("{} {problem}", quote(text)));
            let (extensions, kind) = text
                .split_once(':')
                .ok_or_else(|| invalid("names no extension").fix("write \"map: text/plain\""))?;
            let kind = media_type(kind.trim())?;
            let named: Vec<Box<str>> = extensions
                .split_whitespace()
                .map(|name| name.trim_start_matches('.').to_ascii_lowercase().into())
                .collect();
            let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'+');
            match named.is_empty() || named.iter().any(|name| !name.bytes().all(plain)) {
                true => Err(invalid("names no extension").fix("write \"map: text/plain\"")),
                false => Ok(named.into_iter().map(move |name| (name, kind.clone()))),
            }
        })
    };
    let rules = items.unwrap_or_default();
    rules.iter().filter_map(rule).flatten().collect()
}

fn media_type(text: &str) -> Result<Box<str>, Invalid> {
    let printable = text.bytes().all(|b| (b' '..=b'~').contains(&b));
    let (kind, rest) = text.split_once('/').unwrap_or_default();
    match printable && is_token(kind) && !rest.is_empty() {
        true => Ok(text.into()),
        false => Err(Invalid::new(format!("{} is not a media type", quote(text)))),
    }
}

fn is_name(text: &str) -> bool {
    !matches!(text, "" | "." | "..") && !text.contains(['/', '\0'])
}

/// Without the slash that it starts with.
fn fallback_path(text: &str) -> Result<String, Invalid> {
    let invalid = || Invalid::new(format!("{} is no path of a file in it", quote(text)));
    match text.strip_prefix('/') {
        None => Err(invalid().fix(format!("write \"/{}\"", text.trim_start_matches('/')))),
        Some(path) if path.split('/').all(is_name) => Ok(path.to_owned()),
        Some(_) => Err(invalid()),
    }
}
