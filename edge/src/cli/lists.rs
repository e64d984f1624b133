//! `edge allow` and `edge deny`.

use anyhow::Context;
use clap::{Args, Subcommand};

use super::care::CareOptions;
use super::failure::Failure;
use super::output;
use super::socket::Socket;
use super::table::table;
use crate::observe::admin::{CIDRS_MAX, Changed, Entry, ListName, Request};

/// Let networks in whatever limits and lists say
///
/// Packets of an allowed network pass the shield: no limit and no ban of it applies. What is added
/// here stays until it is taken off, over restarts too; what the configuration lists is changed
/// there.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edge allow add 198.51.100.7 2001:db8:7::/48
  edge allow list
  edge allow del 198.51.100.7")]
pub(super) struct Allow {
    #[command(subcommand)]
    action: Action,
}

/// Drop every packet of networks to the ports edge listens on
///
/// What is added here stays until it is taken off, over restarts too; what the configuration lists
/// is changed there. Networks that hold this machine's own addresses, its default gateway, loopback
/// or the address you are logged in from over SSH are refused without --force.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edge deny add 198.51.100.0/24 2001:db8::/32
  edge deny list --json | jq -r '.[].cidr'
  edge deny del 198.51.100.0/24")]
pub(super) struct Deny {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Put networks on the list
    Add {
        /// Addresses or networks in CIDR form
        #[arg(value_name = "CIDR", required = true)]
        cidrs: Vec<String>,
        #[command(flatten)]
        care: CareOptions,
        #[command(flatten)]
        socket: Socket,
    },
    /// Take networks off the list
    Del {
        /// Networks as they stand on the list
        #[arg(value_name = "CIDR", required = true)]
        cidrs: Vec<String>,
        #[command(flatten)]
        socket: Socket,
    },
    /// Print the list
    List {
        /// Print a JSON list of {"cidr", "config", "operator"}
        #[arg(long)]
        json: bool,
        #[command(flatten)]
        socket: Socket,
    },
}

impl Allow {
    pub(super) fn run(self) -> Result<(), Failure> {
        self.action.run(ListName::Allow)
    }
}

impl Deny {
    pub(super) fn run(self) -> Result<(), Failure> {
        self.action.run(ListName::Deny)
    }
}

impl Action {
    fn run(self, list: ListName) -> Result<(), Failure> {
        match self {
            Action::Add {
                cidrs,
                care,
                socket,
            } => {
                let care = care.care();
                let request = |cidrs| Request::ListAdd { list, cidrs, care };
                change(&cidrs, &socket, "added", request)
            }
            Action::Del { cidrs, socket } => {
                let request = |cidrs| Request::ListDel { list, cidrs };
                change(&cidrs, &socket, "removed", request)
            }
            Action::List { json, socket } => {
                let entries: Vec<Entry> = socket.call(&Request::List { list })?;
                output::result(&match json {
                    true => serde_json::to_string(&entries).context("cannot write JSON")?,
                    false => shown(&entries),
                });
                Ok(())
            }
        }
    }
}

fn change(
    cidrs: &[String],
    socket: &Socket,
    what: &str,
    request: impl Fn(Vec<String>) -> Request,
) -> Result<(), Failure> {
    let mut failed = 0;
    for cidrs in cidrs.chunks(CIDRS_MAX) {
        let changed: Changed = socket.call(&request(cidrs.to_vec()))?;
        for cidr in &changed.done {
            output::result(&format!("{what} {cidr}"));
        }
        for left in &changed.left {
            output::error(&format!("{}: {}", left.what, left.why));
            failed += usize::from(!left.harmless);
        }
    }
    match failed {
        0 => Ok(()),
        failed => Err(anyhow::anyhow!("{failed} of {} were not {what}", cidrs.len()).into()),
    }
}

fn shown(entries: &[Entry]) -> String {
    if entries.is_empty() {
        return "the list is empty".to_owned();
    }
    let rows: Vec<[String; 2]> = entries
        .iter()
        .map(|entry| {
            let from = match (entry.config, entry.operator) {
                (true, true) => "configuration, command",
                (true, false) => "configuration",
                (false, _) => "command",
            };
            [entry.cidr.clone(), from.to_owned()]
        })
        .collect();
    table(["NETWORK", "FROM"], &[], &rows)
}

#[cfg(test)]
mod tests {
    use super::shown;
    use crate::observe::admin::Entry;

    #[test]
    fn a_list_says_where_entries_come_from() {
        let entry = |cidr: &str, config, operator| Entry {
            cidr: cidr.to_owned(),
            config,
            operator,
        };
        let entries = [
            entry("198.51.100.0/24", true, false),
            entry("2001:db8::/32", false, true),
            entry("203.0.113.7/32", true, true),
        ];
        insta::assert_snapshot!(shown(&entries), @"
        NETWORK          FROM
        198.51.100.0/24  configuration
        2001:db8::/32    command
        203.0.113.7/32   configuration, command
        ");
        assert_eq!(shown(&[]), "the list is empty");
    }
}
