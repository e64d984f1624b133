//! `cargo xtask bench`: measures `edge` against its peers with the programs of the `bench` crate.

use anyhow::Result;

use crate::repo::Repo;
use crate::{build, setup, shell};

/// Measure edge against its peers on this machine.
///
/// Builds the release programs and runs one workload; edge and its peers take turns, so that what
/// else the machine does hits all of them alike. Workloads: `cargo xtask bench help`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// The workload, for example https1
    workload: String,
    /// Fewer and shorter slices: minutes become seconds, and the numbers noisier
    #[arg(long)]
    quick: bool,
    /// One JSON object a line on standard output instead of a table
    #[arg(long)]
    json: bool,
    /// Anything else the workload takes, after `--`
    #[arg(last = true)]
    more: Vec<String>,
}

/// Runs the task.
pub(crate) fn bench(repo: &Repo, options: &Options) -> Result<()> {
    setup::ensure(repo, setup::Group::Tests)?;
    build::release(repo)?;
    let mut bench = shell::command(repo.release("bench"));
    bench
        .arg(&options.workload)
        .args(options.quick.then_some("--quick"))
        .args(options.json.then_some("--json"))
        .args(&options.more)
        .current_dir(repo.root())
        .env("EDGE_BIN", repo.release("edge"))
        .env("EDGE_DEMO_BIN", repo.release("edge-demo"))
        .env("EDGE_FLOOD_BIN", repo.release("edge-flood"));
    shell::run(&mut bench)
}
