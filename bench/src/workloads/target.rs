//! What edge is to reach, and whether it does.

use std::fmt::Write as _;

use crate::report::Record;

/// At most this share of a peer's cost.
struct Target {
    workload: &'static str,
    /// With what a case begins.
    case: &'static str,
    peer: &'static str,
    ratio: f64,
}

const fn target(
    workload: &'static str,
    case: &'static str,
    peer: &'static str,
    ratio: f64,
) -> Target {
    Target {
        workload,
        case,
        peer,
        ratio,
    }
}

const TARGETS: &[Target] = &[
    target("https1", "", "nginx", 0.60),
    target("https2", "", "nginx", 0.50),
    target("https3", "", "caddy", 0.50),
    target("handshake", "", "nginx", 0.75),
    target("sse", "", "nginx", 0.70),
    target("bulk", "down, HTTP/1.1", "nginx", 0.80),
    target("bulk", "up, HTTP/1.1", "nginx", 0.80),
    target("bulk", "down, HTTP/3", "caddy", 0.50),
    target("bulk", "up, HTTP/3", "caddy", 0.50),
    target("rate", "", "nginx", 1.00),
    target("mcp", "", "edge-plain", 1.05),
    target("shield", "unguarded", "xdp-filter", 0.30),
    target("shield", "banned", "xdp-filter", 0.50),
    target("shield", "guarded", "xdp-filter", 0.90),
    target("shield", "cidr10k", "xdp-filter", 1.80),
    target("shield", "live sources", "edge-1k", 1.50),
];
/// Fewer have no range that means something.
const SLICES_MIN: u32 = 6;
/// Memory of a stream, as a share of nginx's.
const STREAM_MEMORY: f64 = 0.5;
/// Delay of 99 events in 100.
const STREAM_P99_US: u64 = 5_000;

/// A sentence for each target that these records speak of.
pub(crate) fn judge(records: &[Record]) -> Vec<String> {
    let mut lines = Vec::new();
    for record in records.iter().filter(|record| record.proxy == "edge") {
        for target in TARGETS {
            let is_meant =
                target.workload == record.workload && record.case.starts_with(target.case);
            if let Some(&ratio) = record.ratio_to.get(target.peer)
                && is_meant
            {
                lines.push(sentence(record, target, ratio));
            }
        }
        lines.extend(streams(record, records));
    }
    lines
}

fn sentence(record: &Record, target: &Target, ratio: f64) -> String {
    let mut line = match record.case.as_str() {
        "" => "edge".to_owned(),
        case => format!("{case}: edge"),
    };
    let what = match record.ratio_of.as_str() {
        "p99_us" => "p99",
        "startup_ms" => "time",
        "ns_per_packet" => "time a packet",
        _ => "CPU",
    };
    let _ = write!(line, " needs {ratio:.2} of {}'s {what}", target.peer);
    let range = record.ratio_range.get(target.peer);
    if let Some([low, high]) = range {
        let _ = write!(line, " ({low:.2} to {high:.2})");
    }
    let [low, high] = range.copied().unwrap_or([ratio; 2]);
    let few = record.slices.unwrap_or(0) < SLICES_MIN;
    let outcome = match () {
        () if few => "no verdict, too few slices",
        () if high <= target.ratio => "met",
        () if low > target.ratio => "missed",
        () => "no verdict, it lies within the spread",
    };
    let _ = write!(line, "; target {:.2}: {outcome}.", target.ratio);
    line
}

fn streams(record: &Record, records: &[Record]) -> Vec<String> {
    if record.workload != "sse" {
        return Vec::new();
    }
    let mut lines = Vec::new();
    let nginx = records.iter().find(|other| other.proxy == "nginx");
    let bytes = nginx.and_then(|nginx| nginx.rss_bytes_per_stream);
    if let Some((own, other)) = record.rss_bytes_per_stream.zip(bytes) {
        let ratio = own as f64 / other.max(1) as f64;
        let outcome = if ratio <= STREAM_MEMORY {
            "met"
        } else {
            "missed"
        };
        lines.push(format!(
            "A stream takes {own} bytes, {ratio:.2} of nginx's; target {STREAM_MEMORY:.2}: {outcome}."
        ));
    }
    if let Some(p99_us) = record.p99_us {
        let outcome = if p99_us <= STREAM_P99_US {
            "met"
        } else {
            "missed"
        };
        lines.push(format!(
            "99 of 100 events arrive within {p99_us} µs; target {STREAM_P99_US} µs: {outcome}."
        ));
    }
    lines
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn record(ratio: f64, range: [f64; 2], slices: u32) -> Record {
        Record {
            workload: "https1".into(),
            proxy: "edge".into(),
            ratio_of: "cpu_us_per_request".into(),
            ratio_to: BTreeMap::from([("nginx".into(), ratio)]),
            ratio_range: BTreeMap::from([("nginx".into(), range)]),
            slices: Some(slices),
            ..Record::default()
        }
    }

    #[test]
    fn a_target_is_met_or_missed_only_outside_of_the_range() {
        for (record, outcome) in [
            (record(0.55, [0.54, 0.56], 16), "0.60: met."),
            (record(0.70, [0.65, 0.75], 16), "0.60: missed."),
            (record(0.60, [0.55, 0.65], 16), "it lies within the spread."),
            (record(0.55, [0.30, 0.59], 2), "too few slices."),
        ] {
            let lines = judge(&[record]);
            assert_eq!(lines.len(), 1);
            assert!(lines[0].ends_with(outcome), "{}", lines[0]);
        }
    }
}
