//! Calls over HTTP/2 and HTTP/3, several at once on each connection, in closed loops.

use anyhow::{Context, Result};

use super::command::Options;
use super::rounds::{Cost, records, rounds};
use super::stage::{Stage, peers};
use crate::load::{Protocol, Tasks, client_config};
use crate::peers::Proxy;
use crate::report::{Record, Title};

const HTTPS2: Title = Title {
    name: "https2",
    title: "calls over HTTP/2",
    about: "A JSON-RPC call of 200 bytes, answered with 1 KiB; 8 connections of 10 streams, each a \
            closed loop.",
};
const HTTPS3: Title = Title {
    name: "https3",
    title: "calls over HTTP/3",
    about: "A JSON-RPC call of 200 bytes, answered with 1 KiB; 32 connections of 4 streams, each a \
            closed loop.",
};
const SLICES: u32 = 16;
const SLICE_MS: u64 = 500;

pub(super) fn https2(options: &Options) -> Result<(Title, Vec<Record>)> {
    let records = measure(options, HTTPS2.name, Protocol::H2, [8, 10], |_| true)?;
    Ok((HTTPS2, records))
}

pub(super) fn https3(options: &Options) -> Result<(Title, Vec<Record>)> {
    let records = measure(
        options,
        HTTPS3.name,
        Protocol::H3,
        [32, 4],
        Proxy::has_http3,
    )?;
    Ok((HTTPS3, records))
}

fn measure(
    options: &Options,
    name: &str,
    protocol: Protocol,
    [connections, streams]: [usize; 2],
    can: fn(Proxy) -> bool,
) -> Result<Vec<Record>> {
    let mut stage = Stage::set(&peers(options, can)?, Tasks::new()?)?;
    let tls = client_config(stage.identity.authority.clone(), protocol.alpn())?;
    let slice = options.duration(SLICE_MS);
    let mut fleets = Vec::new();
    for running in &stage.running {
        let connections = options.connections(connections);
        let fleet = stage
            .load
            .connect(protocol, running.address, &tls, connections)
            .with_context(|| format!("connecting to {}", running.label))?;
        // Warm caches, pools and session state; not counted.
        stage.load.run(fleet, streams, slice)?;
        fleets.push(fleet);
    }
    let seen = rounds(
        &mut stage,
        name,
        Cost::Request,
        options.slices(SLICES),
        |load, i| load.run(fleets[i], streams, slice),
    )?;
    Ok(records(name, "", &seen))
}
