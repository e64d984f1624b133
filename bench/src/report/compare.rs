//! What has changed between two runs.

use std::fmt::Write as _;

use super::BEFORE;
use super::record::Record;
use super::table::Table;

/// A change smaller than this is none, however quiet the machine was: alignment alone moves code by
/// as much.
const TOLERANCE: f64 = 0.03;
/// Resident memory comes in pages, and in what the allocator keeps.
const MEMORY_TOLERANCE: f64 = 0.10;

/// How a result has changed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Change {
    Better,
    Worse,
    /// Within spread and tolerance.
    Same,
}

/// What two runs have to say to each other.
#[derive(Debug)]
pub(crate) struct Comparison {
    /// A table for people, and what only one of the runs has.
    pub(crate) text: String,
    /// How many results both have.
    pub(crate) compared: usize,
    /// How many of edge's became worse.
    pub(crate) worse: usize,
}

/// One value of a result in both runs.
struct Pair {
    what: String,
    old: f64,
    new: f64,
    change: Change,
}

/// Compares what both runs have measured.
///
/// The ratio to a peer is compared where both runs have one with a range, because it does not depend
/// on how fast the machine was; else the value itself, within the spreads of both.
pub(crate) fn compare(old: &[Record], new: &[Record]) -> Comparison {
    let header = [
        "workload", "case", "proxy", "what", "old", "new", "change", "",
    ];
    let mut table = Table::new(header.map(str::to_owned).to_vec());
    let (mut compared, mut worse) = (0, 0);
    let same = |one: &Record, other: &Record| one.is_beside(other) && one.proxy == other.proxy;
    for before in old {
        let Some(after) = new.iter().find(|after| same(before, after)) else {
            continue;
        };
        let pairs = [cost(before, after), memory(before, after)];
        compared += usize::from(pairs.iter().any(Option::is_some));
        for pair in pairs.into_iter().flatten() {
            worse += usize::from(pair.change == Change::Worse && before.proxy == "edge");
            table.row(pair.row(before));
        }
    }
    let mut text = table.to_string();
    for (run, own, other) in [("old", old, new), ("new", new, old)] {
        let alone = |one: &&Record| !other.iter().any(|other| same(one, other));
        for record in own.iter().filter(alone) {
            let (workload, case, proxy) = (&record.workload, &record.case, &record.proxy);
            let words = [workload, case, proxy].map(String::as_str);
            let words: Vec<&str> = words.into_iter().filter(|word| !word.is_empty()).collect();
            let _ = writeln!(text, "only in the {run} run: {}", words.join(" "));
        }
    }
    Comparison {
        text,
        compared,
        worse,
    }
}

impl Pair {
    fn row(self, record: &Record) -> Vec<String> {
        let by = (self.new / self.old - 1.0) * 100.0;
        vec![
            record.workload.clone(),
            record.case.clone(),
            record.proxy.clone(),
            self.what,
            format!("{:.3}", self.old),
            format!("{:.3}", self.new),
            match by.is_finite() {
                true => format!("{by:+.1} %"),
                false => String::new(),
            },
            match self.change {
                Change::Better => "better".to_owned(),
                Change::Worse => "WORSE".to_owned(),
                Change::Same => String::new(),
            },
        ]
    }
}

fn cost(before: &Record, after: &Record) -> Option<Pair> {
    if after.errors > before.errors {
        return Some(Pair {
            what: "errors".to_owned(),
            old: before.errors as f64,
            new: after.errors as f64,
            change: Change::Worse,
        });
    }
    if let Some(peer) = yardstick(before, after) {
        let (old, new) = (before.ratio_to[peer], after.ratio_to[peer]);
        let ([old_low, old_high], [new_low, new_high]) =
            (before.ratio_range[peer], after.ratio_range[peer]);
        return Some(Pair {
            what: format!("ratio to {peer}"),
            old,
            new,
            change: match new / old - 1.0 {
                by if by > TOLERANCE && new_low > old_high => Change::Worse,
                by if by < -TOLERANCE && new_high < old_low => Change::Better,
                _ => Change::Same,
            },
        });
    }
    let (old, new) = before.main_value().zip(after.main_value())?;
    let noise = before.spread.unwrap_or(0.0) + after.spread.unwrap_or(0.0);
    Some(Pair {
        what: before.ratio_of.clone(),
        old,
        new,
        change: beyond(noise.max(old * TOLERANCE), old, new),
    })
}

