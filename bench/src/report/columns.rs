//! Which fields of a record people see, under which words and in which units.

use super::record::Record;
use super::table::Table;

/// A column of a table: its header, and what a record has in it.
type Column = (&'static str, fn(&Record) -> Option<String>);

/// The header of the column of ratios, whose cells are long.
pub(super) const RATIOS: &str = "ratio to";

const COLUMNS: &[Column] = &[
    ("CPU µs/request", |r| decimals(r.cpu_us_per_request, 2)),
    ("CPU s/GB", |r| decimals(r.cpu_s_per_gb, 3)),
    ("ns/packet", |r| decimals(r.ns_per_packet, 0)),
    ("start ms", |r| decimals(r.startup_ms, 1)),
    ("spread", |r| decimals(r.spread, 2)),
    (RATIOS, ratios),
    ("per s", |r| decimals(r.requests_per_s, 0)),
    ("p50 µs", |r| number(r.p50_us)),
    ("p99 µs", |r| number(r.p99_us)),
    ("p99.9 µs", |r| number(r.p999_us)),
    ("max µs", |r| number(r.max_us)),
    ("streams", |r| number(r.streams)),
    ("B/stream", |r| number(r.rss_bytes_per_stream)),
    ("at rest", |r| mebibytes(r.rss_bytes_at_rest)),
    ("program", |r| mebibytes(r.binary_bytes)),
    ("resumed", |r| percent(r.resumed)),
    ("reconnected", |r| number(r.reconnected)),
    ("slow", |r| number(r.slow)),
    ("datagrams/send", |r| decimals(r.datagrams_per_send, 1)),
    ("datagrams/receive", |r| {
        decimals(r.datagrams_per_receive, 1)
    }),
    ("proxy busy", |r| percent(r.proxy_busy)),
    ("others busy", |r| percent(r.others_busy)),
    ("errors", |r| (r.errors > 0).then(|| r.errors.to_string())),
];

/// A table of records of one workload: the columns that any of them fills.
pub(crate) fn table(records: &[&Record]) -> Table {
    let filled = |(_, cell): &&Column| records.iter().any(|record| cell(record).is_some());
    let columns: Vec<&Column> = COLUMNS.iter().filter(filled).collect();
    let has_cases = records.iter().any(|record| !record.case.is_empty());
    let mut header = vec!["proxy".to_owned()];
    if has_cases {
        header.insert(0, "case".to_owned());
    }
    header.extend(columns.iter().map(|(name, _)| (*name).to_owned()));
    let mut table = Table::new(header);
    for record in records {
        let mut row = vec![record.proxy.clone()];
        if has_cases {
            row.insert(0, record.case.clone());
        }
        row.extend(
            columns
                .iter()
                .map(|(_, cell)| cell(record).unwrap_or_default()),
        );
        table.row(row);
    }
    table
}

/// The ratios, best known peer first; a question mark where they allow no verdict.
fn ratios(record: &Record) -> Option<String> {
    let others = record.ratio_to.iter();
    let others = others.filter(|(peer, _)| **peer != record.proxy);
    let parts: Vec<String> = others
        .map(|(peer, ratio)| {
            let doubt = record
                .verdict
                .get(peer)
                .is_some_and(|word| word == "no verdict");
            format!("{peer} {ratio:.2}{}", if doubt { "?" } else { "" })
        })
        .collect();
    (!parts.is_empty()).then(|| parts.join(", "))
}

fn decimals(value: Option<f64>, digits: usize) -> Option<String> {
    value.map(|value| format!("{value:.digits$}"))
}

fn number(value: Option<u64>) -> Option<String> {
    value.map(|value| value.to_string())
}

fn percent(share: Option<f64>) -> Option<String> {
    share.map(|share| format!("{:.1} %", share * 100.0))
}

fn mebibytes(bytes: Option<u64>) -> Option<String> {
    bytes.map(|bytes| format!("{:.1} MiB", bytes as f64 / f64::from(1 << 20)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn only_columns_with_something_in_them_are_shown() {
        let record = Record {
            proxy: "edge".into(),
            startup_ms: Some(12.34),
            ratio_to: BTreeMap::from([("edge".into(), 1.0), ("nginx".into(), 0.5)]),
            verdict: BTreeMap::from([("nginx".into(), "no verdict".into())]),
            ..Record::default()
        };
        assert_eq!(
            table(&[&record]).to_string(),
            "| proxy | start ms |    ratio to |\n|-------|---------:|------------:|\n\
             | edge  |     12.3 | nginx 0.50? |\n"
        );
    }
}
