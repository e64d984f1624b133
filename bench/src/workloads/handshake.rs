//! A new connection for every call: TLS handshakes, full and resumed.

use std::sync::Arc;

use anyhow::{Result, anyhow};

use super::command::Options;
use super::rounds::{Cost, records, rounds};
use super::stage::{Stage, crew, peers};
use crate::load::{Language, Pace, client_config, resuming};
use crate::report::{Record, Title};

const TITLE: Title = Title {
    name: "handshake",
    title: "a new TLS connection for every call",
    about: "TLS 1.3, X25519, a P-256 certificate; 8 clients that connect, call once and close. \
            `resumed` comes back with a ticket of the connection before.",
};
/// As many as a client keeps tickets for.
const CLIENTS: usize = 8;
const SLICES: u32 = 12;
const SLICE_MS: u64 = 500;
/// Of resumed handshakes, that have to be.
const RESUMED_MIN: f64 = 0.95;

pub(super) fn measure(options: &Options) -> Result<(Title, Vec<Record>)> {
    let peers = peers(options, |_| true)?;
    let mut stage = Stage::set(&peers, crew(options, &peers)?)?;
    let full = client_config(stage.identity.authority.clone(), "http/1.1")?;
    let slice = options.duration(SLICE_MS);
    let mut all = Vec::new();
    for case in ["full", "resumed"] {
        let mut endpoints = Vec::new();
        for running in &stage.running {
            let tls = match case {
                "full" => full.clone(),
                _ => resuming(&full),
            };
            let tls = Arc::new(tls);
            let endpoint = stage
                .load
                .endpoint(running.address, &tls, Language::Http1)?;
            stage.load.connect_each_time(endpoint, CLIENTS)?;
            stage.load.run(endpoint, Pace::Closed, slice)?;
            endpoints.push(endpoint);
        }
        let name = format!("{} {case}", TITLE.name);
        let mut seen = rounds(
            &mut stage,
            &name,
            Cost::Request,
            options.slices(SLICES),
            |load, i| load.run(endpoints[i], Pace::Closed, slice),
        )?;
        for seen in &mut seen {
            let share = seen.sum.resumed as f64 / seen.sum.requests.max(1) as f64;
            if case == "resumed" && share < RESUMED_MIN {
                seen.failed(&anyhow!("only {:.0} % were resumed", share * 100.0));
            }
        }
        let mut records = records(TITLE.name, case, &seen);
        for (record, seen) in records.iter_mut().zip(&seen) {
            let share = seen.sum.resumed as f64 / seen.sum.requests.max(1) as f64;
            record.resumed = Some(share);
        }
        all.extend(records);
    }
    Ok((TITLE, all))
}
