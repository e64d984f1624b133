//! `edge status`.

use anyhow::Context;
use clap::Args;

use super::failure::Failure;
use super::output;
use super::socket::Socket;
use super::table::remaining;
use crate::observe::admin::{Request, Status as Answer};

/// Say what runs: version, process, shield, bans and lists
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edge status
  edge status --json | jq .shield")]
pub(super) struct Status {
    /// Print a JSON object
    #[arg(long)]
    json: bool,
    #[command(flatten)]
    socket: Socket,
}

impl Status {
    pub(super) fn run(self) -> Result<(), Failure> {
        let status: Answer = self.socket.call(&Request::Status)?;
        output::result(&match self.json {
            true => serde_json::to_string(&status).context("cannot write JSON")?,
            false => shown(&status),
        });
        Ok(())
    }
}

fn shown(status: &Answer) -> String {
    let up = remaining(status.uptime_secs * 1000);
    let mut lines = vec![format!(
        "edge {}, process {}, {} workers, up {up}",
        status.version, status.pid, status.workers
    )];
    for link in &status.shield {
        lines.push(match (link.attached, &*link.mode) {
            (true, mode) => format!("shield: {} on {}", mode, link.interface),
            (false, "off") => "shield: off".to_owned(),
            (false, _) => format!("shield: NOT ATTACHED to {}", link.interface),
        });
    }
    if let Some(pin) = &status.pin {
        lines.push(format!("pinned: {}", pin.display()));
    }
    lines.push(format!("bans: {}", status.bans));
    lines.push(format!(
        "lists: {} allowed, {} denied",
        status.allow, status.deny
    ));
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::{Answer, shown};
    use crate::observe::admin::ShieldStatus;

    #[test]
    fn what_runs_is_said_in_lines() {
        let link = |interface: &str, mode: &str, attached| ShieldStatus {
            interface: interface.into(),
            mode: mode.into(),
            attached,
        };
        let status = Answer {
            version: "0.1.0".into(),
            pid: 4711,
            uptime_secs: 90,
            workers: 2,
            shield: vec![link("eth0", "native", true), link("eth1", "none", false)],
            pin: Some("/sys/fs/bpf/edge".into()),
            bans: 3,
            allow: 1,
            deny: 200_000,
        };
        insta::assert_snapshot!(shown(&status), @"
        edge 0.1.0, process 4711, 2 workers, up 1m 30s
        shield: native on eth0
        shield: NOT ATTACHED to eth1
        pinned: /sys/fs/bpf/edge
        bans: 3
        lists: 1 allowed, 200000 denied
        ");
    }
}
