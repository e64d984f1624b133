//! What is checked, in which order, and what has to have worked before.
//!
//! The commands are chosen so that a fresh clone compiles every dependency once for checks and once
//! for tests, because cargo unites features over what it is asked for. So all of them select the
//! workspace's default members (and one the kernel programs' host side beside them), those that check
//! enable all features, and the programs are built beside the tests of their packages, with whose
//! dependencies they were compiled for the unit tests. The end-to-end tests reach them by their paths:
//! those of the tests' own profile, or with `--soak` those of a release.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::Result;
use clap::ValueEnum;

use crate::repo::Repo;
use crate::{build, setup, shell};

/// The steps, in the order they run in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Step {
    /// Everything the tests need is on the machine
    Setup,
    /// Formatting
    Fmt,
    /// Lints, warnings denied
    Clippy,
    /// Documentation builds without warnings
    Doc,
    /// Unit tests of every crate
    Unit,
    /// The programs build
    Build,
    /// The programs from outside: real peers, network namespaces, bad input
    E2e,
}

impl Step {
    /// All of them in order.
    pub(super) fn all() -> &'static [Self] {
        Self::value_variants()
    }

    /// The name used on the command line and in the summary.
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Setup => "setup",
            Self::Fmt => "fmt",
            Self::Clippy => "clippy",
            Self::Doc => "doc",
            Self::Unit => "unit",
            Self::Build => "build",
            Self::E2e => "e2e",
        }
    }

    /// What has to have worked for this step to make sense.
    pub(super) fn needs(self) -> &'static [Self] {
        match self {
            Self::Setup | Self::Fmt => &[],
            Self::Clippy | Self::Doc | Self::Unit | Self::Build => &[Self::Setup],
            Self::E2e => &[Self::Setup, Self::Build],
        }
    }

    /// When a step is cut off as hung: several times what it takes on two cores that do nothing
    /// else, because they may have something else to do.
    pub(super) fn deadline(self, soak: bool) -> Duration {
        let minutes = match self {
            Self::E2e if soak => 240,
            Self::Unit if soak => 120,
            _ => 30,
        };
        Duration::from_secs(minutes * 60)
    }

    /// The commands of the step; `Setup` is not a command.
    pub(super) fn commands(self, repo: &Repo, soak: bool) -> Result<Vec<Command>> {
        let cargo = |arguments: &[&str]| {
            let mut cargo = shell::cargo(repo.root());
            cargo.args(arguments);
            cargo
        };
        Ok(match self {
            Self::Setup => Vec::new(),
            Self::Fmt => vec![cargo(&["fmt", "--all", "--check"])],
            Self::Clippy => vec![
                cargo(&[
                    "clippy",
                    "--all-targets",
                    "--all-features",
                    "--",
                    "-D",
                    "warnings",
                ]),
                setup::bpf_clippy(repo.root(), repo.target())?,
            ],
            Self::Doc => {
                let mut doc = cargo(&["doc", "--no-deps", "--all-features"]);
                doc.env("RUSTDOCFLAGS", "-D warnings");
                vec![doc]
            }
            Self::Unit => {
                let mut unit = vec![
                    // With the kernel programs: what of them runs on the host is their parser.
                    cargo(&["test", "--workspace", "--lib", "--bins"]),
                    cargo(&["test", "--doc"]),
                ];
                if soak {
                    // Random input for as long as that takes: of frames, and of everything else.
                    unit[0].env("EDGE_SOAK", "1").env("PROPTEST_CASES", "10000");
                    unit.push(cargo(&[
                        "test",
                        "--lib",
                        "--features",
                        "edge/bpf-log",
                        "kernel::",
                    ]));
                }
                unit
            }
            Self::Build if soak => vec![build::release_command(repo)?],
            Self::Build => vec![cargo(&["build", "--bins", "--tests"])],
            Self::E2e => {
                let program = |name: &str| match soak {
                    true => repo.release(name),
                    false => repo.checked(name),
                };
                let mut e2e = end_to_end(repo, program);
                if soak {
                    e2e.env("EDGE_SOAK", "1");
                }
                let mut bench = cargo(&[
                    "test",
                    "--no-fail-fast",
                    "--test",
                    "harness",
                    "--test",
                    "origin",
                    "--",
                ]);
                bench
                    .env("RUST_TEST_THREADS", "1")
                    .env("BENCH_BIN", program("bench"))
                    .env("EDGE_BIN", program("edge"))
                    .env("EDGE_FLOOD_BIN", program("edge-flood"))
                    .env("EDGE_VENV_PROXIES", repo.venv("proxies"));
                vec![e2e, bench]
            }
        })
    }
}

/// The end-to-end tests, with what they start; a filter may follow.
pub(crate) fn end_to_end(repo: &Repo, program: impl Fn(&str) -> PathBuf) -> Command {
    let mut e2e = shell::cargo(repo.root());
    e2e.args(["test", "--test", "e2e", "--"])
        // Most of their time is waiting.
        .env("RUST_TEST_THREADS", "3")
        .env("EDGE_BIN", program("edge"))
        .env("EDGE_DEMO_BIN", program("edge-demo"))
        .env("EDGE_FLOOD_BIN", program("edge-flood"))
        .env("EDGE_NODE", repo.node())
        .env("EDGE_VENV_MCP1", repo.venv("mcp1"))
        .env("EDGE_VENV_MCP2", repo.venv("mcp2"))
        .env("EDGE_VENV_PEERS", repo.venv("peers"));
    e2e
}

/// The chosen steps and what they need, in order; all of them when none is chosen.
pub(super) fn select(only: &[Step]) -> Vec<Step> {
    let wanted = |step: &Step| {
        only.is_empty()
            || only
                .iter()
                .any(|chosen| chosen == step || chosen.needs().contains(step))
    };
    Step::all().iter().copied().filter(wanted).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_step_brings_what_it_needs() {
        assert_eq!(select(&[Step::E2e]), [Step::Setup, Step::Build, Step::E2e]);
        assert_eq!(select(&[Step::Fmt]), [Step::Fmt]);
        assert_eq!(select(&[]), Step::all());
    }

    #[test]
    fn what_a_step_needs_runs_before_it() {
        for (position, step) in Step::all().iter().enumerate() {
            let before = &Step::all()[..position];
            assert!(
                step.needs().iter().all(|need| before.contains(need)),
                "{}",
                step.name()
            );
        }
    }
}
