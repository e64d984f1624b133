//! Measurements of `edge` against the proxies people use today.

use anyhow::Result;
use bench::workloads::Command;
use clap::Parser;

/// Measures edge against nginx on this machine: the proxies on one CPU, their load on another.
#[derive(Parser)]
#[command(version)]
struct Args {
    #[command(subcommand)]
    workload: Command,
}

fn main() -> Result<()> {
    Args::parse().workload.run()
}
