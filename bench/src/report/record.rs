//! One result: an object a line in JSON, a row in a table.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, ensure};
use serde::{Deserialize, Serialize};

use crate::measure::Memory;

/// What one proxy did under one workload. What a workload does not measure is left out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub(crate) struct Record {
    pub(crate) workload: String,
    /// Which part of the workload, where it has several.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) case: String,
    pub(crate) proxy: String,
    /// CPU time of the proxy's processes per answered request (per event, per body); median of the
    /// slices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_us_per_request: Option<f64>,
    /// CPU time per 10^9 bytes of body.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_s_per_gb: Option<f64>,
    /// Of the shield's receiver.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) ns_per_packet: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) startup_ms: Option<f64>,
    /// How many slices there were.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) slices: Option<u32>,
    /// Distance between the quartiles of the slices, in the unit of what `ratio_of` names.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) spread: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requests_per_s: Option<f64>,
    /// Latency at the client, from the time at which a request was to be sent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p999_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) max_us: Option<u64>,
    /// Share of the time the proxy was running; near 1 it is the bottleneck.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proxy_busy: Option<f64>,
    /// Share of the time something else had the proxy's CPUs: noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) others_busy: Option<f64>,
    /// Share of the handshakes that were resumptions.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) resumed: Option<f64>,
    /// Connections that the proxy ended between two requests.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) reconnected: Option<u64>,
    /// Requests that took longer than a person notices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) slow: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) datagrams_per_send: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) datagrams_per_receive: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) streams: Option<u64>,
    /// Growth of the resident set per stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rss_bytes_per_stream: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pss_bytes_per_stream: Option<u64>,
    /// Before the first stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rss_bytes_at_rest: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) binary_bytes: Option<u64>,
    pub(crate) errors: u64,
    /// What the errors were.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) error: String,
    /// The field that is compared.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) ratio_of: String,
    /// That field divided by another proxy's: the median of the ratios round by round.
    pub(crate) ratio_to: BTreeMap<String, f64>,
    /// Between these is the true ratio, 95 times in 100.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) ratio_range: BTreeMap<String, [f64; 2]>,
    /// `less`, `more`, or `no verdict` where the spread is larger than the difference.
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    pub(crate) verdict: BTreeMap<String, String>,
    /// Points of the latency curve: share of the requests, microseconds.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(crate) latency_curve: Vec<(f64, u64)>,
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) version: String,
}

impl Record {
    /// Notes by how much the memory has grown with so many streams.
    pub(crate) fn grown(&mut self, rest: Memory, full: Memory, streams: usize) {
        let growth = |full: u64, rest: u64| Some(full.saturating_sub(rest) / streams as u64);
        self.streams = Some(streams as u64);
        self.rss_bytes_per_stream = growth(full.rss_bytes, rest.rss_bytes);
        self.pss_bytes_per_stream = growth(full.pss_bytes, rest.pss_bytes);
    }

    /// What is compared, in the unit of `spread`.
    pub(crate) fn main_value(&self) -> Option<f64> {
        match self.ratio_of.as_str() {
            "cpu_us_per_request" => self.cpu_us_per_request,
            "cpu_s_per_gb" => self.cpu_s_per_gb,
            "ns_per_packet" => self.ns_per_packet,
            "startup_ms" => self.startup_ms,
            "p99_us" => self.p99_us.map(|us| us as f64),
            "rss_bytes_per_stream" => self.rss_bytes_per_stream.map(|bytes| bytes as f64),
            _ => None,
        }
    }

    /// Whether both are of the same part of the same workload.
    pub(crate) fn is_beside(&self, other: &Self) -> bool {
        self.workload == other.workload && self.case == other.case
    }
}

/// Prints a record as one line.
pub(crate) fn print_json(record: &Record) -> Result<()> {
    println!("{}", serde_json::to_string(record)?);
    Ok(())
}

/// The records of a file of such lines.
pub(crate) fn read_json(path: &Path) -> Result<Vec<Record>> {
    let text =
        fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))?;
    let lines = text.lines().enumerate();
    let lines = lines.filter(|(_, line)| !line.trim().is_empty());
    let records: Vec<Record> = lines
        .map(|(number, line)| {
            let place = || format!("line {} of {}", number + 1, path.display());
            serde_json::from_str(line).with_context(place)
        })
        .collect::<Result<_>>()?;
    ensure!(!records.is_empty(), "no results in {}", path.display());
    Ok(records)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_object_has_what_was_measured_and_nothing_else() {
        let record = Record {
            workload: "https1".into(),
            proxy: "edge".into(),
            cpu_us_per_request: Some(15.25),
            spread: Some(0.5),
            p50_us: Some(1000),
            p99_us: Some(2000),
            ratio_of: "cpu_us_per_request".into(),
            ratio_to: BTreeMap::from([("nginx".into(), 0.75)]),
            ..Record::default()
        };
        let line = serde_json::to_string(&record).expect("it is plain data");
        assert_eq!(
            line,
            r#"{"workload":"https1","proxy":"edge","cpu_us_per_request":15.25,"spread":0.5,"p50_us":1000,"p99_us":2000,"errors":0,"ratio_of":"cpu_us_per_request","ratio_to":{"nginx":0.75}}"#
        );
        let back: Record = serde_json::from_str(&line).expect("it was written so");
        assert_eq!(back, record);
        assert_eq!(back.main_value(), Some(15.25));
    }
}
