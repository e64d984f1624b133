//! From nothing to the first answer, and what a proxy is that does nothing.

use std::fs;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::command::Options;
use super::rounds::{in_turn, relate};
use super::stage::{peers, prepare};
use crate::clock::monotonic_ns;
use crate::load::{Driver, Pace, client_config};
use crate::measure::Quartiles;
use crate::peers::Setup;
use crate::report::{Record, Title};

const TITLE: Title = Title {
    name: "startup",
    title: "start-up, memory at rest, size",
    about: "From the start of the process to the first answer over HTTPS. Then the resident memory of all \
            its processes after one call, and the size of the program's file, without the shared \
            libraries that nginx and HAProxy use.",
};
const SLICES: u32 = 10;

pub(super) fn measure(options: &Options) -> Result<(Title, Vec<Record>)> {
    let peers = peers(options, |_| true)?;
    let (cpus, dir, identity) = prepare(1)?;
    let tls = client_config(identity.authority.clone(), "http/1.1")?;
    let tls = Arc::new(tls);
    let mut driver = Driver::new()?;
    let origin = driver.origin()?;
    let mut times_ms = vec![Vec::new(); peers.len()];
    let mut at_rest = vec![0; peers.len()];
    in_turn(TITLE.name, options.slices(SLICES), peers.len(), |i| {
        let setup = Setup::on_loopback(dir.path(), &identity, origin, &cpus);
        let running = peers[i].start(&setup)?;
        let from_ns = monotonic_ns();
        let endpoint = driver.endpoint(running.address, &tls);
        driver.connect_each_time(endpoint, 1);
        let slice = driver.run(endpoint, Pace::Closed, Duration::from_nanos(1))?;
        if let Some(error) = slice.first_error {
            bail!("the first call through {}: {error}", running.label);
        }
        let start_ns = running.start_ns + (monotonic_ns() - from_ns);
        times_ms[i].push(start_ns as f64 / 1e6);
        driver.idle(Duration::from_millis(100))?;
        at_rest[i] = running.tree()?.memory()?.rss_bytes;
        Ok(())
    })?;
    let mut records = Vec::new();
    for (i, peer) in peers.iter().enumerate() {
        let times = Quartiles::of(times_ms[i].clone()).context("no slices")?;
        records.push(Record {
            workload: TITLE.name.to_owned(),
            proxy: peer.label.clone(),
            startup_ms: Some(times.median),
            spread: Some(times.spread()),
            rss_bytes_at_rest: Some(at_rest[i]),
            binary_bytes: Some(fs::metadata(peer.proxy.program()?)?.len()),
            ratio_of: "startup_ms".to_owned(),
            version: peer.proxy.version()?,
            ..Record::default()
        });
    }
    let times: Vec<&[f64]> = times_ms.iter().map(Vec::as_slice).collect();
    relate(&mut records, &times);
    Ok((TITLE, records))
}
