//! Calls over HTTP/3, several at once on each connection, in closed loops.

use anyhow::{Context, Result};

use super::command::Options;
use super::rounds::{Cost, records, rounds};
use super::stage::{Stage, peers};
use crate::load::{HTTP3, Tasks, client_config};
use crate::peers::Proxy;
use crate::report::{Record, Title};

const TITLE: Title = Title {
    name: "https3",
    title: "calls over HTTP/3",
    about: "A JSON-RPC call of 200 bytes, answered with 1 KiB; 32 connections of 4 streams, each a \
            closed loop.",
};
const CONNECTIONS: usize = 32;
const STREAMS: usize = 4;
const SLICES: u32 = 16;
const SLICE_MS: u64 = 500;

pub(super) fn measure(options: &Options) -> Result<(Title, Vec<Record>)> {
    let mut stage = Stage::set(&peers(options, Proxy::has_http3)?, Tasks::new()?)?;
    let tls = client_config(stage.identity.authority.clone(), HTTP3)?;
    let slice = options.duration(SLICE_MS);
    let mut fleets = Vec::new();
    for running in &stage.running {
        let connections = options.connections(CONNECTIONS);
        let fleet = stage
            .load
            .connect(running.address, &tls, connections)
            .with_context(|| format!("connecting to {}", running.label))?;
        // Warm caches, pools and session state; not counted.
        stage.load.run(fleet, STREAMS, slice)?;
        fleets.push(fleet);
    }
    let count = options.slices(SLICES);
    let seen = rounds(&mut stage, TITLE.name, Cost::Request, count, |load, i| {
        load.run(fleets[i], STREAMS, slice)
    })?;
    Ok((TITLE, records(TITLE.name, "", &seen)))
}
