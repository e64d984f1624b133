//! The main workload: calls over kept-alive HTTPS/1.1 connections, in a closed loop.
//!
//! All proxies stay up and connected the whole time and are loaded in turn, in short slices whose
//! order is drawn anew each round, so that whatever else the machine does hits them alike.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, bail, ensure};

use super::command::{Common, Stage, publish};
use crate::clock::monotonic_ns;
use crate::load::{Endpoint, Slice};
use crate::measure::{ProcessTree, Quartiles, shuffle};
use crate::peers::{Proxy, Running};
use crate::report::{Record, Table};

/// `edge` is to need at most this share of nginx's CPU.
const TARGET: f64 = 0.70;
/// Length of a slice.
const SLICE: Duration = Duration::from_millis(500);
const SLICE_QUICK: Duration = Duration::from_millis(200);

#[derive(clap::Args)]
pub struct Args {
    #[command(flatten)]
    common: Common,
    /// Connections to each proxy, each with one call under way
    #[arg(long, default_value_t = 64)]
    connections: usize,
    /// Measured slices per proxy
    #[arg(long, default_value_t = 16, value_parser = clap::value_parser!(u32).range(2..=1000))]
    slices: u32,
}

/// What was seen of one proxy.
struct Seen {
    endpoint: Endpoint,
    tree: ProcessTree,
    cpu_us_per_request: Vec<f64>,
    cpu_ns: u64,
    idle_ns: u64,
    sum: Slice,
}

pub(super) fn run(args: &Args) -> Result<()> {
    let mut stage = Stage::set(&args.common.proxies)?;
    let slice = if args.common.quick {
        SLICE_QUICK
    } else {
        SLICE
    };
    let mut seen = Vec::new();
    for running in &stage.running {
        let endpoint = stage.driver.endpoint(running.address);
        stage
            .driver
            .connect(endpoint, args.connections)
            .with_context(|| format!("connecting to {}", running.proxy.name()))?;
        // Warm caches, pools and session state; not counted, but it has to be right.
        let warm = stage.driver.run(endpoint, slice)?;
        fail_on_errors(running.proxy, &warm)?;
        seen.push(Seen {
            endpoint,
            tree: running.tree()?,
            cpu_us_per_request: Vec::new(),
            cpu_ns: 0,
            idle_ns: 0,
            sum: Slice::default(),
        });
    }
    let mut order: Vec<usize> = (0..seen.len()).collect();
    let mut seed = monotonic_ns() | 1;
    for _ in 0..args.slices {
        shuffle(&mut order, &mut seed);
        for &i in &order {
            let seen = &mut seen[i];
            let (cpu_ns, idle_ns) = (seen.tree.cpu_ns()?, stage.cpus.proxy_idle_ns()?);
            let slice = stage.driver.run(seen.endpoint, slice)?;
            let cpu_ns = seen.tree.cpu_ns()? - cpu_ns;
            seen.idle_ns += stage.cpus.proxy_idle_ns()?.saturating_sub(idle_ns);
            let name = stage.running[i].proxy.name();
            ensure!(
                cpu_ns > 0,
                "{name} answers without using its CPU: wrong processes"
            );
            seen.add(slice, cpu_ns)?;
        }
    }
    for (running, seen) in stage.running.iter().zip(&seen) {
        fail_on_errors(running.proxy, &seen.sum)?;
    }
    report(args, &stage.running, &seen)
}

impl Seen {
    fn add(&mut self, slice: Slice, cpu_ns: u64) -> Result<()> {
        let requests = slice.requests.max(1) as f64;
        self.cpu_us_per_request
            .push(cpu_ns as f64 / 1000.0 / requests);
        self.cpu_ns += cpu_ns;
        self.sum.add(slice)
    }

    /// The median of the ratios round by round: what disturbs a whole round drops out of it.
    fn ratio_to(&self, other: &Self) -> Option<f64> {
        let rounds = self
            .cpu_us_per_request
            .iter()
            .zip(&other.cpu_us_per_request);
        Some(Quartiles::of(rounds.map(|(own, other)| own / other).collect())?.median)
    }

    fn record(&self, proxy: Proxy) -> Result<Record> {
        let cpu = Quartiles::of(self.cpu_us_per_request.clone()).context("no slices")?;
        let wall_ns = self.sum.wall_ns as f64;
        Ok(Record {
            workload: "https1",
            proxy: proxy.name(),
            cpu_us_per_request: Some(cpu.median),
            spread: Some(cpu.spread()),
            requests_per_s: Some(self.sum.requests as f64 * 1e9 / wall_ns),
            p50_us: Some(self.sum.latency_us.value_at_quantile(0.50)),
            p99_us: Some(self.sum.latency_us.value_at_quantile(0.99)),
            proxy_busy: Some(self.cpu_ns as f64 / wall_ns),
            others_busy: Some((wall_ns - (self.cpu_ns + self.idle_ns) as f64).max(0.0) / wall_ns),
            errors: self.sum.errors,
            ..Record::default()
        })
    }
}

fn report(args: &Args, running: &[Running], seen: &[Seen]) -> Result<()> {
    let mut records = Vec::new();
    for (running, seen) in running.iter().zip(seen) {
        records.push(seen.record(running.proxy)?);
    }
    let nginx = running
        .iter()
        .position(|running| running.proxy == Proxy::Nginx);
    let mut table = Table::new([
        "proxy",
        "CPU µs/request",
        "spread",
        "to nginx",
        "requests/s",
        "p50 µs",
        "p99 µs",
        "proxy busy",
        "others busy",
    ]);
    let mut verdict = String::new();
    for (record, own) in records.iter_mut().zip(seen) {
        let cpu = record.cpu_us_per_request.unwrap_or_default();
        let ratio = nginx.and_then(|nginx| own.ratio_to(&seen[nginx]));
        if let Some(ratio) = ratio {
            record.ratio_to = BTreeMap::from([("nginx", ratio)]);
            if record.proxy == "edge" {
                verdict = judge(ratio);
            }
        }
        table.row([
            record.proxy.to_owned(),
            format!("{cpu:.2}"),
            format!("{:.2}", record.spread.unwrap_or_default()),
            ratio.map_or("".into(), |ratio| format!("{ratio:.2}")),
            format!("{:.0}", record.requests_per_s.unwrap_or_default()),
            record.p50_us.unwrap_or_default().to_string(),
            record.p99_us.unwrap_or_default().to_string(),
            percent(record.proxy_busy),
            percent(record.others_busy),
        ]);
    }
    let title = "CPU per request, HTTPS/1.1 keep-alive";
    publish(&args.common, title, &records, &table, &verdict)
}

fn judge(ratio: f64) -> String {
    match ratio <= TARGET {
        true => format!("edge needs {ratio:.2} of nginx's CPU: the target of {TARGET:.2} is met."),
        false => format!(
            "edge needs {ratio:.2} of nginx's CPU: short of the target of {TARGET:.2} by {:.2}.",
            ratio - TARGET
        ),
    }
}

fn percent(share: Option<f64>) -> String {
    share.map_or("".into(), |share| format!("{:.1} %", share * 100.0))
}

fn fail_on_errors(proxy: Proxy, slice: &Slice) -> Result<()> {
    if let Some(error) = &slice.first_error {
        bail!(
            "{} of {} calls through {} failed, the first with: {error}; no verdict",
            slice.errors,
            slice.errors + slice.requests,
            proxy.name()
        );
    }
    Ok(())
}
