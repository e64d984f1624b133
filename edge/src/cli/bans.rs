//! `edge bans`.

use std::fs;
use std::io::{self, Read};
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use anyhow::Context;
use clap::{Args, Subcommand};
use serde::{Deserialize, Serialize};

use super::care::CareOptions;
use super::failure::Failure;
use super::output;
use super::socket::Socket;
use super::table::{remaining, table};
use crate::observe::admin::{Ban, IMPORT_MAX, Imported, NewBan, Request, one_line};

/// List the banned addresses, why, and how long they remain banned
#[derive(Debug, Args)]
#[command(
    args_conflicts_with_subcommands = true,
    after_help = "\
Examples:
  edge bans
  edge bans --json | jq -r '.[].addr'
  edge bans export > bans.json
  edge bans import bans.json"
)]
pub(super) struct Bans {
    #[command(subcommand)]
    action: Option<Action>,
    /// Print a JSON list of {"addr", "prefix", "remaining_ms", "origin", "reason", "count"}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    socket: Socket,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Print the bans as JSON that `import` reads, with the time at which each ends
    Export {
        #[command(flatten)]
        socket: Socket,
    },
    /// Enter the bans of an export that have not ended yet
    Import {
        /// The file, or - for standard input
        #[arg(value_name = "FILE")]
        file: PathBuf,
        #[command(flatten)]
        care: CareOptions,
        #[command(flatten)]
        socket: Socket,
    },
}

/// A ban in an export.
#[derive(Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exported {
    addr: IpAddr,
    /// Milliseconds since 1970.
    until_ms: u64,
    #[serde(default)]
    reason: Option<String>,
}

impl Bans {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.action {
            None => {
                let mut bans: Vec<Ban> = self.socket.call(&Request::Bans)?;
                bans.sort_by_key(|ban| ban.addr);
                output::result(&match self.json {
                    true => serde_json::to_string(&bans).context("cannot write JSON")?,
                    false => shown(&bans),
                });
            }
            Some(Action::Export { socket }) => {
                let bans: Vec<Ban> = socket.call(&Request::Bans)?;
                let exported = export(&bans, now_ms());
                let text = serde_json::to_string_pretty(&exported).context("cannot write JSON")?;
                output::result(&text);
            }
            Some(Action::Import { file, care, socket }) => import(&file, &care, &socket)?,
        }
        Ok(())
    }
}

fn shown(bans: &[Ban]) -> String {
    if bans.is_empty() {
        return "no address is banned".to_owned();
    }
    let rows: Vec<[String; 5]> = bans
        .iter()
        .map(|ban| {
            [
                address(ban),
                remaining(ban.remaining_ms),
                ban.origin.clone(),
                ban.count.to_string(),
                ban.reason.clone(),
            ]
        })
        .collect();
    table(
        ["ADDRESS", "REMAINING", "BY", "TIMES", "REASON"],
        &[1, 3],
        &rows,
    )
}

/// With the prefix, where it is not a single address.
pub(super) fn address(ban: &Ban) -> String {
    network(ban.addr, ban.prefix)
}

/// The same of what was just banned.
pub(super) fn network(addr: IpAddr, prefix: u8) -> String {
    match (addr.is_ipv4(), prefix) {
        (true, _) | (false, 128) => addr.to_string(),
        (false, prefix) => format!("{addr}/{prefix}"),
    }
}

fn now_ms() -> u64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH);
    u64::try_from(since.unwrap_or(Duration::ZERO).as_millis()).unwrap_or(u64::MAX)
}

fn export(bans: &[Ban], now_ms: u64) -> Vec<Exported> {
    let bans = bans.iter();
    bans.map(|ban| Exported {
        addr: ban.addr,
        until_ms: now_ms.saturating_add(ban.remaining_ms),
        reason: Some(ban.reason.clone()),
    })
    .collect()
}

