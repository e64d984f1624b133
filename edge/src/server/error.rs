//! Why `edge` cannot start.

use std::io;
use std::net::SocketAddr;

use crate::kernel::ShieldError;
use crate::observe::access::AccessError;
use crate::tls;

use super::control::ControlError;
use super::keeper::KeeperError;
use super::privileges::PrivilegeError;

/// A start that failed. Whether configuration or environment is to blame decides the exit code.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// A certificate or key cannot be used.
    #[error(transparent)]
    Tls(#[from] tls::Error),
    /// An address cannot be listened on.
    #[error("cannot listen on {addr}: {}", explain(source))]
    Bind {
        /// The configured address.
        addr: SocketAddr,
        /// What the operating system said.
        source: io::Error,
    },
    /// See [`AccessError`].
    #[error(transparent)]
    AccessLog(#[from] AccessError),
    /// The shield is required and cannot be attached.
    #[error("shield: {0} (shield.required is true)")]
    Shield(#[from] ShieldError),
    /// See [`ControlError`].
    #[error(transparent)]
    Control(#[from] ControlError),
    /// See [`PrivilegeError`].
    #[error(transparent)]
    Privileges(#[from] PrivilegeError),
    /// See [`KeeperError`].
    #[error(transparent)]
    Keeper(#[from] KeeperError),
    /// What was read first and what was read later do not fit.
    #[error("the configuration changed while it was read; try again")]
    Changed,
    /// A worker thread cannot be started.
    #[error("cannot start a worker: {0}")]
    Worker(#[source] io::Error),
    /// io_uring is missing or forbidden.
    #[error(
        "io_uring is not available: {0}; it needs Linux 6.1 or newer, \
         and kernel.io_uring_disabled must be 0 (sysctl)"
    )]
    Ring(#[source] io::Error),
}

impl Error {
    /// Whether the configuration is at fault, not the machine.
    pub fn is_configuration(&self) -> bool {
        matches!(self, Error::Tls(_))
    }
}

pub(super) fn explain(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => "the port is in use by another process".into(),
        io::ErrorKind::PermissionDenied => {
            "permission denied; ports below 1024 need root or CAP_NET_BIND_SERVICE".into()
        }
        io::ErrorKind::AddrNotAvailable => "this machine has no such address".into(),
        _ => error.to_string(),
    }
}
