//! Calls at fixed rates, below what saturates a proxy: what light load costs, and latency.

use anyhow::Result;

use super::calls::{CONNECTIONS, connect};
use super::command::Options;
use super::rounds::{Cost, records, rounds};
use super::stage::{Stage, crew, peers};
use crate::load::{Language, Pace};
use crate::report::{Record, Title};

const TITLE: Title = Title {
    name: "rate",
    title: "calls at fixed rates",
    about: "The calls of https1, made at even distances whatever the answers do. Latency counts from \
            the time at which a call was to be made, so one that has to wait for a connection counts \
            its wait.",
};
const RATES: [u32; 3] = [5_000, 15_000, 30_000];
const RATES_QUICK: [u32; 1] = [2_000];
const SLICES: u32 = 10;
const SLICE_MS: u64 = 1_000;

pub(super) fn measure(options: &Options) -> Result<(Title, Vec<Record>)> {
    let peers = peers(options, |_| true)?;
    let mut stage = Stage::set(&peers, crew(options, &peers)?)?;
    let rates: &[u32] = match (options.rates.as_slice(), options.quick) {
        ([], false) => &RATES,
        ([], true) => &RATES_QUICK,
        (rates, _) => rates,
    };
    let slice = options.duration(SLICE_MS);
    let endpoints = connect(options, &stage, Language::Http1, CONNECTIONS)?;
    for &endpoint in &endpoints {
        stage.load.run(endpoint, Pace::Closed, slice)?;
    }
    let mut all = Vec::new();
    for &rate in rates {
        let pace = Pace::Open(f64::from(rate));
        let name = format!("{} {rate}/s", TITLE.name);
        let seen = rounds(
            &mut stage,
            &name,
            Cost::Request,
            options.slices(SLICES),
            |load, i| load.run(endpoints[i], pace, slice),
        )?;
        all.extend(records(TITLE.name, &format!("{rate}/s"), &seen));
    }
    Ok((TITLE, all))
}
