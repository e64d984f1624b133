//! Calls in closed loops: over kept-alive HTTPS/1.1, the main workload, over HTTP/2, and over
//! WebSockets.

use std::sync::Arc;

use anyhow::{Context, Result};

use super::command::Options;
use super::rounds::{Cost, Seen, records, rounds};
use super::stage::{Stage, crew, peers};
use crate::load::{Crew, Endpoint, Language, Pace, client_config};
use crate::peers::Peer;
use crate::report::{Record, Title};

const HTTPS1: Title = Title {
    name: "https1",
    title: "calls over kept-alive HTTPS/1.1",
    about: "A JSON-RPC call of 200 bytes, answered with 1 KiB; 64 connections in a closed loop.",
};
const HTTPS2: Title = Title {
    name: "https2",
    title: "calls over HTTP/2",
    about: "A JSON-RPC call of 200 bytes, answered with 1 KiB; 8 connections of 10 streams, each a \
            closed loop.",
};
const WEBSOCKET: Title = Title {
    name: "websocket",
    title: "messages over WebSockets",
    about: "A message of 200 bytes, answered by one of 1 KiB; 64 open WebSockets over TLS, each a closed \
            loop.",
};
/// Of HTTP/1.1, and WebSockets.
pub(super) const CONNECTIONS: usize = 64;
const CONNECTIONS_H2: usize = 8;
const STREAMS: usize = 10;
const SLICES: u32 = 16;
const SLICE_MS: u64 = 500;

pub(super) fn https1(options: &Options) -> Result<(Title, Vec<Record>)> {
    measure(options, HTTPS1, Language::Http1, CONNECTIONS)
}

pub(super) fn https2(options: &Options) -> Result<(Title, Vec<Record>)> {
    let language = Language::Http2 { streams: STREAMS };
    measure(options, HTTPS2, language, CONNECTIONS_H2)
}

pub(super) fn websocket(options: &Options) -> Result<(Title, Vec<Record>)> {
    measure(options, WEBSOCKET, Language::WebSocket, CONNECTIONS)
}

fn measure(
    options: &Options,
    title: Title,
    language: Language,
    connections: usize,
) -> Result<(Title, Vec<Record>)> {
    let peers = peers(options, |_| true)?;
    let seen = closed_loop(options, title.name, &peers, language, connections)?;
    Ok((title, records(title.name, "", &seen)))
}

/// Calls through these proxies in turn.
pub(super) fn closed_loop(
    options: &Options,
    name: &str,
    peers: &[Peer],
    language: Language,
    connections: usize,
) -> Result<Vec<Seen>> {
    let mut stage = Stage::set(peers, crew(options, peers)?)?;
    let endpoints = connect(options, &stage, language, connections)?;
    let slice = options.duration(SLICE_MS);
    for &endpoint in &endpoints {
        // Warm caches, pools and session state; not counted.
        stage.load.run(endpoint, Pace::Closed, slice)?;
    }
    let count = options.slices(SLICES);
    rounds(&mut stage, name, Cost::Request, count, |load, i| {
        load.run(endpoints[i], Pace::Closed, slice)
    })
}

/// Opens so many connections to every proxy, unless the options say how many.
pub(super) fn connect(
    options: &Options,
    stage: &Stage<Crew>,
    language: Language,
    connections: usize,
) -> Result<Vec<Endpoint>> {
    let tls = client_config(stage.identity.authority.clone(), language.alpn())?;
    let tls = Arc::new(tls);
    let connections = options.connections(connections);
    let each = stage.running.iter().map(|running| {
        let endpoint = stage.load.endpoint(running.address, &tls, language)?;
        let connected = stage.load.connect(endpoint, connections);
        connected.with_context(|| format!("connecting to {}", running.label))?;
        Ok(endpoint)
    });
    each.collect()
}
