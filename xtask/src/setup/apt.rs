//! Installs Debian packages, or says which command would.

use std::path::Path;
use std::process::Command;

use anyhow::{Result, bail};

use crate::shell;

/// Services that packages of ours start as soon as they are installed. They would take ports and
/// CPU time, and only the program beside them is wanted.
const SERVICES: &[(&str, &str)] = &[
    ("nginx-light", "nginx"),
    ("haproxy", "haproxy"),
    ("prometheus", "prometheus"),
];

/// Whether this is a machine whose packages come from apt.
pub(super) fn is_here() -> bool {
    shell::find("apt-get").is_some()
}

/// The command a person would type to install `packages`.
pub(super) fn shown(packages: &[&str]) -> String {
    let packages = packages.join(" ");
    format!("sudo apt-get update && sudo apt-get install -y --no-install-recommends {packages}")
}

/// Installs `packages`, which must not be installed yet.
///
/// # Errors
/// When this account or machine may not, naming the command that may; and when apt fails.
pub(super) fn install(packages: &[&str]) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    if !is_here() {
        bail!(
            "this machine has no apt-get; install what Debian calls\n\n    {}\n\n\
             with its own package manager, then run `cargo xtask setup` again",
            packages.join(" ")
        );
    }
    if !shell::is_root() {
        bail!(
            "installing packages takes root. Run\n\n    {}\n\nthen `cargo xtask setup` again",
            shown(packages)
        );
    }
    // One unreachable third-party source must not stop an installation that does not need it.
    if let Err(error) = shell::run(apt_get().arg("update")) {
        eprintln!("  warning: {error:#}; going on with the package lists at hand");
    }
    let install = ["install", "-y", "--no-install-recommends"];
    shell::run(apt_get().args(install).args(packages))?;
    for (_, service) in SERVICES
        .iter()
        .filter(|(package, _)| packages.contains(package))
    {
        stop(service);
    }
    Ok(())
}

/// apt-get that asks nothing. The run level is the single-user one, in which Debian's helpers start
/// no service.
fn apt_get() -> Command {
    let mut command = shell::command("apt-get");
    command
        .arg("-q")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .env("RUNLEVEL", "1");
    command
}

/// Stops a service that was just installed, now and after the next boot. Only systemd starts it
/// whatever the run level is.
fn stop(service: &str) {
    if !Path::new("/run/systemd/system").is_dir() {
        return;
    }
    if let Err(error) = shell::run(shell::command("systemctl").args(["disable", "--now", service]))
    {
        eprintln!("  warning: the service {service} may be running: {error:#}");
    }
}
