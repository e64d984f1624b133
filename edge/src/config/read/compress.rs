//! `compress` of a route, or `[host.route.compress]`.

use toml::de::DeValue;

use crate::config::schema::COMPRESS;
use crate::config::table::Table;
use crate::config::{Coding, CompressRules};

const KIB: u64 = 1024;
const CODINGS: [(&str, Coding); 3] = [
    (Coding::Zstd.name(), Coding::Zstd),
    (Coding::Brotli.name(), Coding::Brotli),
    (Coding::Gzip.name(), Coding::Gzip),
];

/// `compress = true`, `compress = false`, or a table.
pub(super) fn read(route: &Table<'_>) -> Option<CompressRules> {
    let item = route.item("compress")?;
    let table = match item.value() {
        DeValue::Boolean(false) => return None,
        DeValue::Boolean(true) => Table::absent(COMPRESS, item.report()),
        DeValue::Table(_) => item.table(COMPRESS)?,
        _ => return item.mismatch("true, false or a table, under [host.route.compress]"),
    };
    let codings = table.item("codings").and_then(|list| {
        let items = list.list("a list of codings such as [\"zstd\", \"gzip\"]")?;
        if items.is_empty() {
            list.error("is empty; name at least one, or write `compress = false`");
        }
        Some(
            items
                .iter()
                .filter_map(|item| item.choice(&CODINGS))
                .collect(),
        )
    });
    Some(CompressRules {
        codings: codings.unwrap_or(Coding::ALL.to_vec()),
        least_bytes: table.size("min_length", KIB, 0..=1024 * KIB),
    })
}
