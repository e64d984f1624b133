//! `cargo xtask`: everything a developer of `edge` does, one module per task.

#![allow(
    clippy::disallowed_methods,
    reason = "the bans protect workers and the fake clock of edge; this is a plain command-line tool"
)]

mod bench;
mod build;
mod profile;
mod repo;
mod run;
mod setup;
mod shell;
mod test;
mod train;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Parser, Subcommand};

use crate::repo::Repo;

/// Set up, build, run, test and measure edge.
#[derive(Debug, Parser)]
#[command(
    name = "cargo xtask",
    bin_name = "cargo xtask",
    arg_required_else_help = true
)]
struct Cli {
    #[command(subcommand)]
    task: Task,
}

#[derive(Debug, Subcommand)]
enum Task {
    Setup(setup::Options),
    Build(build::Options),
    Run(run::Options),
    Test(test::Options),
    Ci(test::CiOptions),
    Bench(bench::Options),
    Train(train::Options),
}

fn main() -> ExitCode {
    match perform(&Cli::parse().task) {
        Ok(()) => ExitCode::SUCCESS,
        // The whole chain of causes on one line, and no backtrace: what goes wrong here is the
        // machine's or the person's, not this program's.
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn perform(task: &Task) -> Result<()> {
    let repo = Repo::locate()?;
    match task {
        Task::Setup(options) => setup::setup(&repo, options),
        Task::Build(options) => build::build(&repo, options),
        Task::Run(options) => run::run(&repo, options),
        Task::Test(options) => test::test(&repo, options),
        Task::Ci(options) => test::ci(&repo, options),
        Task::Bench(options) => bench::bench(&repo, options),
        Task::Train(options) => train::train(&repo, options),
    }
}
