//! Whether a packet costs more when more sources are live: the program's own time as the kernel
//! counts it, in a flood in which every packet is another source's.
//!
//! One packet run again and again would find its source in the CPU's cache however large the table
//! is. The program's table has a fixed size, so a million live sources are a table full of them.

use anyhow::{Context, Result};

use super::super::scene::Scene;
use super::super::shell;
use super::fill;
use super::flood::{PACKETS_QUICK, flood};
use super::result::Measured;
use super::subject::Subject;
use crate::clock::monotonic_ns;
use crate::measure::{Cpus, check_interrupt, shuffle};

/// What is measured, and the subject that has few sources.
pub(super) const CASE: &str = "live sources";
pub(super) const FEW: &str = "edge-1k";

/// Addresses that packets come from: all that there are, or all that the generator has.
const SOURCES: [(&str, u32); 2] = [(FEW, 1_000), ("edge", 65_000)];

/// Floods a table with few live sources and one that is full of them, in turn.
pub(super) fn measure(cpus: &Cpus, quick: bool) -> Result<Vec<Measured>> {
    let rounds = if quick { 1 } else { 10 };
    let packets = if quick { PACKETS_QUICK } else { u64::MAX };
    let _statistics = Statistics::on()?;
    let scenes = [Scene::set()?, Scene::set()?];
    let mut installed = Vec::new();
    for (scene, (_, sources)) in scenes.iter().zip(SOURCES) {
        installed.push(Subject::Edge.install(scene)?);
        // Each source has its one packet.
        flood(scene, cpus, sources, packets)?;
    }
    fill::sources(&scenes[1].program()?)?;
    flood(&scenes[1], cpus, SOURCES[1].1, packets)?;

    let mut ns = [Vec::new(), Vec::new()];
    let mut order = [0, 1];
    let mut seed = monotonic_ns() | 1;
    for _ in 0..rounds {
        shuffle(&mut order, &mut seed);
        for &i in &order {
            check_interrupt()?;
            let program = scenes[i].program()?;
            let before = spent(&program)?;
            flood(&scenes[i], cpus, SOURCES[i].1, packets)?;
            let after = spent(&program)?;
            ns[i].push((after.0 - before.0) / (after.1 - before.1).max(1.0));
        }
    }
    let measured = |((subject, _), ns)| Measured {
        case: CASE.to_owned(),
        subject,
        ns,
        pps: None,
    };
    Ok(SOURCES.into_iter().zip(ns).map(measured).collect())
}

/// Nanoseconds a program has run, and how often.
fn spent(program: &str) -> Result<(f64, f64)> {
    let shown = shell::json("bpftool", &["-j", "prog", "show", "id", program])?;
    let number = |name: &str| shown[name].as_f64().context("the kernel counts");
    Ok((number("run_time_ns")?, number("run_cnt")?))
}

/// The kernel counts the time of programs, until this is dropped.
struct Statistics;

const SWITCH: &str = "kernel.bpf_stats_enabled";

impl Statistics {
    fn on() -> Result<Statistics> {
        shell::run("sysctl", &["-q", "-w", &format!("{SWITCH}=1")])?;
        Ok(Statistics)
    }
}

impl Drop for Statistics {
    fn drop(&mut self) {
        // It was there to be switched on.
        let _ = shell::run("sysctl", &["-q", "-w", &format!("{SWITCH}=0")]);
    }
}
