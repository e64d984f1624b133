//! Two network namespaces on one cable: `edge-client` and `edge-host`, each with its end of a veth
//! pair. On the host's end the shield runs in the driver, as on a real network card.
//!
//! Programs are started with `nsenter`, which, unlike `ip netns exec`, leaves `/sys` as it is:
//! pinned BPF maps stay visible.

use std::net::Ipv4Addr;
use std::path::Path;
use std::process::Command;

use anyhow::{Context, Result, bail};

use crate::shell;

/// The namespace `edge` and its upstream run in.
const HOST: &str = "edge-host";

/// The namespace to call them from.
const CLIENT: &str = "edge-client";

/// The two ends of the cable.
pub(super) const HOST_LINK: &str = "edge-host0";
const CLIENT_LINK: &str = "edge-client0";

/// Addresses from the range kept for measurements of network devices (RFC 2544), which no real
/// network uses.
pub(super) const HOST_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 1);
const CLIENT_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 2);

/// A second address of the client, so that banning one leaves the other.
pub(super) const OTHER_CLIENT_ADDRESS: Ipv4Addr = Ipv4Addr::new(198, 18, 0, 3);

/// The pair; dropping it removes it.
#[derive(Debug)]
pub(super) struct Namespaces(());

impl Namespaces {
    /// Fails where a pair cannot be made: without root, and while another pair is in use. Removes
    /// a pair that an earlier run left because it was killed.
    pub(super) fn check() -> Result<()> {
        if !shell::is_root() {
            bail!("making network namespaces takes root; without --netns nothing here does");
        }
        [HOST, CLIENT].into_iter().try_for_each(remove_unused)
    }

    /// Makes the pair.
    ///
    /// # Errors
    /// When `ip` fails; what was made until then is removed.
    pub(super) fn make() -> Result<Self> {
        let made = Self(());
        for namespace in [HOST, CLIENT] {
            ip(&["netns", "add", namespace])?;
            ip(&["-n", namespace, "link", "set", "lo", "up"])?;
        }
        let peer = ["peer", "name", CLIENT_LINK, "netns", CLIENT];
        ip(&[
            &["-n", HOST, "link", "add", HOST_LINK, "type", "veth"],
            &peer[..],
        ]
        .concat())?;
        let addresses = [
            (HOST, HOST_LINK, HOST_ADDRESS),
            (CLIENT, CLIENT_LINK, CLIENT_ADDRESS),
            (CLIENT, CLIENT_LINK, OTHER_CLIENT_ADDRESS),
        ];
        for (namespace, link, address) in addresses {
            let address = format!("{address}/24");
            ip(&["-n", namespace, "address", "add", &address, "dev", link])?;
            ip(&["-n", namespace, "link", "set", link, "up"])?;
        }
        Ok(made)
    }

    /// What to put before a command to run it where `edge` runs.
    pub(super) fn enter_host() -> String {
        format!("nsenter --net=/run/netns/{HOST}")
    }

    /// What to put before a command to run it where clients are.
    pub(super) fn enter_client() -> String {
        format!("nsenter --net=/run/netns/{CLIENT}")
    }

    /// `program` inside the host's namespace. Becomes `program`: the process is the same.
    pub(super) fn command_in_host(program: &Path) -> Command {
        let mut command = shell::command("nsenter");
        command
            .arg(format!("--net={}", Self::host_file()))
            .arg("--")
            .arg(program);
        command
    }

    /// The file that stands for the host's namespace.
    pub(super) fn host_file() -> String {
        format!("/run/netns/{HOST}")
    }
}

impl Drop for Namespaces {
    fn drop(&mut self) {
        for namespace in [HOST, CLIENT] {
            // It may not have been made. The cable goes with its end.
            let _ = ip(&["netns", "delete", namespace]);
        }
    }
}

fn remove_unused(namespace: &str) -> Result<()> {
    if !Path::new("/run/netns").join(namespace).exists() {
        return Ok(());
    }
    let processes = ip(&["netns", "pids", namespace])?;
    if !processes.is_empty() {
        let processes = processes.split_whitespace().collect::<Vec<_>>().join(", ");
        bail!("the network namespace {namespace} is in use by process {processes}; stop it first");
    }
    println!("Removing the network namespace {namespace} of a run that was killed");
    ip(&["netns", "delete", namespace]).map(drop)
}

fn ip(arguments: &[&str]) -> Result<String> {
    shell::output(shell::command("ip").args(arguments)).context("cannot set up the namespaces")
}
