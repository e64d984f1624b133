//! Lists of networks: written in the file, and in files of their own with a network a line.

use std::path::Path;

use edge_common::LIST_MAX;

use crate::cidr::{Cidr, Finding, ListUse, parse_entry, read_list};
use crate::config::item::Item;
use crate::config::table::Table;
use crate::config::value::join;

/// Twice the longest a full list can be, comments included.
const FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;

/// The networks under `name` and in the files under `files_name`, in order; `None` when some of it
/// is wrong.
pub(super) fn read(
    table: &Table<'_>,
    name: &'static str,
    files_name: &'static str,
    list_use: ListUse,
) -> Option<Vec<Cidr>> {
    let written = table.item(name).map(|item| written(&item, list_use));
    let from_files = table.item(files_name).map(|item| files(&item, list_use));
    let mut cidrs = written.unwrap_or(Some(Vec::new()))?;
    cidrs.extend(from_files.unwrap_or(Some(Vec::new()))?);
    cidrs.sort_unstable();
    cidrs.dedup();

    let v4 = cidrs.partition_point(|cidr| cidr.addr().is_ipv4());
    for (family, count) in [("IPv4", v4), ("IPv6", cidrs.len() - v4)] {
        if count > LIST_MAX as usize {
            let message = format!(
                "`{name}`: {count} {family} networks are more than the {LIST_MAX} a list holds; \
                 join neighbours into wider networks"
            );
            let item = table.item(files_name).or(table.item(name));
            let span = item.map_or(table.span(), |item| item.span());
            table.report().error(span, message);
            return None;
        }
    }
    Some(cidrs)
}

fn written(item: &Item<'_>, list_use: ListUse) -> Option<Vec<Cidr>> {
    let items = item.list("a list of networks such as [\"203.0.113.0/24\"]")?;
    let read_one = |item: &Item<'_>| {
        let text = item.text("a network such as \"203.0.113.0/24\"")?;
        match parse_entry(text, list_use) {
            Ok((cidr, warning)) => {
                if let Some(warning) = warning {
                    item.report().warning(item.span(), warning);
                }
                Some(cidr)
            }
            Err(error) => {
                item.error(error);
                None
            }
        }
    };
    // Every item is read, so that every wrong one is reported.
    let cidrs: Vec<_> = items.iter().map(read_one).collect();
    cidrs.into_iter().collect()
}

fn files(item: &Item<'_>, list_use: ListUse) -> Option<Vec<Cidr>> {
    let items = item.list("a list of files such as [\"blocklist.txt\"]")?;
    let lists: Vec<_> = items
        .iter()
        .map(|item| {
            let base = item.report().source().directory();
            let path = item.parse("a path", |text| join(base, text))?;
            file(item, &path, list_use)
        })
        .collect();
    let lists: Option<Vec<Vec<Cidr>>> = lists.into_iter().collect();
    Some(lists?.into_iter().flatten().collect())
}

fn file(item: &Item<'_>, path: &Path, list_use: ListUse) -> Option<Vec<Cidr>> {
    let shown = path.display();
    let text = match text_of(item, path) {
        Ok(text) => text,
        Err(error) => {
            item.error(format!("{shown}: {error}"));
            return None;
        }
    };
    let list = read_list(&text, list_use);
    let about = |finding: &Finding| format!("{shown}:{}: {}", finding.line, finding.message);
    for finding in &list.warnings {
        item.report().warning(item.span(), about(finding));
    }
    for finding in &list.errors {
        item.error(about(finding));
    }
    list.errors.is_empty().then_some(list.cidrs)
}

fn text_of(item: &Item<'_>, path: &Path) -> Result<String, String> {
    let bytes = item.report().read(path, FILE_BYTES_MAX);
    let bytes = bytes.map_err(|error| format!("cannot be read: {error}"))?;
    if bytes.len() as u64 > FILE_BYTES_MAX {
        return Err("is larger than 64MiB, so it is not a list of networks".to_owned());
    }
    String::from_utf8(bytes).map_err(|_| "is not UTF-8, so it is not a list of networks".to_owned())
}
