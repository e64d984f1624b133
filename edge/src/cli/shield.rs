//! `edge shield`.

use std::path::PathBuf;

use anyhow::Context;
use clap::{Args, Subcommand};
use serde_json::json;

use super::failure::Failure;
use super::output;
use crate::config::{Config, DEFAULT_PIN};
use crate::kernel::{self, PinnedShield};

/// Look at what the kernel keeps of a shield, or take it away
///
/// The kernel program, its bans and lists stay in force when edge stops or is killed, and the next
/// start takes them over. These commands work without a running edge; they need the account that
/// edge runs as, or root.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edge shield status
  edge shield detach
  edge shield detach --config /etc/edge/edge.toml")]
pub(super) struct Shield {
    #[command(subcommand)]
    action: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Say what is attached, how, and how many bans are in force
    Status {
        #[command(flatten)]
        pin: Pin,
        /// Print a JSON object, or null if nothing is pinned
        #[arg(long)]
        json: bool,
    },
    /// Detach the program from every interface and forget bans and lists
    Detach {
        #[command(flatten)]
        pin: Pin,
        /// Even while an edge runs, which then serves unprotected
        #[arg(long)]
        force: bool,
    },
}

/// Which shield.
#[derive(Debug, Args)]
struct Pin {
    /// Directory it is pinned in [default: /sys/fs/bpf/edge]
    #[arg(long, value_name = "DIR", conflicts_with = "config")]
    pin: Option<PathBuf>,
    /// Configuration to take the directory from
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Pin {
    fn directory(&self) -> Result<PathBuf, Failure> {
        if let Some(directory) = &self.pin {
            return Ok(directory.clone());
        }
        let Some(file) = &self.config else {
            return Ok(PathBuf::from(DEFAULT_PIN));
        };
        let config =
            Config::load(file).map_err(|errors| Failure::Configuration(errors.to_string()))?;
        config.shield.pin.ok_or_else(|| {
            Failure::Configuration(format!(
                "edge: `pin` in [shield] is \"off\" in {}: nothing outlives edge",
                file.display()
            ))
        })
    }
}

impl Shield {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.action {
            Action::Status { pin, json } => {
                let directory = pin.directory()?;
                let pinned = kernel::pinned(&directory).map_err(anyhow::Error::from)?;
                let text = match (json, &pinned) {
                    (true, pinned) => to_json(pinned.as_ref())?,
                    (false, Some(pinned)) => describe(pinned),
                    (false, None) => format!("nothing is pinned in {}", directory.display()),
                };
                output::result(&text);
            }
            Action::Detach { pin, force } => {
                let directory = pin.directory()?;
                let done = kernel::detach(&directory, force).map_err(|error| match error {
                    error @ kernel::ShieldError::InUse { .. } => Failure::Environment(
                        anyhow::Error::from(error)
                            .context("not detached; stop that edge first, or add --force"),
                    ),
                    error => Failure::Environment(error.into()),
                })?;
                let shown = directory.display();
                output::result(&match (done.found, &*done.interfaces) {
                    (false, _) => format!("nothing was pinned in {shown}"),
                    (true, []) => format!("removed {shown}; it was attached to no interface"),
                    (true, interfaces) => {
                        format!(
                            "removed {shown} and detached from {}",
                            interfaces.join(", ")
                        )
                    }
                });
            }
        }
        Ok(())
    }
}

fn describe(pinned: &PinnedShield) -> String {
    let mut lines = vec![match &pinned.holder {
        Some(holder) => format!("{}: in use by {holder}", pinned.path.display()),
        None => format!(
            "{}: no edge runs, the shield goes on without it",
            pinned.path.display()
        ),
    }];
    for link in &pinned.interfaces {
        let mode = match link.is_attached {
            true => link.mode.name(),
            false => "no longer attached",
        };
        lines.push(format!("{}: {mode}", link.interface));
    }
    lines.push(format!("{} in force", output::bans(pinned.bans)));
    if pinned.is_foreign {
        lines.push("left by another version of edge; the next start takes the bans over".into());
    }
    lines.join("\n")
}

fn to_json(pinned: Option<&PinnedShield>) -> Result<String, Failure> {
    let value = pinned.map(|pinned| {
        let interfaces = pinned.interfaces.iter().map(|link| {
            json!({"interface": link.interface, "mode": link.mode.name(), "attached": link.is_attached})
        });
        json!({
            "pin": pinned.path,
            "pid": pinned.holder.as_ref().map(|holder| holder.pid),
            "interfaces": interfaces.collect::<Vec<_>>(),
            "bans": pinned.bans,
        })
    });
    let text = serde_json::to_string(&value).context("cannot write JSON")?;
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{describe, to_json};
    use crate::kernel::{AttachMode, Holder, PinnedInterface, PinnedShield};

    fn pinned(holder: Option<Holder>) -> PinnedShield {
        let link = |interface: &str, is_attached| PinnedInterface {
            interface: interface.to_owned(),
            mode: AttachMode::Native,
            is_attached,
        };
        PinnedShield {
            path: "/sys/fs/bpf/edge".into(),
            holder,
            interfaces: vec![link("eth0", true), link("eth1", false)],
            bans: 3,
            is_foreign: false,
        }
    }

    #[test]
    fn a_shield_is_described() {
        insta::assert_snapshot!(describe(&pinned(None)), @"
        /sys/fs/bpf/edge: no edge runs, the shield goes on without it
        eth0: native
        eth1: no longer attached
        3 bans in force
        ");
        let holder = Holder {
            pid: 4711,
            name: "edge".into(),
        };
        let pinned = pinned(Some(holder));
        assert!(describe(&pinned).starts_with("/sys/fs/bpf/edge: in use by edge, process 4711\n"));
        insta::assert_snapshot!(to_json(Some(&pinned)).unwrap(), @r#"{"bans":3,"interfaces":[{"attached":true,"interface":"eth0","mode":"native"},{"attached":false,"interface":"eth1","mode":"native"}],"pid":4711,"pin":"/sys/fs/bpf/edge"}"#);
        assert_eq!(to_json(None).unwrap(), "null");
    }
}
