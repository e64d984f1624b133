//! Calls of an honest client while another source floods.
//!
//! Each proxy is in a network namespace of its own, behind a pair of virtual Ethernet devices whose
//! packets are received on the proxy's CPU. edge has its shield on, with its defaults. The others
//! have what the kernel does by itself, SYN cookies: what people put in front of them is measured
//! by the workload `shield`.

use std::process::Stdio;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::command::Options;
use super::rounds::{Cost, Seen, in_turn, records};
use super::scene::{HOST, SENDER, Scene};
use super::shell;
use super::shield::binary;
use super::stage::{peers, prepare};
use crate::clock::{monotonic_ns, pause};
use crate::load::{Driver, Pace, client_config};
use crate::measure::check_interrupt;
use crate::peers::{Proxy, Setup};
use crate::report::{Record, Title};

const TITLE: Title = Title {
    name: "attack",
    title: "an honest client while another source floods",
    about: "500 calls a second over 16 kept-alive connections, quiet and beside a flood of SYNs from \
            one other source, 50,000 a second. Ratios compare the 99th percentiles.",
};
const CONNECTIONS: usize = 16;
const PER_S: f64 = 500.0;
const FLOOD_PER_S: u64 = 50_000;
/// For edge to attach its program.
const ATTACHED_NS: u64 = 20_000_000_000;
const LOOK: Duration = Duration::from_millis(20);
const SLICES: u32 = 8;
const SLICE_MS: u64 = 1_000;

pub(super) fn measure(options: &Options) -> Result<(Title, Vec<Record>)> {
    let peers = peers(options, |_| true)?;
    let (cpus, dir, identity) = prepare(1)?;
    let tls = client_config(identity.authority.clone(), "http/1.1")?;
    let tls = Arc::new(tls);
    let mut driver = Driver::new()?;
    let slice = options.duration(SLICE_MS);
    let mut scenes = Vec::new();
    for peer in &peers {
        let scene = Scene::set()?;
        let shield = format!(
            "mode = \"native\"\nrequired = true\npin = \"off\"\ninterfaces = [\"{}\"]",
            scene.device
        );
        let running = peer.start(&Setup {
            dir: dir.path(),
            identity: &identity,
            ip: HOST.parse()?,
            origin: driver.origin_in(&scene.host)?,
            cpus: &cpus,
            netns: Some(&scene.host),
            shield: &shield,
        })?;
        if running.proxy == Proxy::Edge {
            attached(&scene)?;
        }
        cpus.give_proxy(scene.receiver()?)?;
        let endpoint = driver.endpoint_from(&scene.client, running.address, &tls);
        driver
            .connect(endpoint, options.connections(CONNECTIONS))
            .with_context(|| format!("connecting to {}", running.label))?;
        driver.run(endpoint, Pace::Closed, slice)?;
        scenes.push((scene, running, endpoint));
    }
    let mut cases = Vec::new();
    for case in ["quiet", "flood"] {
        for i in 0..scenes.len() {
            cases.push((case, i));
        }
    }
    let mut seen = Vec::new();
    for &(_, i) in &cases {
        let running = &scenes[i].1;
        let version = running.proxy.version()?;
        seen.push(Seen::new(running.label.clone(), Cost::Tail, version));
    }
    let count = options.slices(SLICES);
    in_turn(TITLE.name, count, cases.len(), |number| {
        let (case, i) = cases[number];
        let (scene, running, endpoint) = &scenes[i];
        let port = running.address.port();
        let flood = match case {
            "flood" => Some(flood(scene, port, slice.as_secs_f64())?),
            _ => None,
        };
        let result = driver.run(*endpoint, Pace::Open(PER_S), slice)?;
        if let Some(mut flood) = flood {
            let output = flood.wait()?;
            if !output.success() {
                bail!("edge-flood: {output}");
            }
        }
        match seen[number].sum.errors {
            0 => seen[number].add(result, 0, 0),
            _ => Ok(()),
        }
    })?;
    let (quiet, flood) = seen.split_at(scenes.len());
    let mut all = records(TITLE.name, "quiet", quiet);
    all.extend(records(TITLE.name, "flood", flood));
    Ok((TITLE, all))
}

/// Waits until edge has its program where the packets come in: it serves before that.
fn attached(scene: &Scene) -> Result<()> {
    let until_ns = monotonic_ns() + ATTACHED_NS;
    while let Err(error) = scene.program() {
        check_interrupt()?;
        if monotonic_ns() > until_ns {
            return Err(error.context("edge has not attached its shield"));
        }
        pause(LOOK);
    }
    Ok(())
}

/// A flood that goes on for as long as a slice.
fn flood(scene: &Scene, port: u16, seconds: f64) -> Result<std::process::Child> {
    let packets = (seconds * FLOOD_PER_S as f64) as u64;
    let child = shell::inside(&scene.client, &binary("EDGE_FLOOD_BIN", "edge-flood")?)
        .args(["--interface", SENDER, "--dst-mac", &scene.mac])
        .args(["--dst", HOST, "--port", &port.to_string()])
        .args(["--sources", "1", "--proto", "syn"])
        .args(["--pps", &FLOOD_PER_S.to_string()])
        .args(["--packets", &packets.to_string()])
        .args(["--seconds", &(seconds.ceil() as u64).to_string()])
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .spawn();
    child.context("cannot start edge-flood")
}
