//! `[trace]`: spans of OpenTelemetry.

use crate::config::Tracing;
use crate::config::schema::TRACE;
use crate::config::table::Table;
use crate::config::value::{Invalid, check_collector};

/// Reads the table, if it is there.
pub(super) fn read(top: &Table<'_>) -> Option<Tracing> {
    let table = top.item("trace")?.table(TRACE)?;
    let example = "\"http://127.0.0.1:4318/v1/traces\"";
    let endpoint = table
        .required("endpoint", example)
        .and_then(|item| item.parse(&format!("a URL such as {example}"), check_collector));
    let service = table.item("service").and_then(|item| {
        item.parse("a name such as \"edge\"", |text| match text {
            "" => Err(Invalid::new("a service has a name")),
            text => Ok(text.to_owned()),
        })
    });
    let sample = table.integer("sample", 1, 1..=1_000_000) as u32;
    Some(Tracing {
        endpoint: endpoint?,
        sample,
        service: service.unwrap_or_else(|| "edge".to_owned()),
    })
}
