//! Calls at fixed rates, below what saturates a proxy: what light load costs, and latency.

use std::sync::Arc;

use anyhow::{Context, Result};

use super::command::Options;
use super::rounds::{Cost, records, rounds};
use super::stage::{Stage, peers};
use crate::load::{Driver, Pace, client_config};
use crate::report::{Record, Title};

const TITLE: Title = Title {
    name: "rate",
    title: "calls at fixed rates",
    about: "The calls of https1, made at even distances whatever the answers do. Latency counts from \
            the time at which a call was to be made, so one that has to wait for a connection counts \
            its wait.",
};
const CONNECTIONS: usize = 64;
const RATES: [u32; 3] = [5_000, 15_000, 30_000];
const RATES_QUICK: [u32; 1] = [2_000];
const SLICES: u32 = 10;
const SLICE_MS: u64 = 1_000;

pub(super) fn measure(options: &Options) -> Result<(Title, Vec<Record>)> {
    let mut stage = Stage::set(&peers(options, |_| true)?, Driver::new()?)?;
    let tls = client_config(stage.identity.authority.clone(), "http/1.1")?;
    let tls = Arc::new(tls);
    let rates: &[u32] = match (options.rates.as_slice(), options.quick) {
        ([], false) => &RATES,
        ([], true) => &RATES_QUICK,
        (rates, _) => rates,
    };
    let slice = options.duration(SLICE_MS);
    let mut endpoints = Vec::new();
    for running in &stage.running {
        let endpoint = stage.load.endpoint(running.address, &tls);
        stage
            .load
            .connect(endpoint, options.connections(CONNECTIONS))
            .with_context(|| format!("connecting to {}", running.label))?;
        stage.load.run(endpoint, Pace::Closed, slice)?;
        endpoints.push(endpoint);
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
