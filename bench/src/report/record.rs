//! One object a line.

use std::collections::BTreeMap;

use anyhow::Result;
use serde::Serialize;

/// What one proxy did under one workload. Fields that a workload does not measure are left out.
#[derive(Clone, Debug, Default, Serialize)]
pub(crate) struct Record {
    pub(crate) workload: &'static str,
    pub(crate) proxy: &'static str,
    /// CPU time of the proxy's processes per answered request; median of the slices.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) cpu_us_per_request: Option<f64>,
    /// Distance between the quartiles of the slices, in the unit of the value above.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) spread: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) requests_per_s: Option<f64>,
    /// Latency at the client.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p50_us: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) p99_us: Option<u64>,
    /// Share of the time the proxy was running; near 1 it is the bottleneck, as it should be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) proxy_busy: Option<f64>,
    /// Share of the time something else had the proxy's CPU: noise.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) others_busy: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) streams: Option<usize>,
    /// Growth of the resident set per stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rss_bytes_per_stream: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) pss_bytes_per_stream: Option<u64>,
    /// Before the first stream.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) rss_bytes_at_rest: Option<u64>,
    pub(crate) errors: u64,
    /// The main value divided by another proxy's.
    pub(crate) ratio_to: BTreeMap<&'static str, f64>,
}

/// Prints the records.
pub(crate) fn print_json(records: &[Record]) -> Result<()> {
    for record in records {
        println!("{}", serde_json::to_string(record)?);
    }
    Ok(())
}
