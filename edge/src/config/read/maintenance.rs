//! `maintenance` of the whole file or of a host: `true`, `false`, or a table.

use std::time::Duration;

use toml::de::DeValue;

use crate::config::schema::MAINTENANCE;
use crate::config::table::Table;
use crate::config::types::Maintenance;
use crate::config::value::{join, parse_cidr};

const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Reads what a table says; `outer` holds where it says nothing.
pub(super) fn read(table: &Table<'_>, outer: Option<&Maintenance>) -> Option<Maintenance> {
    let Some(item) = table.item("maintenance") else {
        return outer.cloned();
    };
    match item.value() {
        DeValue::Boolean(false) => None,
        DeValue::Boolean(true) => Some(options(&Table::absent(MAINTENANCE, item.report()))),
        DeValue::Table(_) => item.table(MAINTENANCE).map(|table| options(&table)),
        _ => item.mismatch("true, false or a table, under [maintenance]"),
    }
}

fn options(table: &Table<'_>) -> Maintenance {
    let base = table.report().source().directory();
    let file = table
        .item("file")
        .and_then(|item| item.parse("the path of a file", |text| join(base, text)));
    Maintenance {
        file,
        exempt: table.list_of(
            "exempt",
            "a list of networks such as [\"10.0.0.0/8\"]",
            parse_cidr,
        ),
        retry_after: table.duration(
            "retry_after",
            Maintenance::default().retry_after,
            SECOND..=DAY,
        ),
    }
}
