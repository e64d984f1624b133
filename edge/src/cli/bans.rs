//! `edge bans`.

use std::time::Duration;

use anyhow::Context;
use clap::Args;

use super::failure::Failure;
use super::output;
use super::socket::Socket;
use crate::observe::admin::{Ban, Request};

/// List the banned addresses and how long they remain banned
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edge bans
  edge bans --json | jq -r '.[].addr'")]
pub(super) struct Bans {
    /// Print a JSON list of {"addr", "remaining_ms"}
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    socket: Socket,
}

impl Bans {
    pub(super) fn run(self) -> Result<(), Failure> {
        let mut bans: Vec<Ban> = self.socket.call(&Request::Bans)?;
        bans.sort_by_key(|ban| ban.addr);
        let text = match self.json {
            true => serde_json::to_string(&bans).context("cannot write JSON")?,
            false => table(&bans),
        };
        output::result(&text);
        Ok(())
    }
}

/// Two columns as wide as they need to be.
fn table(bans: &[Ban]) -> String {
    if bans.is_empty() {
        return "no address is banned".to_owned();
    }
    let rows: Vec<(String, String)> = bans
        .iter()
        .map(|ban| (ban.addr.to_string(), remaining(ban.remaining_ms)))
        .collect();
    let width = |title: &str, column: fn(&(String, String)) -> &String| {
        let widest = rows.iter().map(|row| column(row).len()).max();
        widest.unwrap_or(0).max(title.len())
    };
    let left = width("ADDRESS", |row| &row.0);
    let right = width("REMAINING", |row| &row.1);
    let mut lines = vec![format!("{:left$}  {:>right$}", "ADDRESS", "REMAINING")];
    lines.extend(
        rows.iter()
            .map(|(address, remaining)| format!("{address:left$}  {remaining:>right$}")),
    );
    lines.join("\n")
}

/// The two largest units, rounded up to a second: a ban that is listed is not over.
fn remaining(ms: u64) -> String {
    let seconds = Duration::from_millis(ms).as_secs() + u64::from(!ms.is_multiple_of(1000));
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match (days, hours, minutes) {
        (0, 0, 0) => format!("{seconds}s"),
        (0, 0, minutes) => format!("{minutes}m {:02}s", seconds % 60),
        (0, hours, minutes) => format!("{hours}h {:02}m", minutes % 60),
        (days, hours, _) => format!("{days}d {:02}h", hours % 24),
    }
}

#[cfg(test)]
mod tests {
    use super::{remaining, table};
    use crate::observe::admin::Ban;

    #[test]
    fn a_table_is_aligned() {
        let ban = |addr: &str, remaining_ms| Ban {
            addr: addr.parse().unwrap(),
            remaining_ms,
        };
        let bans = [
            ban("203.0.113.7", 598_200),
            ban("198.51.100.23", 1),
            ban("2001:db8:1:2::", 86_400_000 * 30),
        ];
        insta::assert_snapshot!(table(&bans), @"
        ADDRESS         REMAINING
        203.0.113.7        9m 59s
        198.51.100.23          1s
        2001:db8:1:2::    30d 00h
        ");
        insta::assert_snapshot!(table(&bans[1..2]), @"
        ADDRESS        REMAINING
        198.51.100.23         1s
        ");
        insta::assert_snapshot!(table(&[]), @"no address is banned");
    }

    #[test]
    fn remaining_time_has_two_units_and_is_never_nothing() {
        assert_eq!(remaining(1), "1s");
        assert_eq!(remaining(1001), "2s");
        assert_eq!(remaining(59_001), "1m 00s");
        assert_eq!(remaining(3_599_999), "1h 00m");
        assert_eq!(remaining(90_000_000), "1d 01h");
        assert_eq!(remaining(u64::MAX), "213503982334d 14h");
    }
}
