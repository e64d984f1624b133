//! Interfaces that come and go while the shield is there.

use std::os::fd::{AsFd, BorrowedFd};

use nix::net::if_::if_nametoindex;

use super::shield::{Missing, Shield};
use super::{Attachment, ShieldError};

/// What became of an interface.
#[derive(Debug)]
pub enum LinkChange {
    /// It has gone away, and the attachment with it.
    Gone(String),
    /// It is there, or there again, and the program is attached to it.
    Attached(String),
    /// It is there and stays unprotected; why.
    Failed(String, String),
}

impl Shield {
    /// Looks at the interfaces it should protect: forgets attachments to those that are gone, and has
    /// the program attached to those that have come, by `attach`, which gets the program and the
    /// interface's name.
    pub fn follow_interfaces(
        &mut self,
        mut attach: impl FnMut(BorrowedFd<'_>, &str) -> Result<Attachment, String>,
    ) -> Vec<LinkChange> {
        let mut changes = Vec::new();
        let is_gone = |attachment: &mut Attachment| {
            let index = if_nametoindex(attachment.interface()).ok();
            index != Some(attachment.index())
        };
        for gone in self.attachments.extract_if(.., is_gone) {
            let interface = gone.interface().to_owned();
            changes.push(LinkChange::Gone(interface.clone()));
            self.missing.push(Missing {
                error: ShieldError::NoInterface {
                    interface: interface.clone(),
                },
                interface,
            });
        }
        let is_awaited = |missing: &mut Missing| {
            let is_awaited = matches!(missing.error, ShieldError::NoInterface { .. });
            is_awaited && if_nametoindex(&*missing.interface).is_ok()
        };
        let come: Vec<Missing> = self.missing.extract_if(.., is_awaited).collect();
        for missing in come {
            let attached = match self.program.xdp().fd() {
                Ok(program) => attach(program.as_fd(), &missing.interface),
                Err(error) => Err(error.to_string()),
            };
            match attached {
                Ok(attachment) => {
                    changes.push(LinkChange::Attached(missing.interface));
                    self.attachments.push(attachment);
                }
                Err(error) => {
                    // Tried again when something changes.
                    changes.push(LinkChange::Failed(missing.interface.clone(), error));
                    self.missing.push(missing);
                }
            }
        }
        changes
    }
}
