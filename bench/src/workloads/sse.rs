//! Event streams: memory of those that say nothing, which is what most do most of the time, then
//! the CPU and the delay of events.

use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result};

use super::command::Options;
use super::rounds::{Cost, records, rounds, trees};
use super::stage::{Stage, peers, streams_max};
use crate::load::{Driver, client_config};
use crate::measure::Memory;
use crate::report::{Record, Title};

const TITLE: Title = Title {
    name: "sse",
    title: "event streams",
    about: "Streams over HTTPS/1.1. First silent, for longer than the keep-alive of a stream: growth of \
            user-space memory per stream. Then one event a second on each: a request is an event, its \
            latency the way from the origin's write to the client's read.",
};
const STREAMS: usize = 10_000;
const STREAMS_QUICK: usize = 100;
const SLICES: u32 = 8;
const SLICE_MS: u64 = 2_000;
/// Silence before the memory is read: longer than the keep-alive of a stream, so that whatever a
/// comment needs is in it.
const SETTLE: Duration = Duration::from_secs(20);
const SETTLE_QUICK: Duration = Duration::from_secs(1);
/// Streams opened and closed first, so that what a proxy allocates once is not counted per stream.
const WARM_UP: usize = 16;

pub(super) fn measure(options: &Options) -> Result<(Title, Vec<Record>)> {
    let mut stage = Stage::set(&peers(options, |_| true)?, Driver::new()?)?;
    let tls = client_config(stage.identity.authority.clone(), "http/1.1")?;
    let tls = Arc::new(tls);
    let (streams, settle) = match options.quick {
        true => (STREAMS_QUICK, SETTLE_QUICK),
        false => (STREAMS, SETTLE),
    };
    let wanted = options.streams.map_or(streams, |count| count as usize);
    let streams = wanted.min(streams_max(stage.running.len())?);
    if streams < wanted {
        eprintln!(
            "{}: {streams} streams a proxy, for more there are no descriptors (ulimit -n)",
            TITLE.name
        );
    }
    let mut endpoints = Vec::new();
    for running in &stage.running {
        let endpoint = stage.load.endpoint(running.address, &tls);
        stage
            .load
            .open_streams(endpoint, WARM_UP)
            .with_context(|| format!("first streams through {}", running.label))?;
        stage.load.close_streams(endpoint);
        endpoints.push(endpoint);
    }
    stage.load.idle(Duration::from_millis(500))?;
    let trees = trees(&stage)?;
    let rest: Vec<Memory> = trees
        .iter()
        .map(|tree| tree.memory())
        .collect::<Result<_>>()?;
    for (running, &endpoint) in stage.running.iter().zip(&endpoints) {
        eprintln!(
            "{}: opening {streams} streams through {}",
            TITLE.name, running.label
        );
        stage
            .load
            .open_streams(endpoint, streams)
            .with_context(|| format!("streams through {}", running.label))?;
    }
    stage.load.idle(settle).context("silent streams")?;
    let full: Vec<Memory> = trees
        .iter()
        .map(|tree| tree.memory())
        .collect::<Result<_>>()?;

    let origins = stage.origins.clone();
    let slice = options.duration(SLICE_MS);
    let seen = rounds(
        &mut stage,
        TITLE.name,
        Cost::Request,
        options.slices(SLICES),
        |load, i| load.tick(endpoints[i], origins[i], streams as f64, slice),
    )?;
    let mut records = records(TITLE.name, "", &seen);
    for (record, (rest, full)) in records.iter_mut().zip(rest.iter().zip(&full)) {
        let growth = |full: u64, rest: u64| Some(full.saturating_sub(rest) / streams as u64);
        record.streams = Some(streams as u64);
        record.rss_bytes_per_stream = growth(full.rss_bytes, rest.rss_bytes);
        record.pss_bytes_per_stream = growth(full.pss_bytes, rest.pss_bytes);
        record.rss_bytes_at_rest = Some(rest.rss_bytes);
    }
    Ok((TITLE, records))
}
