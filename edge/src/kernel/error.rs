//! What can go wrong with the shield, and what to do about it.

use std::error::Error;
use std::io;
use std::path::PathBuf;

use thiserror::Error;

use super::pin::Holder;

/// Why the shield is not there, or did not do what it was told. Each message is complete: it quotes
/// its causes.
#[derive(Debug, Error)]
pub enum ShieldError {
    /// The configuration says so.
    #[error("the shield is switched off; set `mode` in [shield] to \"auto\"")]
    Off,

    /// Older kernels lack a map operation the proxy needs once it has dropped its privileges.
    #[error(
        "the shield needs Linux 5.19 or newer, this is {running}; upgrade the kernel or set `mode = \"off\"` in [shield]"
    )]
    OldKernel {
        /// The version that runs.
        running: String,
    },

    /// The process may not use BPF.
    #[error(
        "no permission to {action}: the shield needs the capabilities CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON; start as root, or with `AmbientCapabilities=CAP_BPF CAP_NET_ADMIN CAP_PERFMON`, and in a container with `--cap-add` for each"
    )]
    NoPermission {
        /// What was refused.
        action: String,
    },

    /// The kernel is built without BPF.
    #[error(
        "this kernel has no BPF; use one with CONFIG_BPF_SYSCALL, or set `mode = \"off\"` in [shield]"
    )]
    NoBpf,

    /// The kernel did not take the program or a map.
    #[error("the kernel refused the shield's {part}: {}", chain(cause.as_ref()))]
    Load {
        /// The program, or the name of a map.
        part: &'static str,
        /// What it said; for the program with the verifier's log.
        cause: Box<dyn Error + Send + Sync>,
    },

    /// `interfaces` is empty and there is nothing to take instead.
    #[error(
        "no interface has a default route; name the interfaces in [shield]: `interfaces = [\"eth0\"]`"
    )]
    NoDefaultRoute,

    /// No interface of that name.
    #[error("there is no network interface `{interface}`; `ip link` lists those there are")]
    NoInterface {
        /// The name in the configuration.
        interface: String,
    },

    /// Packets on the interface do not begin with an Ethernet header.
    #[error(
        "`{interface}` is not an Ethernet interface, the shield cannot read its packets; name the interface below it in [shield]"
    )]
    NotEthernet {
        /// The interface.
        interface: String,
    },

    /// Only one XDP program can be attached to an interface.
    #[error(
        "{by} is attached to `{interface}` already; see it with `ip link show dev {interface}` and `bpftool net`, then stop what attached it (`edge shield detach` removes what an edge left) or name another interface"
    )]
    Occupied {
        /// The interface.
        interface: String,
        /// Whose program that is, as far as it can be seen.
        by: String,
    },

    /// Another process uses the pin directory.
    #[error(
        "another edge uses {} ({}); stop it, or give this one a directory of its own: `pin` in [shield]",
        path.display(),
        holder.as_ref().map_or("a process that is not shown here".to_owned(), ToString::to_string)
    )]
    InUse {
        /// The directory.
        path: PathBuf,
        /// The process.
        holder: Option<Holder>,
    },

    /// Maps and links cannot be given names there.
    #[error(
        "nothing can be pinned in {}: {cause}; `pin` in [shield] names another directory, or \"off\"",
        path.display()
    )]
    Pin {
        /// The directory.
        path: PathBuf,
        /// What the kernel said.
        cause: io::Error,
    },

    /// Attaching failed for another reason.
    #[error(
        "the shield cannot be attached to `{interface}` in {mode} mode: {cause}; `mode = \"generic\"` in [shield] works with every driver"
    )]
    Attach {
        /// The interface.
        interface: String,
        /// `native` or `generic`.
        mode: &'static str,
        /// What the kernel said.
        cause: io::Error,
    },

    /// A value the kernel program cannot work with.
    #[error("`{key}` in [shield] is out of range")]
    OutOfRange {
        /// The key in the configuration.
        key: &'static str,
    },

    /// Interfaces and mode are fixed when the process starts: it has no right to attach later.
    #[error("`{key}` in [shield] cannot change while running; restart edge")]
    NeedsRestart {
        /// The key in the configuration.
        key: &'static str,
    },

    /// As many bans stand as the table holds.
    #[error("the ban table is full ({max} bans); remove some, or ban for a shorter time")]
    BansFull {
        /// Its size.
        max: u32,
    },

    /// As many entries stand in a list as it holds.
    #[error(
        "the {list} list is full ({max} {family} entries); join neighbours into wider networks"
    )]
    ListFull {
        /// `allow` or `deny`.
        list: &'static str,
        /// `IPv4` or `IPv6`.
        family: &'static str,
        /// Its size.
        max: u32,
    },

    /// Reading or writing a map failed.
    #[error("the shield's map {map} cannot be accessed: {}", chain(cause.as_ref()))]
    Map {
        /// Its name.
        map: &'static str,
        /// What the kernel said.
        cause: Box<dyn Error + Send + Sync>,
    },
}

/// The system's error number behind an error of aya, if any.
pub(super) fn errno(error: &(dyn Error + 'static)) -> Option<i32> {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(io) = error.downcast_ref::<io::Error>() {
            return io.raw_os_error();
        }
        cause = error.source();
    }
    None
}

/// An error with its causes in one line; a cause that its error already quotes is left out.
fn chain(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let more = error.to_string();
        if !text.contains(&more) {
            text.push_str(": ");
            text.push_str(&more);
        }
        cause = error.source();
    }
    text
}
