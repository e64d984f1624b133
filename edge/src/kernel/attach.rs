//! Attaching the program to interfaces.
//!
//! Always by a BPF link. Where links can be given names it stays attached when the process ends;
//! elsewhere it goes with the process, in whatever way that ends. Nobody else can replace it by
//! accident.

use std::fs;
use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use nix::net::if_::if_nametoindex;

use super::pin::{PinnedLink, Version, pin_link, version_path};
use super::sys::{self, XdpFlags};
use super::{ShieldError, interface, occupant};
use crate::config::{self, ShieldMode};

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

    /// The mode of that name.
    pub fn from_name(name: &str) -> Option<AttachMode> {
        let modes = [AttachMode::Native, AttachMode::Generic];
        modes.into_iter().find(|mode| mode.name() == name)
    }

    fn flags(self) -> XdpFlags {
        match self {
            AttachMode::Native => XdpFlags::Native,
            AttachMode::Generic => XdpFlags::Generic,
        }
    }
}

/// An interface the program is attached to, until this is dropped or, if the link has a name, until
/// somebody removes that.
#[derive(Debug)]
pub struct Attachment {
    interface: String,
    index: u32,
    mode: AttachMode,
    link: OwnedFd,
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

    /// An attachment that another process has made.
    pub fn handed(interface: &str, mode: AttachMode, link: OwnedFd) -> io::Result<Attachment> {
        Ok(Attachment {
            interface: interface.to_owned(),
            index: sys::link_info(&link)?.interface,
            mode,
            link,
        })
    }

    /// Detaches it from its interface. Closing would not do: a child that is about to run another
    /// program has the link open as well.
    pub(super) fn detach(self) {
        // An interface that is gone is not attached to either.
        let _ = sys::detach(&self.link);
    }

    /// The link, for another process.
    pub fn link(&self) -> BorrowedFd<'_> {
        self.link.as_fd()
    }

    /// The interface's number when it was attached.
    pub(super) fn index(&self) -> u32 {
        self.index
    }

    /// Whether it still is: its interface may have gone away, or somebody has detached it.
    pub fn is_live(&self) -> bool {
        sys::link_info(&self.link).is_ok_and(|info| info.interface == self.index)
    }
}

/// Attaches a program that is loaded already to one more interface of the configuration: for a
/// process that still may, on behalf of one that has given up the right to.
pub fn attach_late(
    program: BorrowedFd<'_>,
    interface: &str,
    config: &config::Shield,
) -> Result<Attachment, ShieldError> {
    let version = config.pin.as_deref().map(version_path);
    // Where nothing is pinned, this link is not either.
    let version = version.filter(|version| version.is_dir());
    attach(program, interface, config.mode, version.as_deref())
}

/// Puts the program into the links of earlier runs that are still right, and removes the others.
pub(super) fn take_over(
    program: BorrowedFd<'_>,
    interfaces: &[String],
    mode: ShieldMode,
    version: &Version,
) -> io::Result<Vec<Attachment>> {
    let mut taken: Vec<Attachment> = Vec::new();
    for old in version.links()? {
        let is_wanted = interfaces.contains(&old.interface)
            && is_allowed(mode, old.mode)
            && !taken.iter().any(|taken| taken.interface == old.interface);
        if !is_wanted || !is_in_place(&old) || sys::replace(&old.link, program).is_err() {
            old.remove()?;
            continue;
        }
        // Under this layout's directory; the name in another one would take the link along.
        fs::remove_file(&old.path)?;
        pin_link(version.path(), &old.link, &old.interface, old.mode)?;
        taken.push(Attachment {
            index: old.info.interface,
            interface: old.interface,
            mode: old.mode,
            link: old.link,
        });
    }
    Ok(taken)
}

/// Whether a link is attached to the interface that has its name now, in this network namespace.
fn is_in_place(old: &PinnedLink) -> bool {
    let index = if_nametoindex(&*old.interface);
    index.is_ok_and(|index| index == old.info.interface)
        && super::netlink::program_of(old.info.interface)
            .is_ok_and(|program| program == Some(old.info.program))
}

fn is_allowed(wanted: ShieldMode, mode: AttachMode) -> bool {
    match wanted {
        ShieldMode::Auto => true,
        ShieldMode::Native => mode == AttachMode::Native,
        ShieldMode::Generic => mode == AttachMode::Generic,
        ShieldMode::Off => false,
    }
}

/// Attaches the program to an interface, and gives the link a name if there is a place for it.
pub(super) fn attach(
    program: BorrowedFd<'_>,
    interface: &str,
    mode: ShieldMode,
    version: Option<&Path>,
) -> Result<Attachment, ShieldError> {
    let index = interface::index_of_ethernet(interface)?;
    let try_mode = |mode: AttachMode| {
        let link = sys::attach(program, index, mode.flags())
            .map_err(|error| refused(interface, index, mode, error))?;
        if let Some(version) = version {
            pin_link(version, link.as_fd(), interface, mode).map_err(|cause| ShieldError::Pin {
                path: version.to_owned(),
                cause,
            })?;
        }
        Ok(Attachment {
            interface: interface.to_owned(),
            index,
            mode,
            link,
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

fn refused(interface: &str, index: u32, mode: AttachMode, error: io::Error) -> ShieldError {
    let interface = interface.to_owned();
    match error.raw_os_error() {
        Some(libc::EBUSY | libc::EEXIST) => ShieldError::Occupied {
            by: occupant::of(index),
            interface,
        },
        Some(libc::ENODEV) => ShieldError::NoInterface { interface },
        // What the kernel says of a number that is no interface's any more.
        Some(libc::EINVAL) if if_nametoindex(&*interface) != Ok(index) => {
            ShieldError::NoInterface { interface }
        }
        Some(libc::EPERM | libc::EACCES) => ShieldError::NoPermission {
            action: format!("attach a program to `{interface}`"),
        },
        _ => ShieldError::Attach {
            interface,
            mode: mode.name(),
            cause: error,
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_interface_that_goes_in_between_is_not_there() {
        let gone = io::Error::from_raw_os_error(libc::EINVAL);
        let error = refused("nosuch0", 4711, AttachMode::Native, gone);
        assert!(matches!(error, ShieldError::NoInterface { .. }), "{error}");
        let index = if_nametoindex("lo").unwrap();
        let other = io::Error::from_raw_os_error(libc::EINVAL);
        let error = refused("lo", index, AttachMode::Native, other);
        assert!(matches!(error, ShieldError::Attach { .. }), "{error}");
    }
}
