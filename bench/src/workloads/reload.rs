//! Calls while the proxy takes over its configuration anew: what fails, and what waits.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, Result, anyhow};

use super::command::Options;
use super::rounds::{Cost, Seen, in_turn, records};
use super::stage::{Stage, peers};
use crate::clock::pause;
use crate::load::{Driver, Pace, client_config};
use crate::report::{Record, Title};

const TITLE: Title = Title {
    name: "reload",
    title: "reload under load",
    about: "1000 calls a second over 16 kept-alive connections; a third into the slice the proxy is told \
            to reload. A call fails when its connection ends before the answer; `reconnected` counts \
            connections that the proxy ended between two calls, `slow` calls that took over 50 ms.",
};
const CONNECTIONS: usize = 16;
const PER_S: f64 = 1000.0;
const SLICES: u32 = 6;
const SLICE_MS: u64 = 3_000;
/// A quick look still has to see the reload.
const SLICE_MIN: Duration = Duration::from_millis(900);
const SLOW_US: u64 = 50_000;

pub(super) fn measure(options: &Options) -> Result<(Title, Vec<Record>)> {
    let mut stage = Stage::set(&peers(options, |_| true)?, Driver::new()?)?;
    let tls = client_config(stage.identity.authority.clone(), "http/1.1")?;
    let tls = Arc::new(tls);
    let slice = options.duration(SLICE_MS).max(SLICE_MIN);
    let mut seen = Vec::new();
    let mut endpoints = Vec::new();
    for running in &stage.running {
        let endpoint = stage.load.endpoint(running.address, &tls);
        stage.load.reconnect(endpoint);
        stage
            .load
            .connect(endpoint, options.connections(CONNECTIONS))
            .with_context(|| format!("connecting to {}", running.label))?;
        stage
            .load
            .run(endpoint, Pace::Closed, Duration::from_millis(100))?;
        endpoints.push(endpoint);
        let version = running.proxy.version()?;
        seen.push(Seen::new(running.label.clone(), Cost::Tail, version));
    }
    let count = options.slices(SLICES);
    in_turn(TITLE.name, count, endpoints.len(), |i| {
        let running = &stage.running[i];
        let load = &mut stage.load;
        let (slice, told) = thread::scope(|scope| {
            let told = scope.spawn(|| {
                pause(slice / 3);
                running.reload()
            });
            let slice = load.run(endpoints[i], Pace::Open(PER_S), slice);
            (slice, told.join())
        });
        told.map_err(|_| anyhow!("the thread that reloads panicked"))??;
        seen[i].add(slice?, 0, 0)
    })?;
    // A failed call is what is measured here, and no reason not to compare the others.
    let failed: Vec<(u64, String)> = seen
        .iter_mut()
        .map(|seen| {
            let error = seen.sum.first_error.take().unwrap_or_default();
            (std::mem::take(&mut seen.sum.errors), error)
        })
        .collect();
    let mut records = records(TITLE.name, "", &seen);
    for ((record, seen), (errors, error)) in records.iter_mut().zip(&seen).zip(failed) {
        let latency = &seen.sum.latency_us;
        record.slow = Some(latency.len() - latency.count_between(0, SLOW_US));
        record.reconnected = Some(seen.sum.reconnected);
        (record.errors, record.error) = (errors, error);
    }
    Ok((TITLE, records))
}
