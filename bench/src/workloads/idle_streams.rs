//! Memory of event streams that say nothing, which is what most of them do most of the time.
//!
//! Proxies are measured one after the other. The streams are proven alive afterwards: one event is
//! sent on each and has to arrive.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result};

use super::command::{Common, Stage, publish};
use crate::report::{Record, Table};

/// `edge` is to need at most this much per stream.
const TARGET_BYTES: u64 = 20 << 10;
/// Silence before the memory is read: longer than the keep-alive of a stream, so that whatever a
/// comment needs is in it.
const SETTLE: Duration = Duration::from_secs(20);
const SETTLE_QUICK: Duration = Duration::from_secs(3);
/// Streams opened and closed first, so that what a proxy allocates once is not counted per stream.
const WARM_UP: usize = 16;

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    /// Streams through each proxy
    #[arg(long, default_value_t = 2000, value_parser = clap::value_parser!(u32).range(1..=20_000))]
    streams: u32,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut stage = Stage::set(&args.common.proxies)?;
    let settle = if args.common.quick {
        SETTLE_QUICK
    } else {
        SETTLE
    };
    let streams = args.streams as usize;
    let mut records = Vec::new();
    for running in &stage.running {
        let name = running.proxy.name();
        let driver = &mut stage.driver;
        let endpoint = driver.endpoint(running.address);
        driver
            .open_streams(endpoint, WARM_UP)
            .with_context(|| format!("first streams through {name}"))?;
        driver.close_streams(endpoint);
        driver.idle(Duration::from_millis(500))?;
        let tree = running.tree()?;
        let rest = tree.memory()?;
        driver
            .open_streams(endpoint, streams)
            .with_context(|| format!("streams through {name}"))?;
        driver
            .idle(settle)
            .with_context(|| format!("silent streams through {name}"))?;
        let full = tree.memory()?;
        driver
            .broadcast(endpoint)
            .with_context(|| format!("an event on every stream through {name}"))?;
        driver.close_streams(endpoint);
        // The origin's ends close when the proxy's do; the next proxy starts from nothing.
        driver.idle(Duration::from_millis(500))?;
        let growth = |full: u64, rest: u64| full.saturating_sub(rest) / u64::from(args.streams);
        records.push(Record {
            workload: "sse",
            proxy: name,
            streams: Some(streams),
            rss_bytes_per_stream: Some(growth(full.rss_bytes, rest.rss_bytes)),
            pss_bytes_per_stream: Some(growth(full.pss_bytes, rest.pss_bytes)),
            rss_bytes_at_rest: Some(rest.rss_bytes),
            ..Record::default()
        });
    }
    report(args, &mut records)
}

fn report(args: &Args, records: &mut [Record]) -> Result<()> {
    let nginx = records
        .iter()
        .find(|record| record.proxy == "nginx")
        .and_then(|record| record.rss_bytes_per_stream);
    let mut table = Table::new([
        "proxy",
        "streams",
        "RSS B/stream",
        "PSS B/stream",
        "to nginx",
        "RSS at rest",
    ]);
    let mut verdict = String::new();
    for record in records.iter_mut() {
        let bytes = record.rss_bytes_per_stream.unwrap_or_default();
        let ratio = nginx.map(|nginx| bytes as f64 / nginx.max(1) as f64);
        if let Some(ratio) = ratio {
            record.ratio_to = BTreeMap::from([("nginx", ratio)]);
        }
        if record.proxy == "edge" {
            verdict = judge(bytes);
        }
        table.row([
            record.proxy.to_owned(),
            record.streams.unwrap_or_default().to_string(),
            bytes.to_string(),
            record.pss_bytes_per_stream.unwrap_or_default().to_string(),
            ratio.map_or("".into(), |ratio| format!("{ratio:.2}")),
            format!(
                "{:.1} MiB",
                record.rss_bytes_at_rest.unwrap_or_default() as f64 / 1048576.0
            ),
        ]);
    }
    let title = "User-space memory of idle TLS event streams";
    publish(&args.common, title, records, &table, &verdict)
}

fn judge(bytes: u64) -> String {
    let kib = bytes as f64 / 1024.0;
    let target = TARGET_BYTES / 1024;
    match bytes <= TARGET_BYTES {
        true => format!("edge needs {kib:.1} KiB a stream: the target of {target} KiB is met."),
        false => format!(
            "edge needs {kib:.1} KiB a stream: {:.1} KiB over the target of {target} KiB.",
            kib - target as f64
        ),
    }
}
