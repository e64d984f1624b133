//! What a packet of a flood costs the receiver.

use std::fs;

use anyhow::{Context, Result};
use serde_json::Value;

use super::super::rounds::in_turn;
use super::super::scene::{HOST, SENDER, Scene};
use super::super::shell;
use super::edge::binary;
use super::result::Measured;
use super::subject::{Installed, Subject};
use super::{PORT, TITLE};
use crate::measure::{Cpus, Quartiles};

const SOURCES: [u32; 2] = [1, 65_000];
/// Each source has its one packet in so many.
pub(super) const PACKETS_QUICK: u64 = 100_000;

struct Case {
    subject: Subject,
    sources: u32,
    ns: Vec<f64>,
    pps: Vec<f64>,
}

/// Floods all subjects in turn, with one source and with many.
pub(super) fn measure(cpus: &Cpus, quick: bool) -> Result<Vec<Measured>> {
    let rounds = if quick { 1 } else { 10 };
    let packets = if quick { PACKETS_QUICK } else { u64::MAX };
    let mut scenes = Vec::new();
    for subject in Subject::ALL {
        let scene = Scene::set()?;
        let installed = subject.install(&scene)?;
        scenes.push((subject, scene, installed));
    }
    let mut cases = Vec::new();
    for sources in SOURCES {
        for (subject, scene, _) in &scenes {
            // Each source has its one packet, and tables have grown.
            flood(scene, cpus, sources, packets)?;
            cases.push(Case {
                subject: *subject,
                sources,
                ns: Vec::new(),
                pps: Vec::new(),
            });
        }
    }
    let name = format!("{} floods", TITLE.name);
    in_turn(&name, rounds, cases.len(), |i| {
        let case = &mut cases[i];
        let (_, scene, _) = &scenes[i % scenes.len()];
        let (ns, pps) = flood(scene, cpus, case.sources, packets)?;
        case.ns.push(ns);
        case.pps.push(pps);
        Ok(())
    })?;
    for (_, _, installed) in scenes.iter_mut() {
        if let Installed::Edge(edge) = installed {
            edge.call(&["bans"])
                .context("edge is not there any more after the flood")?;
        }
    }
    Ok(measured(cases))
}

/// Nanoseconds of the receiving thread per packet, and packets a second.
pub(super) fn flood(scene: &Scene, cpus: &Cpus, sources: u32, packets: u64) -> Result<(f64, f64)> {
    let receiver = scene.receiver()?;
    cpus.give_proxy(receiver)?;
    let before = cpu_ns(receiver)?;
    let port = PORT.to_string();
    let sources = sources.to_string();
    let text = shell::output(
        shell::inside(&scene.client, &binary("EDGE_FLOOD_BIN", "edge-flood")?)
            .args(["--interface", SENDER, "--dst-mac", &scene.mac])
            .args(["--dst", HOST, "--port", &port, "--sources", &sources])
            .args(["--proto", "syn", "--seconds", "1"])
            .args(["--packets", &packets.to_string()]),
    )?;
    let report: Value = serde_json::from_str(&text)?;
    let number = |name: &str| report[name].as_f64().context("a number");
    let ns = (cpu_ns(receiver)? - before) as f64;
    Ok((ns / number("packets")?.max(1.0), number("pps")?))
}

/// Time a thread has run (`/proc/PID/schedstat`, its first number).
fn cpu_ns(pid: i32) -> Result<u64> {
    let text = fs::read_to_string(format!("/proc/{pid}/schedstat"))?;
    let first = text.split_whitespace().next().context("a number")?;
    Ok(first.parse()?)
}

fn measured(cases: Vec<Case>) -> Vec<Measured> {
    let measured = |case: Case| Measured {
        case: format!("veth, sources: {}", case.sources),
        subject: case.subject.name(),
        pps: Quartiles::of(case.pps).map(|pps| pps.median),
        ns: case.ns,
    };
    cases.into_iter().map(measured).collect()
}
