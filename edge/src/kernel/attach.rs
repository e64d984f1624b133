//! Attaching the program to interfaces.
//!
//! Always by a BPF link that this process holds: the program is detached when the process ends, in
//! whatever way, and nobody else can replace it by accident.

use std::io;

use aya::programs::links::{FdLink, LinkError};
use aya::programs::{ProgramError, Xdp, XdpMode};

use super::error::errno;
use super::{ShieldError, interface};
use crate::config::ShieldMode;

/// How the program is attached to an interface.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum AttachMode {
    /// In the driver: a dropped packet costs the least.
    Native,
    /// In the network stack, after the driver: works everywhere.
    Generic,
}

impl AttachMode {
    /// The name in logs and messages.
    pub fn name(self) -> &'static str {
        match self {
            AttachMode::Native => "native",
            AttachMode::Generic => "generic",
        }
    }
}

/// An interface the program is attached to, until this is dropped.
#[derive(Debug)]
pub struct Attachment {
    interface: String,
    mode: AttachMode,
    _link: FdLink,
}

impl Attachment {
    /// The interface's name.
    pub fn interface(&self) -> &str {
        &self.interface
    }

    /// How it is attached.
    pub fn mode(&self) -> AttachMode {
        self.mode
    }
}

/// Attaches the program to all the interfaces or, on an error, to none.
pub(super) fn attach_all(
    program: &mut Xdp,
    interfaces: &[String],
    mode: ShieldMode,
) -> Result<Vec<Attachment>, ShieldError> {
    interfaces
        .iter()
        .map(|interface| attach(program, interface, mode))
        .collect()
}

fn attach(program: &mut Xdp, interface: &str, mode: ShieldMode) -> Result<Attachment, ShieldError> {
    let index = interface::index_of_ethernet(interface)?;
    let mut try_mode = |mode: AttachMode| {
        let link = link(program, index, mode).map_err(|error| refused(interface, mode, error))?;
        Ok(Attachment {
            interface: interface.to_owned(),
            mode,
            _link: link,
        })
    };
    match mode {
        ShieldMode::Off => Err(ShieldError::Off),
        ShieldMode::Native => try_mode(AttachMode::Native),
        ShieldMode::Generic => try_mode(AttachMode::Generic),
        // Drivers say no in many ways: no XDP at all, MTU too large, too few queues.
        ShieldMode::Auto => match try_mode(AttachMode::Native) {
            Err(ShieldError::Attach { .. }) => try_mode(AttachMode::Generic),
            decided => decided,
        },
    }
}

fn link(program: &mut Xdp, index: u32, mode: AttachMode) -> Result<FdLink, ProgramError> {
    let mode = match mode {
        AttachMode::Native => XdpMode::Driver,
        AttachMode::Generic => XdpMode::Skb,
    };
    let id = program.attach_to_if_index(index, mode)?;
    // Where a kernel knows no links, aya attaches by netlink; ours are newer.
    program
        .take_link(id)?
        .try_into()
        .map_err(|_: LinkError| io::Error::from(io::ErrorKind::Unsupported).into())
}

fn refused(interface: &str, mode: AttachMode, error: ProgramError) -> ShieldError {
    let interface = interface.to_owned();
    match errno(&error) {
        Some(libc::EBUSY | libc::EEXIST) => ShieldError::Occupied { interface },
        Some(libc::ENODEV) => ShieldError::NoInterface { interface },
        Some(libc::EPERM | libc::EACCES) => ShieldError::NoPermission {
            action: format!("attach a program to `{interface}`"),
        },
        number => ShieldError::Attach {
            interface,
            mode: mode.name(),
            cause: number.map_or_else(|| io::Error::other(error), io::Error::from_raw_os_error),
        },
    }
}
