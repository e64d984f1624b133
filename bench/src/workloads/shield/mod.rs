//! The shield against what people put there today: `xdp-filter`, nftables, iptables.
//!
//! Twice: one packet run through the program again and again (`BPF_PROG_TEST_RUN`), which tells what
//! the program costs and nothing else; and a flood over a pair of virtual Ethernet devices into a
//! CPU of its own, which is what all of them can be compared by. There every packet, dropped or not,
//! has cost its sender a buffer, so the numbers say nothing about network cards.
//!
//! All subjects are up the whole time and are measured in turn.

mod edge;
mod fill;
mod flood;
mod program;
mod report;
mod scene;
mod shell;
mod subject;

use anyhow::Result;

use crate::measure::{Cpus, watch_interrupt};

/// Where the flood goes, and what the shield guards.
const PORT: u16 = 8080;

#[derive(clap::Args)]
pub struct Args {
    /// A rough look in seconds instead of a measurement
    #[arg(long)]
    quick: bool,
    /// Print one JSON object a line instead of a table
    #[arg(long, conflicts_with = "markdown")]
    json: bool,
    /// Print a dated section for docs/measurements.md
    #[arg(long)]
    markdown: bool,
    /// Leave out the floods
    #[arg(long)]
    no_flood: bool,
}

pub(super) fn run(args: &Args) -> Result<()> {
    watch_interrupt()?;
    let cpus = Cpus::claim()?;
    let mut records = program::measure(args.quick)?;
    if !args.no_flood {
        records.extend(flood::measure(cpus, args.quick)?);
    }
    report::publish(args, &records)
}
