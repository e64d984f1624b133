//! `error_pages` of a host: `"404: errors/404.html"`, `"5xx: errors/50x.html"`.

use std::path::Path;

use crate::config::item::Item;
use crate::config::report::Report;
use crate::config::table::Table;
use crate::config::types::ErrorPage;
use crate::config::value::{Invalid, join, quote};

/// A page for people; every worker may have many of them queued at once.
const PAGE_BYTES_MAX: u64 = 256 * 1024;

pub(super) fn read(table: &Table<'_>) -> Vec<ErrorPage> {
    let expected = "a list of pages such as [\"404: errors/404.html\"]";
    let items = table
        .item("error_pages")
        .and_then(|item| item.list(expected));
    let mut pages: Vec<ErrorPage> = items.unwrap_or_default().iter().filter_map(page).collect();
    // A page for one status before one for its class.
    pages.sort_by_key(|page| page.last - page.first);
    pages
}

fn page(item: &Item<'_>) -> Option<ErrorPage> {
    let base = item.report().source().directory();
    item.parse("a page such as \"404: errors/404.html\"", |text| {
        let invalid = |problem: &str| Invalid::new(format!("{} {problem}", quote(text)));
        let (status, path) = text
            .split_once(':')
            .ok_or_else(|| invalid("names no status").fix("write \"404: errors/404.html\""))?;
        let (first, last) = match status.trim() {
            "4xx" => (400, 499),
            "5xx" => (500, 599),
            status => match status.parse() {
                Ok(status @ 400..=599) => (status, status),
                _ => {
                    return Err(invalid("is for no error").fix("write 400 to 599, 4xx or 5xx"));
                }
            },
        };
        let path = join(base, path.trim())?;
        let content = content(item.report(), &path)
            .map_err(|problem| Invalid::new(format!("{} {problem}", path.display())))?;
        Ok(ErrorPage {
            first,
            last,
            content: content.into(),
            content_type: content_type(&path),
        })
    })
}

fn content(report: &Report<'_>, path: &Path) -> Result<Vec<u8>, String> {
    let content = report.read(path, PAGE_BYTES_MAX);
    let content = content.map_err(|error| format!("cannot be read: {error}"))?;
    match content.len() as u64 > PAGE_BYTES_MAX {
        true => Err("is larger than 256KiB".to_owned()),
        false => Ok(content),
    }
}

fn content_type(path: &Path) -> &'static str {
    match path.extension().and_then(|extension| extension.to_str()) {
        Some("html" | "htm") => "text/html; charset=utf-8",
        Some("json") => "application/json",
        _ => "text/plain; charset=utf-8",
    }
}