/// The peer by which a proxy is judged: one that is the same program in both runs, so no build of edge where there
/// is another; nginx where it was there.
fn yardstick<'a>(before: &'a Record, after: &Record) -> Option<&'a str> {
    let is_measured = |peer: &&str| {
        let in_one =
            |run: &Record| run.ratio_to.contains_key(*peer) && run.ratio_range.contains_key(*peer);
        in_one(before) && in_one(after)
    };
    let peers = before.ratio_range.keys().map(String::as_str);
    let peers = peers.filter(|peer| !["edge", BEFORE].contains(peer));
    peers
        .filter(is_measured)
        .max_by_key(|&peer| peer == "nginx")
}

fn memory(before: &Record, after: &Record) -> Option<Pair> {
    let main = "rss_bytes_per_stream";
    let both = before.rss_bytes_per_stream.zip(after.rss_bytes_per_stream);
    let (old, new) = both.filter(|_| before.ratio_of != main)?;
    let (old, new) = (old as f64, new as f64);
    Some(Pair {
        what: main.to_owned(),
        old,
        new,
        change: beyond(old * MEMORY_TOLERANCE, old, new),
    })
}

fn beyond(noise: f64, old: f64, new: f64) -> Change {
    match new - old {
        by if by > noise => Change::Worse,
        by if by < -noise => Change::Better,
        _ => Change::Same,
    }
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
        let worse = |old: Record, new: Record| compare(&[old], &[new]).worse;
        assert_eq!(worse(record(10.0, 0.2), record(11.0, 0.2)), 1);
        assert_eq!(worse(record(10.0, 0.9), record(11.0, 0.2)), 0);
        assert_eq!(worse(record(10.0, 0.01), record(10.2, 0.01)), 0);
        assert_eq!(worse(record(11.0, 0.2), record(10.0, 0.2)), 0);
    }

    #[test]
    fn a_slower_machine_is_no_regression() {
        let old = ratio(record(10.0, 0.1), 0.60, [0.59, 0.61]);
        let slow = ratio(record(20.0, 0.1), 0.60, [0.58, 0.62]);
        assert_eq!(compare(std::slice::from_ref(&old), &[slow]).worse, 0);
        let dearer = ratio(record(10.0, 0.1), 0.66, [0.65, 0.67]);
        let Comparison { text, worse, .. } = compare(&[old], &[dearer]);
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
        assert_eq!(compare(&[record(10.0, 0.1)], &[failed]).worse, 1);
        let nothing = compare(&[record(10.0, 0.1)], &[]);
        assert_eq!((nothing.compared, nothing.worse), (0, 0));
        assert!(nothing.text.contains("only in the old run: https1 edge"));
        let nothing = compare(&[], &[record(10.0, 0.1)]);
        assert_eq!((nothing.compared, nothing.worse), (0, 0));
        assert!(nothing.text.contains("only in the new run: https1 edge"));
    }

    #[test]
    fn edge_is_judged_by_what_is_the_same_in_both_runs() {
        let with = |nginx: f64, caddy: f64, before: f64| {
            let range = |ratio: f64| [ratio - 0.001, ratio + 0.001];
            let peers = [("nginx", nginx), ("caddy", caddy), (BEFORE, before)];
            let peers = || peers.iter().map(|&(name, ratio)| (name.to_owned(), ratio));
            Record {
                ratio_to: peers().collect(),
                ratio_range: peers().map(|(name, ratio)| (name, range(ratio))).collect(),
                ..record(10.0, 0.1)
            }
        };
        // The other build was another one; Caddy is noisy.
        let compared = compare(&[with(0.6, 0.3, 1.0)], &[with(0.6, 0.4, 1.5)]);
        assert_eq!(compared.worse, 0, "{}", compared.text);
        assert_eq!(
            compare(&[with(0.6, 0.3, 1.0)], &[with(0.7, 0.3, 0.5)]).worse,
            1
        );
        // What has become of nginx is not told by a better edge.
        let nginx = |edge: f64| Record {
            proxy: "nginx".into(),
            ratio_to: BTreeMap::from([("edge".into(), edge)]),
            ratio_range: BTreeMap::from([("edge".into(), [edge, edge])]),
            ..record(20.0, 0.1)
        };
        let compared = compare(&[nginx(1.6)], &[nginx(2.0)]);
        assert!(!compared.text.contains("WORSE"), "{}", compared.text);
    }

    #[test]
    fn memory_of_streams_is_compared_beside_their_cost() {
        let with = |bytes: u64| Record {
            rss_bytes_per_stream: Some(bytes),
            ..record(10.0, 0.1)
        };
        assert_eq!(compare(&[with(20_000)], &[with(21_000)]).worse, 0);
        let compared = compare(&[with(20_000)], &[with(30_000)]);
        assert_eq!((compared.compared, compared.worse), (1, 1));
        let compared = compare(&[with(30_000)], &[with(20_000)]);
        assert!(compared.worse == 0 && compared.text.contains("better"));
    }
}
