//! The method: every proxy is loaded in turn, in short slices whose order is drawn anew each round,
//! so that whatever else the machine does hits all of them alike.

use std::collections::BTreeMap;

use anyhow::Result;

use super::progress::Progress;
use super::stage::Stage;
use crate::clock::monotonic_ns;
use crate::load::Slice;
use crate::measure::{ProcessTree, Quartiles, Ratio, check_interrupt, shuffle};
use crate::profile;
use crate::report::Record;

/// Points of a latency curve: closer together where it is steep.
const CURVE: [f64; 12] = [
    0.0, 0.1, 0.25, 0.5, 0.75, 0.9, 0.95, 0.99, 0.995, 0.999, 0.9999, 1.0,
];

/// What a slice costs, divided by what it did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cost {
    /// Microseconds of CPU per request.
    Request,
    /// Seconds of CPU per 10^9 bytes.
    Gigabyte,
    /// The 99th percentile of latency, in microseconds; CPU plays no part.
    Tail,
}

/// What was seen of one proxy.
pub(super) struct Seen {
    pub(super) proxy: String,
    pub(super) sum: Slice,
    cost: Cost,
    costs: Vec<f64>,
    cpu_ns: u64,
    idle_ns: u64,
    requests_ns: u64,
    version: String,
}

/// Loads the proxies of a stage in turn; `each` loads the one with its number.
pub(super) fn rounds<L>(
    stage: &mut Stage<L>,
    name: &str,
    cost: Cost,
    count: u32,
    mut each: impl FnMut(&mut L, usize) -> Result<Slice>,
) -> Result<Vec<Seen>> {
    let mut seen = Vec::new();
    let mut trees = Vec::new();
    for running in &stage.running {
        seen.push(Seen::new(
            running.label.clone(),
            cost,
            running.proxy.version()?,
        ));
        trees.push(running.tree()?);
    }
    in_turn(name, count, trees.len(), |i| {
        if seen[i].sum.errors > 0 {
            return Ok(());
        }
        let tap = profile::tap(trees[i].processes())?;
        let (cpu_ns, idle_ns) = (trees[i].cpu_ns()?, stage.cpus.proxy_idle_ns()?);
        match each(&mut stage.load, i) {
            Ok(slice) => {
                let cpu_ns = trees[i].cpu_ns()? - cpu_ns;
                let idle_ns = stage.cpus.proxy_idle_ns()?.saturating_sub(idle_ns);
                if let Some(tap) = tap {
                    tap.end(&slice)?;
                }
                seen[i].add(slice, cpu_ns, idle_ns)
            }
            Err(error) => {
                check_interrupt()?;
                seen[i].failed(&error);
                Ok(())
            }
        }
    })?;
    Ok(seen)
}

/// Does something with each of so many subjects, `count` times, every time in another order.
pub(super) fn in_turn(
    name: &str,
    count: u32,
    subjects: usize,
    mut each: impl FnMut(usize) -> Result<()>,
) -> Result<()> {
    let mut order: Vec<usize> = (0..subjects).collect();
    let mut seed = monotonic_ns() | 1;
    let mut progress = Progress::new(name, u64::from(count) * subjects as u64);
    for _ in 0..count {
        shuffle(&mut order, &mut seed);
        for &subject in &order {
            check_interrupt()?;
            progress.step();
            each(subject)?;
        }
    }
    Ok(())
}

/// CPU times of a stage's proxies, for a workload that has its own way of loading.
pub(super) fn trees<L>(stage: &Stage<L>) -> Result<Vec<ProcessTree>> {
    stage.running.iter().map(|running| running.tree()).collect()
}

impl Seen {
    pub(super) fn new(proxy: String, cost: Cost, version: String) -> Self {
        Self {
            proxy,
            sum: Slice::default(),
            cost,
            costs: Vec::new(),
            cpu_ns: 0,
            idle_ns: 0,
            requests_ns: 0,
            version,
        }
    }

