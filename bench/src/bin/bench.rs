//! Measurements of `edge` against the proxies people use today.

use std::process::ExitCode;

use bench::workloads::Command;
use clap::Parser;

/// Measures edge against other proxies on this machine: the proxies on one CPU, their load on
/// another, in short slices by turns.
///
/// Without arguments everything is measured, which takes about half an hour; `--quick` takes two
/// minutes and shows that it works. Proxies that are not installed are skipped.
#[derive(Parser)]
#[command(version, name = "cargo xtask bench", bin_name = "cargo xtask bench")]
struct Args {
    #[command(flatten)]
    command: Command,
}

fn main() -> ExitCode {
    match Args::parse().command.run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}
