//! `cargo xtask bench`: measures `edge` against its peers with the programs of the `bench` crate.

use std::ffi::OsString;

use anyhow::Result;

use crate::repo::Repo;
use crate::{build, setup, shell};

/// Measure edge against its peers on this machine.
///
/// Builds the release programs and runs workloads: https1, https2, https3, handshake, sse, bulk, rate,
/// shield, attack, reload, startup, scaling, mcp, websocket, slow; all of them when none is named.
/// Everything that follows is handed on: `cargo xtask bench -- --help` lists the options, such as
/// --quick, --json, --slices, --duration, --proxies, --html FILE and --markdown FILE, and the commands
/// beside the workloads, such as `compare OLD NEW`.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Workloads, commands and options of the harness
    #[arg(
        value_name = "WORKLOAD|COMMAND|OPTION",
        trailing_var_arg = true,
        allow_hyphen_values = true
    )]
    arguments: Vec<OsString>,
}

/// Runs the task.
pub(crate) fn bench(repo: &Repo, options: &Options) -> Result<()> {
    setup::ensure(repo, setup::Group::Tests)?;
    build::release(repo)?;
    let mut bench = shell::command(repo.release("bench"));
    bench
        .args(&options.arguments)
        .current_dir(repo.root())
        .env("EDGE_BIN", repo.release("edge"))
        .env("EDGE_DEMO_BIN", repo.release("edge-demo"))
        .env("EDGE_FLOOD_BIN", repo.release("edge-flood"))
        .env("EDGE_VENV_PROXIES", repo.venv("proxies"));
    shell::run(&mut bench)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        options: Options,
    }

    #[test]
    fn everything_is_handed_on() {
        for words in [
            &["https1", "--quick"][..],
            &["--quick", "--json"],
            &["compare", "old.json", "new.json"],
            &["profile", "https1", "--seconds", "5"],
        ] {
            let line = ["bench"].iter().chain(words);
            let line = Line::try_parse_from(line).expect("nothing is refused here");
            assert_eq!(line.options.arguments, words);
        }
        let help = Line::try_parse_from(["bench", "--", "--help"]).expect("not for xtask");
        assert_eq!(help.options.arguments, ["--help"]);
    }
}
