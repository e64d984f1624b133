//! Event streams: memory of those that say nothing, which is what most do most of the time, then
//! the CPU and the delay of events.
//!
//! Each proxy has two threads of the load to itself, one with its clients and one with its origin:
//! ten thousand streams are as many descriptors for each of them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::{Context, Result};

use super::command::Options;
use super::rounds::{Cost, records, rounds, trees};
use super::stage::{Load, Stage, peers, streams_max};
use crate::load::{Crew, Endpoint, Slice, client_config};
use crate::measure::{Cpus, Memory};
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

/// The threads, two for each proxy: its origin's and its clients'.
struct Sides {
    crew: Crew,
    taken: usize,
}

impl Load for Sides {
    fn origin(&mut self) -> Result<SocketAddr> {
        let member = self.taken * 2;
        self.taken += 1;
        self.crew.begin(member, |driver| driver.origin()).join()
    }
}

impl Sides {
    /// The clients' thread of the proxy with this number.
    fn clients(proxy: usize) -> usize {
        proxy * 2 + 1
    }

    fn open(&self, proxy: usize, endpoint: Endpoint, count: usize) -> Result<()> {
        let opening = self.crew.begin(Self::clients(proxy), move |driver| {
            driver.open_streams(endpoint, count)
        });
        opening.join()
    }

    /// Serves all streams for `duration`; one that ends is an error.
    fn idle(&self, duration: Duration) -> Result<()> {
        self.crew.each(move |_, driver| driver.idle(duration))?;
        Ok(())
    }

    /// Sends `per_s` events a second over the streams of one proxy.
    fn tick(
        &self,
        proxy: usize,
        endpoint: Endpoint,
        origin: SocketAddr,
        per_s: f64,
        duration: Duration,
    ) -> Result<Slice> {
        let sent = Arc::new(AtomicU64::new(u64::MAX));
        let known = Arc::clone(&sent);
        let receiving = self.crew.begin(Self::clients(proxy), move |driver| {
            driver.receive_events(endpoint, &known)
        });
        let sending = self.crew.begin(proxy * 2, move |driver| {
            driver.send_events(origin, per_s, duration)
        });
        let number = sending.join();
        // Whatever became of it, nobody waits for more.
        sent.store(*number.as_ref().unwrap_or(&0), Ordering::Release);
        let slice = receiving.join();
        number?;
        slice
    }
}

pub(super) fn measure(options: &Options) -> Result<(Title, Vec<Record>)> {
    let peers = peers(options, |_| true)?;
    let cpus = Cpus::claim(1)?.load();
    let sides = Sides {
        crew: Crew::start(peers.len() * 2, &cpus)?,
        taken: 0,
    };
    let mut stage = Stage::set(&peers, sides)?;
    let tls = client_config(stage.identity.authority.clone(), "http/1.1")?;
    let tls = Arc::new(tls);
    let (streams, settle) = match options.quick {
        true => (STREAMS_QUICK, SETTLE_QUICK),
        false => (STREAMS, SETTLE),
    };
    let wanted = options.streams.map_or(streams, |count| count as usize);
    let streams = wanted.min(streams_max()?);
    if streams < wanted {
        eprintln!(
            "{}: {streams} streams a proxy; for {wanted} a process has too few descriptors (ulimit -Hn)",
            TITLE.name
        );
    }
    let mut endpoints = Vec::new();
    for (i, running) in stage.running.iter().enumerate() {
        let (address, tls) = (running.address, Arc::clone(&tls));
        let clients = Sides::clients(i);
        let endpoint = stage.load.crew.begin(clients, move |driver| {
            let endpoint = driver.endpoint(address, &tls);
            driver.open_streams(endpoint, WARM_UP)?;
            driver.close_streams(endpoint);
            Ok(endpoint)
        });
        let endpoint = endpoint.join();
        endpoints
            .push(endpoint.with_context(|| format!("first streams through {}", running.label))?);
    }
    stage.load.idle(Duration::from_millis(500))?;
    let trees = trees(&stage)?;
    let memory = || -> Result<Vec<Memory>> { trees.iter().map(|tree| tree.memory()).collect() };
    let rest = memory()?;
    for (i, running) in stage.running.iter().enumerate() {
        eprintln!(
            "{}: opening {streams} streams through {}",
            TITLE.name, running.label
        );
        let opened = stage.load.open(i, endpoints[i], streams);
        opened.with_context(|| format!("streams through {}", running.label))?;
    }
    stage.load.idle(settle).context("silent streams")?;
    let full = memory()?;

    let origins = stage.origins.clone();
    let slice = options.duration(SLICE_MS);
    let count = options.slices(SLICES);
    let seen = rounds(&mut stage, TITLE.name, Cost::Request, count, |load, i| {
        load.tick(i, endpoints[i], origins[i], streams as f64, slice)
    })?;
    let mut records = records(TITLE.name, "", &seen);
    for (record, (rest, full)) in records.iter_mut().zip(rest.iter().zip(&full)) {
        record.grown(*rest, *full, streams);
        record.rss_bytes_at_rest = Some(rest.rss_bytes);
    }
    Ok((TITLE, records))
}
