//! What has changed between two runs.

use std::fmt::Write as _;

use super::record::Record;
use super::table::Table;

/// A change smaller than this is none, however quiet the machine was: alignment alone moves code by
/// as much.
const TOLERANCE: f64 = 0.03;

/// How a result has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Better,
    Worse,
    /// Within spread and tolerance.
    Same,
}

/// A table for people of all results that both runs have, and how many of edge's became worse.
///
/// The ratio to a peer is compared where both runs have one with a range, because it does not depend
/// on how fast the machine was; else the value itself, within the spreads of both.
pub(crate) fn compare(old: &[Record], new: &[Record]) -> (String, usize) {
    let header = [
        "workload", "case", "proxy", "what", "old", "new", "change", "",
    ];
    let mut table = Table::new(header.map(str::to_owned).to_vec());
    let mut worse = 0;
    let mut missing = String::new();
    for before in old {
        let same = |after: &&Record| after.is_beside(before) && after.proxy == before.proxy;
        let Some(after) = new.iter().find(same) else {
            let _ = writeln!(
                missing,
                "only in the old run: {} {} {}",
                before.workload, before.case, before.proxy
            );
            continue;
        };
        let Some((what, old, new, change)) = change(before, after) else {
            continue;
        };
        worse += usize::from(change == Change::Worse && before.proxy == "edge");
        table.row(vec![
            before.workload.clone(),
            before.case.clone(),
            before.proxy.clone(),
            what,
            format!("{old:.3}"),
            format!("{new:.3}"),
            format!("{:+.1} %", (new / old - 1.0) * 100.0),
            match change {
                Change::Better => "better".to_owned(),
                Change::Worse => "WORSE".to_owned(),
                Change::Same => String::new(),
            },
        ]);
    }
    (format!("{table}{missing}"), worse)
}

fn change(before: &Record, after: &Record) -> Option<(String, f64, f64, Change)> {
    if after.errors > before.errors {
        let (old, new) = (before.errors as f64, after.errors as f64);
        return Some(("errors".to_owned(), old, new, Change::Worse));
    }
    for (peer, &[old_low, old_high]) in &before.ratio_range {
        let old = before.ratio_to.get(peer)?;
        if let Some(&[new_low, new_high]) = after.ratio_range.get(peer)
            && let Some(new) = after.ratio_to.get(peer)
        {
            let change = match new / old - 1.0 {
                by if by > TOLERANCE && new_low > old_high => Change::Worse,
                by if by < -TOLERANCE && new_high < old_low => Change::Better,
                _ => Change::Same,
            };
            return Some((format!("ratio to {peer}"), *old, *new, change));
        }
    }
    let (old, new) = before.main_value().zip(after.main_value())?;
    let noise = before.spread.unwrap_or(0.0) + after.spread.unwrap_or(0.0);
    let noise = noise.max(old * TOLERANCE);
    let change = match new - old {
        by if by > noise => Change::Worse,
        by if by < -noise => Change::Better,
        _ => Change::Same,
    };
    Some((before.ratio_of.clone(), old, new, change))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn record(cpu: f64, spread: f64) -> Record {
        Record {
            workload: "https1".into(),
            proxy: "edge".into(),
            cpu_us_per_request: Some(cpu),
            spread: Some(spread),
            ratio_of: "cpu_us_per_request".into(),
            ..Record::default()
        }
    }

    fn ratio(record: Record, ratio: f64, range: [f64; 2]) -> Record {
        Record {
            ratio_to: BTreeMap::from([("nginx".into(), ratio)]),
            ratio_range: BTreeMap::from([("nginx".into(), range)]),
            ..record
        }
    }

    #[test]
    fn only_what_exceeds_the_spread_is_a_regression() {
        let worse = |old: Record, new: Record| compare(&[old], &[new]).1;
        assert_eq!(worse(record(10.0, 0.2), record(11.0, 0.2)), 1);
        assert_eq!(worse(record(10.0, 0.9), record(11.0, 0.2)), 0);
        assert_eq!(worse(record(10.0, 0.01), record(10.2, 0.01)), 0);
        assert_eq!(worse(record(11.0, 0.2), record(10.0, 0.2)), 0);
    }

    #[test]
    fn a_slower_machine_is_no_regression() {
        let old = ratio(record(10.0, 0.1), 0.60, [0.59, 0.61]);
        let slow = ratio(record(20.0, 0.1), 0.60, [0.58, 0.62]);
        assert_eq!(compare(std::slice::from_ref(&old), &[slow]).1, 0);
        let dearer = ratio(record(10.0, 0.1), 0.66, [0.65, 0.67]);
        let (text, worse) = compare(&[old], &[dearer]);
        assert_eq!(worse, 1);
        assert!(
            text.contains("ratio to nginx") && text.contains("WORSE"),
            "{text}"
        );
    }

    #[test]
    fn errors_and_missing_results_are_said() {
        let failed = Record {
            errors: 3,
            ..record(1.0, 0.0)
        };
        assert_eq!(compare(&[record(10.0, 0.1)], &[failed]).1, 1);
        let (text, worse) = compare(&[record(10.0, 0.1)], &[]);
        assert_eq!(worse, 0);
        assert!(text.contains("only in the old run: https1"), "{text}");
    }
}
