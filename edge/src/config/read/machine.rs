//! What a configuration asks of the machine it is read on; tests pass a machine of their own.

use std::net::Ipv4Addr;

use crate::config::value::{Resolve, resolve};

/// Questions to the operating system.
#[derive(Clone, Copy)]
pub(in crate::config) struct Machine {
    /// Looks up the name of an upstream server.
    pub(in crate::config) resolve: Resolve,
    /// Whether an account of this name exists.
    pub(in crate::config) has_account: fn(&str) -> bool,
    /// Whether a network interface of this name exists.
    pub(in crate::config) has_interface: fn(&str) -> bool,
    /// CPUs that workers may run on.
    pub(in crate::config) cpus: fn() -> usize,
}

impl Machine {
    /// The machine this process runs on.
    pub(in crate::config) fn this() -> Self {
        Self {
            resolve,
            // An account database that cannot be read is reported where the account is needed.
            has_account: |name| !matches!(nix::unistd::User::from_name(name), Ok(None)),
            // Not by a look into /sys, which may be that of another network namespace.
            has_interface: |name| nix::net::if_::if_nametoindex(name).is_ok(),
            cpus: || std::thread::available_parallelism().map_or(1, usize::from),
        }
    }

    /// A machine on which every name is some address.
    pub(in crate::config) fn asking_nobody() -> Self {
        Self {
            resolve: |_, port| Ok(vec![(Ipv4Addr::UNSPECIFIED, port).into()]),
            ..Self::this()
        }
    }
}