fn still_on(exported: Vec<Exported>, now_ms: u64) -> Vec<NewBan> {
    let bans = exported.into_iter().filter(|ban| ban.until_ms > now_ms);
    bans.map(|ban| NewBan {
        addr: ban.addr,
        for_ms: ban.until_ms - now_ms,
        reason: ban.reason.as_deref().map(one_line),
    })
    .collect()
}

fn import(file: &Path, care: &CareOptions, socket: &Socket) -> Result<(), Failure> {
    let text = read(file).with_context(|| format!("cannot read {}", file.display()))?;
    let text = text.strip_prefix('\u{feff}').unwrap_or(&text);
    let exported: Vec<Exported> = serde_json::from_str(text).map_err(|error| {
        Failure::Configuration(format!(
            "edge: {}: {error}; a list of bans is what `edge bans export` prints",
            file.display()
        ))
    })?;
    let total = exported.len();
    let bans = still_on(exported, now_ms());
    let over = total - bans.len();
    let mut all = Imported::default();
    for bans in bans.chunks(IMPORT_MAX) {
        let request = Request::Import {
            bans: bans.to_vec(),
            care: care.care(),
        };
        let some: Imported = socket.call(&request)?;
        all.taken += some.taken;
        all.left.extend(some.left);
    }
    output::result(&format!(
        "took in {}, {over} had ended",
        output::bans(all.taken)
    ));
    if all.left.is_empty() {
        return Ok(());
    }
    for left in &all.left {
        output::error(&format!("{}: {}", left.what, left.why));
    }
    let bans = output::bans(all.left.len());
    Err(anyhow::anyhow!("not taken in: {bans}").into())
}

fn read(file: &Path) -> io::Result<String> {
    if file != Path::new("-") {
        return fs::read_to_string(file);
    }
    let mut text = String::new();
    io::stdin().lock().read_to_string(&mut text)?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{Exported, export, shown, still_on};
    use crate::observe::admin::Ban;

    fn ban(addr: &str, prefix: u8, remaining_ms: u64) -> Ban {
        Ban {
            addr: addr.parse().unwrap(),
            prefix,
            remaining_ms,
            origin: "limit".into(),
            reason: "refused".into(),
            count: 2,
        }
    }

    #[test]
    fn a_table_is_aligned() {
        let bans = [
            ban("203.0.113.7", 32, 598_200),
            ban("198.51.100.23", 32, 1),
            ban("2001:db8:1:2::", 64, 86_400_000 * 30),
        ];
        insta::assert_snapshot!(shown(&bans), @"
        ADDRESS            REMAINING  BY     TIMES  REASON
        203.0.113.7           9m 59s  limit      2  refused
        198.51.100.23             1s  limit      2  refused
        2001:db8:1:2::/64    30d 00h  limit      2  refused
        ");
        insta::assert_snapshot!(shown(&[]), @"no address is banned");
    }

    #[test]
    fn an_export_can_be_taken_in_until_each_ban_ends() {
        let bans = [ban("203.0.113.7", 32, 5_000), ban("2001:db8::", 64, 90_000)];
        let text = serde_json::to_string(&export(&bans, 1_000_000)).unwrap();
        let exported: Vec<Exported> = serde_json::from_str(&text).unwrap();
        let later = still_on(exported, 1_010_000);
        assert_eq!(later.len(), 1);
        assert_eq!((later[0].addr, later[0].for_ms), (bans[1].addr, 80_000));
        assert_eq!(later[0].reason.as_deref(), Some("refused"));
        let by_hand = r#"[{"addr":"192.0.2.1","until_ms":9},
                         {"addr":"192.0.2.2","until_ms":9,"reason":"a\u001b[2J"}]"#;
        let by_hand: Vec<Exported> = serde_json::from_str(by_hand).unwrap();
        let reasons = still_on(by_hand, 8).into_iter().map(|ban| ban.reason);
        assert_eq!(
            reasons.collect::<Vec<_>>(),
            [None, Some("a [2J".to_owned())]
        );
    }
}