    pub(super) fn add(&mut self, slice: Slice, cpu_ns: u64, idle_ns: u64) -> Result<()> {
        self.costs.push(match self.cost {
            Cost::Request => cpu_ns as f64 / 1e3 / slice.requests.max(1) as f64,
            Cost::Gigabyte => cpu_ns as f64 / slice.bytes.max(1) as f64,
            Cost::Tail => slice.latency_us.value_at_quantile(0.99) as f64,
        });
        self.cpu_ns += cpu_ns;
        self.idle_ns += idle_ns;
        self.requests_ns += slice.wall_ns;
        self.sum.add(slice)
    }

    pub(super) fn failed(&mut self, error: &anyhow::Error) {
        self.sum.failed(error);
    }

    fn record(&self, workload: &str, case: &str) -> Record {
        let cost = Quartiles::of(self.costs.clone());
        let median = cost.map(|cost| cost.median);
        let latency = &self.sum.latency_us;
        let at = |quantile| (!latency.is_empty()).then(|| latency.value_at_quantile(quantile));
        let wall_ns = self.requests_ns.max(1) as f64;
        let cpu = self.cpu_ns > 0;
        let others = (wall_ns - (self.cpu_ns + self.idle_ns) as f64).max(0.0) / wall_ns;
        let per_request = self.cpu_ns as f64 / 1e3 / self.sum.requests.max(1) as f64;
        let curve = CURVE.map(|quantile| (quantile, latency.value_at_quantile(quantile)));
        Record {
            workload: workload.to_owned(),
            case: case.to_owned(),
            proxy: self.proxy.clone(),
            cpu_us_per_request: match self.cost {
                Cost::Request => median,
                Cost::Gigabyte => cpu.then_some(per_request),
                Cost::Tail => None,
            },
            cpu_s_per_gb: median.filter(|_| self.cost == Cost::Gigabyte),
            spread: cost.map(|cost| cost.spread()),
            requests_per_s: Some(self.sum.requests as f64 * 1e9 / wall_ns),
            p50_us: at(0.5),
            p99_us: at(0.99),
            p999_us: at(0.999),
            max_us: at(1.0),
            proxy_busy: cpu.then(|| self.cpu_ns as f64 / wall_ns),
            others_busy: cpu.then_some(others),
            errors: self.sum.errors,
            error: self.sum.first_error.clone().unwrap_or_default(),
            ratio_of: match self.cost {
                Cost::Request => "cpu_us_per_request",
                Cost::Gigabyte => "cpu_s_per_gb",
                Cost::Tail => "p99_us",
            }
            .to_owned(),
            latency_curve: match latency.is_empty() {
                true => Vec::new(),
                false => curve.to_vec(),
            },
            version: self.version.clone(),
            ..Record::default()
        }
    }
}

/// Records of what was seen in the same rounds, each compared with every other.
pub(super) fn records(workload: &str, case: &str, seen: &[Seen]) -> Vec<Record> {
    let mut records: Vec<Record> = seen.iter().map(|own| own.record(workload, case)).collect();
    let costs: Vec<&[f64]> = seen
        .iter()
        // One error and there is no verdict.
        .map(|seen| {
            if seen.sum.errors > 0 {
                &[]
            } else {
                &*seen.costs
            }
        })
        .collect();
    relate(&mut records, &costs);
    records
}

/// Fills in the ratios of records whose costs were measured round by round.
pub(super) fn relate(records: &mut [Record], costs: &[&[f64]]) {
    let names: Vec<String> = records.iter().map(|record| record.proxy.clone()).collect();
    for (record, own) in records.iter_mut().zip(costs) {
        record.slices = Some(own.len() as u32);
        let ratios: BTreeMap<&String, Ratio> = names
            .iter()
            .zip(costs)
            .filter_map(|(name, other)| Some((name, Ratio::of(own, other)?)))
            .collect();
        for (name, ratio) in ratios {
            record.ratio_to.insert(name.clone(), ratio.median);
            if *name != record.proxy {
                let range = [ratio.low, ratio.high];
                record.ratio_range.insert(name.clone(), range);
                let word = ratio.verdict().word().to_owned();
                record.verdict.insert(name.clone(), word);
            }
        }
    }
}
