//! Calls beside clients that are slow: what they cost, and whether others have to wait for them.

use std::time::Duration;

use anyhow::{Context, Result};

use super::calls::connect;
use super::command::Options;
use super::rounds::{Cost, records, rounds, trees};
use super::stage::{Stage, crew, peers};
use crate::clock::pause;
use crate::load::{Language, Pace, Pattern};
use crate::measure::Memory;
use crate::report::{Record, Title};

const TITLE: Title = Title {
    name: "slow",
    title: "calls beside slow clients",
    about: "500 calls a second over 16 kept-alive connections of HTTPS/1.1: `alone`, beside 200 `writers` \
            that make their calls at 160 bytes a second, and beside 200 `readers` that take bodies of \
            4 MiB at 64 KiB a second. CPU is that of everything, divided by the calls; memory the growth of the \
            resident set per slow client (`B/stream`). What slow clients get is compared too.",
};
const CONNECTIONS: usize = 16;
const PER_S: f64 = 500.0;
const CLIENTS: usize = 200;
const CLIENTS_QUICK: usize = 10;
/// Until buffers are as full as they become.
const SETTLE: Duration = Duration::from_secs(4);
const SETTLE_QUICK: Duration = Duration::from_millis(500);
const SLICES: u32 = 8;
const SLICE_MS: u64 = 1_000;
/// Those that leave more memory behind come last.
const CASES: [(&str, Option<Pattern>); 3] = [
    ("alone", None),
    ("writers", Some(Pattern::Writer)),
    ("readers", Some(Pattern::Reader)),
];

pub(super) fn measure(options: &Options) -> Result<(Title, Vec<Record>)> {
    let peers = peers(options, |_| true)?;
    let mut stage = Stage::set(&peers, crew(options, &peers)?)?;
    let endpoints = connect(options, &stage, Language::Http1, CONNECTIONS)?;
    let slice = options.duration(SLICE_MS);
    for &endpoint in &endpoints {
        stage.load.run(endpoint, Pace::Closed, slice)?;
    }
    let (clients, settle) = match options.quick {
        true => (CLIENTS_QUICK, SETTLE_QUICK),
        false => (CLIENTS, SETTLE),
    };
    let mut all = Vec::new();
    for (case, pattern) in CASES {
        let trees = trees(&stage)?;
        let memory = || -> Result<Vec<Memory>> { trees.iter().map(|tree| tree.memory()).collect() };
        let rest = memory()?;
        if let Some(pattern) = pattern {
            for (running, &endpoint) in stage.running.iter().zip(&endpoints) {
                let come = stage.load.slow(endpoint, pattern, clients);
                come.with_context(|| format!("slow {case} of {}", running.label))?;
            }
            pause(settle);
        }
        let full = memory()?;
        let name = format!("{} {case}", TITLE.name);
        let count = options.slices(SLICES);
        let seen = rounds(&mut stage, &name, Cost::Request, count, |load, i| {
            load.run(endpoints[i], Pace::Open(PER_S), slice)
        })?;
        let mut records = records(TITLE.name, case, &seen);
        if pattern.is_some() {
            for (record, (rest, full)) in records.iter_mut().zip(rest.iter().zip(&full)) {
                record.grown(*rest, *full, clients);
            }
            for &endpoint in &endpoints {
                stage.load.no_more_slow(endpoint)?;
            }
        }
        all.extend(records);
    }
    Ok((TITLE, all))
}
