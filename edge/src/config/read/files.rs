//! `files` of a route, or `[host.route.files]`.

use toml::de::DeValue;

use super::tls::Places;
use crate::config::FilesAction;
use crate::config::item::Item;
use crate::config::schema::FILES;
use crate::config::table::Table;
use crate::config::value::{Invalid, join, quote};

/// Each is looked for in turn, with every request for a directory.
const INDEX_MAX: usize = 8;

/// A directory, or a table that names one.
pub(super) fn read(route: &Table<'_>, places: &mut Places) -> Option<FilesAction> {
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
        fallback,
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
