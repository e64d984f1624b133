//! The allow and the deny list together: in which order they change.

use std::net::IpAddr;

use edge_common::{ListOrigin, ShieldFlags};

use super::ShieldError;
use super::list::List;
use super::object::Tries;
use crate::cidr::{Cidr, ListUse};
use crate::clock::monotonic_ns;

/// What came of taking a network off a list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unlisted {
    /// It is off.
    Removed,
    /// It was not on it. A network within or around it may be.
    NotListed,
    /// The configuration has it: it stays until that is changed and reloaded.
    Configured,
}

/// For emptying tries that are to go: longer than it takes unless they are full to the brim.
pub(super) const EMPTY_FOR_NS: u64 = 5_000_000_000;

/// Slices written by one call: some milliseconds of work.
const SLICES_MAX: usize = 4;

pub(super) struct Lists {
    allow: List,
    deny: List,
}

impl Lists {
    /// The lists as the kernel holds them.
    pub(super) fn new(allow: Tries, deny: Tries) -> Result<Lists, ShieldError> {
        Ok(Lists {
            allow: List::new(ListUse::Allow, allow)?,
            deny: List::new(ListUse::Deny, deny)?,
        })
    }

    /// Takes over the lists of a configuration; [`Lists::sync`] writes them.
    pub(super) fn want(&mut self, allow: &[Cidr], deny: &[Cidr]) {
        self.allow.want(allow);
        self.deny.want(deny);
    }

    /// Writes a part of what changed; whether there is more.
    pub(super) fn sync(&mut self) -> Result<bool, ShieldError> {
        for _ in 0..SLICES_MAX {
            let did = self.allow.write_slice()?
                || self.deny.remove_slice()?
                || self.deny.write_slice()?
                || self.allow.remove_slice()?;
            if !did {
                return Ok(false);
            }
        }
        Ok(true)
    }

    /// Adds a network; whether it was not on the list.
    pub(super) fn add(&mut self, list: ListUse, cidr: Cidr) -> Result<bool, ShieldError> {
        self.list_mut(list).add(cidr)
    }

    /// Takes away a network that an operator added.
    pub(super) fn remove(&mut self, list: ListUse, cidr: Cidr) -> Result<Unlisted, ShieldError> {
        let before = self.list_mut(list).remove(cidr)?;
        Ok(match before {
            ListOrigin::NONE => Unlisted::NotListed,
            origin if origin.any(ListOrigin::CONFIG) => Unlisted::Configured,
            _ => Unlisted::Removed,
        })
    }

    pub(super) fn iter(&self, list: ListUse) -> impl Iterator<Item = (Cidr, ListOrigin)> {
        self.list(list).iter()
    }

    pub(super) fn covering(&self, list: ListUse, addr: IpAddr) -> Option<Cidr> {
        self.list(list).covering(addr)
    }

    /// How many networks are wanted.
    pub(super) fn len(&self, list: ListUse) -> usize {
        self.list(list).len()
    }

    /// Takes everything out of the tries before they are freed, as far as time allows.
    pub(super) fn empty(&self) {
        let until_ns = monotonic_ns() + EMPTY_FOR_NS;
        for list in [&self.allow, &self.deny] {
            // What is left the kernel frees as it comes.
            let _ = list.empty(until_ns);
        }
    }

    /// Whether all are in the kernel that are to be let in.
    pub(super) fn allow_is_written(&self) -> bool {
        !self.allow.has_writes()
    }

    /// The lists that have entries, or will have.
    pub(super) fn flags(&self) -> ShieldFlags {
        let (allow, deny) = (self.allow.has_entries(), self.deny.has_entries());
        let flags = [
            (allow.0, ShieldFlags::ALLOW_V4),
            (allow.1, ShieldFlags::ALLOW_V6),
            (deny.0, ShieldFlags::DENY_V4),
            (deny.1, ShieldFlags::DENY_V6),
        ];
        let on = flags.into_iter().filter(|(has_entries, _)| *has_entries);
        on.fold(ShieldFlags::default(), |all, (_, flag)| all.with(flag))
    }

    fn list(&self, list: ListUse) -> &List {
        match list {
            ListUse::Allow => &self.allow,
            ListUse::Deny => &self.deny,
        }
    }

    fn list_mut(&mut self, list: ListUse) -> &mut List {
        match list {
            ListUse::Allow => &mut self.allow,
            ListUse::Deny => &mut self.deny,
        }
    }
}
