//! The main workload: calls over kept-alive HTTPS/1.1 connections, in a closed loop.

use std::sync::Arc;

use anyhow::{Context, Result};

use super::command::Options;
use super::rounds::{Cost, Seen, records, rounds};
use super::stage::{Stage, peers};
use crate::load::{Driver, Pace, client_config};
use crate::peers::Peer;
use crate::report::{Record, Title};

const TITLE: Title = Title {
    name: "https1",
    title: "calls over kept-alive HTTPS/1.1",
    about: "A JSON-RPC call of 200 bytes, answered with 1 KiB; 64 connections in a closed loop.",
};
const CONNECTIONS: usize = 64;
const SLICES: u32 = 16;
const SLICE_MS: u64 = 500;

pub(super) fn measure(options: &Options) -> Result<(Title, Vec<Record>)> {
    let seen = closed_loop(options, TITLE.name, &peers(options, |_| true)?)?;
    Ok((TITLE, records(TITLE.name, "", &seen)))
}

/// Calls through these proxies in turn.
pub(super) fn closed_loop(options: &Options, name: &str, peers: &[Peer]) -> Result<Vec<Seen>> {
    let mut stage = Stage::set(peers, Driver::new()?)?;
    let tls = client_config(stage.identity.authority.clone(), "http/1.1")?;
    let tls = Arc::new(tls);
    let mut endpoints = Vec::new();
    let slice = options.duration(SLICE_MS);
    for running in &stage.running {
        let endpoint = stage.load.endpoint(running.address, &tls);
        stage
            .load
            .connect(endpoint, options.connections(CONNECTIONS))
            .with_context(|| format!("connecting to {}", running.label))?;
        // Warm caches, pools and session state; not counted.
        stage.load.run(endpoint, Pace::Closed, slice)?;
        endpoints.push(endpoint);
    }
    rounds(
        &mut stage,
        name,
        Cost::Request,
        options.slices(SLICES),
        |load, i| load.run(endpoints[i], Pace::Closed, slice),
    )
}
