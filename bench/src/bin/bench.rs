//! Measurements of `edge` against the proxies people use today.

use std::process::ExitCode;

use bench::workloads::Command;
use clap::Parser;

const EXAMPLES: &str = "\
Examples:
  cargo xtask bench https1 sse --html report.html    two workloads, as a page with plots
  cargo xtask bench https1 --save old.json           before a change; after it with new.json, and then
  cargo xtask bench compare old.json new.json        what has become better or worse
  cargo xtask bench https1 --before old/edge         the same in one run, which a machine's moods touch less
  cargo xtask bench profile https1                   where the time goes";

/// Measures edge against other proxies on this machine: the proxies on one CPU, their load on
/// another, in short slices by turns.
///
/// Without arguments everything is measured, which takes about half an hour; `--quick` takes two
/// minutes and shows that it works. Proxies that are not installed are skipped.
///
/// It fails when edge makes errors or cannot be measured, and when a result cannot be written.
#[derive(Parser)]
#[command(
    version,
    name = "cargo xtask bench",
    bin_name = "cargo xtask bench",
    after_help = EXAMPLES
)]
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
