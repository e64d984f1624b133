//! Large bodies, down and up, over HTTP/1.1 and HTTP/3.

use std::sync::Arc;

use anyhow::{Context, Result};

use super::command::Options;
use super::rounds::{Cost, records, rounds};
use super::stage::{Stage, peers};
use crate::load::{Bulk, Direction, HTTP3, Tasks, client_config};
use crate::measure::Cpus;
use crate::origin::BulkOrigin;
use crate::peers::{Peer, Proxy, quic_counters};
use crate::report::{Record, Title};

const TITLE: Title = Title {
    name: "bulk",
    title: "large bodies",
    about: "Bodies of 1 GiB over one connection, every byte compared where it arrives. CPU of the \
            proxy per 10^9 bytes. `datagrams/send` and `/receive` are edge's own counters: how many \
            datagrams it moves in a system call with GSO and GRO, which edge-alone does without \
            (`offload = false`).",
};
const MIB: u64 = 1024;
const MIB_QUICK: u64 = 16;
const SLICES: u32 = 6;
const DIRECTIONS: [(Direction, &str); 2] = [(Direction::Down, "down"), (Direction::Up, "up")];

pub(super) fn measure(options: &Options) -> Result<(Title, Vec<Record>)> {
    let mib = if options.quick { MIB_QUICK } else { MIB };
    let bytes = options.size.unwrap_or(mib) << 20;
    let mut records = over_http1(options, bytes)?;
    records.extend(over_http3(options, bytes)?);
    Ok((TITLE, records))
}

fn over_http1(options: &Options, bytes: u64) -> Result<Vec<Record>> {
    let mut stage = Stage::set(&peers(options, |_| true)?, origin()?)?;
    let tls = client_config(stage.identity.authority.clone(), "http/1.1")?;
    let tls = Arc::new(tls);
    let mut clients = Vec::new();
    for running in &stage.running {
        let client = Bulk::connect(running.address, &tls);
        clients.push(client.with_context(|| format!("connecting to {}", running.label))?);
    }
    let mut all = Vec::new();
    for (direction, word) in DIRECTIONS {
        let case = format!("{word}, HTTP/1.1");
        let name = format!("{} {case}", TITLE.name);
        let seen = rounds(
            &mut stage,
            &name,
            Cost::Gigabyte,
            options.slices(SLICES),
            |_, i| clients[i].run(direction, bytes),
        )?;
        all.extend(records(TITLE.name, &case, &seen));
    }
    Ok(all)
}

fn over_http3(options: &Options, bytes: u64) -> Result<Vec<Record>> {
    let mut chosen = peers(options, Proxy::has_http3)?;
    if options.proxies.contains(&Proxy::Edge) {
        chosen.push(Peer {
            label: "edge-alone".to_owned(),
            quic: "offload = false",
            ..Peer::from(Proxy::Edge)
        });
    }
    let mut stage = Stage::set(&chosen, origin()?)?;
    let tls = client_config(stage.identity.authority.clone(), HTTP3)?;
    let mut tasks = Tasks::new()?;
    let mut fleets = Vec::new();
    for running in &stage.running {
        let fleet = tasks.connect(running.address, &tls, 1);
        fleets.push(fleet.with_context(|| format!("connecting to {}", running.label))?);
    }
    let mut all = Vec::new();
    for (direction, word) in DIRECTIONS {
        let case = format!("{word}, HTTP/3");
        let name = format!("{} {case}", TITLE.name);
        let before: Vec<_> = stage.running.iter().map(quic_counters).collect();
        let seen = rounds(
            &mut stage,
            &name,
            Cost::Gigabyte,
            options.slices(SLICES),
            |_, i| tasks.bulk(fleets[i], direction, bytes),
        )?;
        let mut records = records(TITLE.name, &case, &seen);
        for ((record, running), before) in records.iter_mut().zip(&stage.running).zip(before) {
            if let Some((before, after)) = before.zip(quic_counters(running)) {
                record.datagrams_per_send = before.per_send(&after);
                record.datagrams_per_receive = before.per_receive(&after);
            }
        }
        all.extend(records);
    }
    Ok(all)
}

/// The origin's threads run where this one may, which is where the load does.
fn origin() -> Result<BulkOrigin> {
    Cpus::claim(1)?;
    BulkOrigin::start()
}
