//! What the programs cost, run on one packet again and again.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use tempfile::TempDir;

use super::super::rounds::in_turn;
use super::super::scene::{HOST, Scene};
use super::super::shell;
use super::edge::Edge;
use super::result::Measured;
use super::subject::Subject;
use super::{PORT, TITLE, fill};
use crate::clock::pause;
use crate::flood::{Kind, frame};

/// What is done with the packet.
const PASS: u64 = 2;
const DROP: u64 = 1;

/// In which the burst below is there again: a run may use all of it up.
const REFILL: Duration = Duration::from_millis(100);
/// Limits no packet of ours is over, but which are looked at.
const BOTH_LIMITS: &str = "packets = \"10000000/s\"\npackets_burst = 1000000\n\
    connections = \"10000000/s\"\nconnections_burst = 1000000";

/// Somebody of 198.18.0.0/15.
const STRANGER: &str = "198.18.7.9";
const BANNED: &str = "198.18.7.66";

struct Case {
    workload: &'static str,
    subject: &'static str,
    program: String,
    frame: PathBuf,
    action: u64,
    ns: Vec<f64>,
}

/// Runs all cases in turn.
pub(super) fn measure(quick: bool) -> Result<Vec<Measured>> {
    let (repeat, rounds, bans) = match quick {
        true => ("100000", 3, 10_000),
        false => ("1000000", 10, 1_000_000),
    };
    let dir = TempDir::with_prefix("edge-bench-frames-")?;
    let to_port = |name: &str, from: &str, port: u16| -> Result<PathBuf> {
        let path = dir.path().join(name);
        let from = SocketAddr::new(from.parse()?, 50_000);
        let to = SocketAddr::new(HOST.parse()?, port);
        fs::write(&path, frame(Kind::Syn, [[2; 6], [4; 6]], from, to))?;
        Ok(path)
    };
    let stranger = to_port("stranger", STRANGER, PORT)?;
    let banned = to_port("banned", BANNED, PORT)?;
    let elsewhere = to_port("elsewhere", STRANGER, 22)?;

    let scenes = [
        Scene::set()?,
        Scene::set()?,
        Scene::set()?,
        Scene::set()?,
        Scene::set()?,
    ];
    let [plain, lists, full, live, filter] = &scenes;
    let edges = [
        Edge::start(plain, BOTH_LIMITS, &[])?,
        Edge::start(
            lists,
            &format!("{BOTH_LIMITS}\nallow_files = [\"allow\"]\ndeny_files = [\"deny\"]"),
            &[
                ("allow", fill::networks(10_000, 1)),
                ("deny", fill::networks(10_000, 2)),
            ],
        )?,
        Edge::start(full, BOTH_LIMITS, &[])?,
        Edge::start(live, BOTH_LIMITS, &[])?,
    ];
    for edge in &edges {
        edge.call(&["ban", BANNED, "--for", "1h"])?;
    }
    fill::bans(&full.program()?, bans)?;
    fill::others(&live.program()?)?;
    Subject::XdpFilter.install(filter)?;

    let case = |workload, subject, scene: &Scene, frame: &Path, action| -> Result<Case> {
        Ok(Case {
            workload,
            subject,
            program: scene.program()?,
            frame: frame.to_owned(),
            action,
            ns: Vec::new(),
        })
    };
    let mut cases = vec![
        case("deny", "xdp-filter", filter, &stranger, DROP)?,
        case("unguarded", "edge", plain, &elsewhere, PASS)?,
        case("guarded", "edge", plain, &stranger, PASS)?,
        case("banned", "edge", plain, &banned, DROP)?,
        case("cidr10k", "edge", lists, &stranger, PASS)?,
        case("guarded1m", "edge", full, &stranger, PASS)?,
        case("banned1m", "edge", full, &banned, DROP)?,
        case("live1m", "edge", live, &stranger, PASS)?,
    ];
    let name = format!("{} packets", TITLE.name);
    in_turn(&name, rounds, cases.len(), |i| {
        pause(REFILL);
        cases[i].run(repeat)
    })?;
    Ok(measured(cases))
}

impl Case {
    fn run(&mut self, repeat: &str) -> Result<()> {
        let frame = self.frame.display().to_string();
        let arguments = ["-j", "prog", "run", "id", &self.program];
        let data = ["data_in", &frame, "repeat", repeat];
        let result = shell::json("bpftool", &[&arguments[..], &data].concat())?;
        let action = result["retval"].as_u64();
        ensure!(
            action == Some(self.action),
            "{} of {} did {action:?} instead of {}",
            self.workload,
            self.subject,
            self.action
        );
        self.ns.push(result["duration"].as_f64().context("a time")?);
        Ok(())
    }
}

fn measured(cases: Vec<Case>) -> Vec<Measured> {
    let measured = |case: Case| Measured {
        case: case.workload.to_owned(),
        subject: case.subject,
        ns: case.ns,
        pps: None,
    };
    cases.into_iter().map(measured).collect()
}
