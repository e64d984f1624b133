//! What is asked of a shield in force: bans, what is remembered of them, lists.

use std::net::IpAddr;
use std::time::Duration;

use edge_common::{BanCause, ListOrigin, Offender};

use super::Shield;
use crate::cidr::{Cidr, ListUse};
use crate::clock::monotonic_ns;
use crate::kernel::lists::Unlisted;
use crate::kernel::{Ban, ShieldError};

impl Shield {
    /// Drops everything from an address to guarded ports for so long; a ban that already lasts
    /// longer stays as it is. An IPv6 address stands for its prefix (`ipv6_prefix`).
    ///
    /// Any address can be banned, the operator's own and this machine's too: that nobody shuts
    /// himself out is for the caller to see to.
    pub fn ban(&mut self, addr: IpAddr, duration: Duration) -> Result<(), ShieldError> {
        self.ban_for(addr, duration, BanCause::Admin, 1)
    }

    /// The same with what led to it, and which of the source's bans it is.
    pub fn ban_for(
        &mut self,
        addr: IpAddr,
        duration: Duration,
        cause: BanCause,
        count: u16,
    ) -> Result<(), ShieldError> {
        let why = (cause, count);
        self.bans.insert(addr, duration, why, monotonic_ns())
    }

    /// Lets an address through again; whether it was banned.
    pub fn unban(&mut self, addr: IpAddr) -> Result<bool, ShieldError> {
        self.bans.remove(addr, monotonic_ns())
    }

    /// The bans in force, those that expire first first.
    pub fn bans(&self) -> Vec<Ban> {
        self.bans.iter(monotonic_ns()).collect()
    }

    /// So many of the bans in force, those that end last first.
    pub fn last_bans(&self, count: usize) -> Vec<Ban> {
        let bans = self.bans.iter(monotonic_ns());
        bans.rev().take(count).collect()
    }

    /// How many bans are in force; cheap, however many there are.
    pub fn ban_count(&self) -> usize {
        self.bans.count(monotonic_ns())
    }

    /// The ban of an address, if it is banned.
    pub fn ban_of(&self, addr: IpAddr) -> Option<Ban> {
        self.bans.of(addr, monotonic_ns())
    }

    /// Keeps the past bans of a client for whoever takes over, or forgets them. Where there is no
    /// room for more they are not kept.
    pub fn remember(
        &mut self,
        addr: IpAddr,
        offender: Option<Offender>,
    ) -> Result<(), ShieldError> {
        let mask = self.settings.ipv6_mask;
        self.memory.remember(addr, &mask, offender)
    }

    /// What [`Shield::remember`] has kept, an earlier run included.
    pub fn remembered(&self) -> Result<Vec<(IpAddr, Offender)>, ShieldError> {
        self.memory.offenders()
    }

    /// Keeps why a client was banned, or forgets it; as above. A long reason is cut.
    pub fn explain(&mut self, addr: IpAddr, reason: Option<&str>) -> Result<(), ShieldError> {
        let mask = self.settings.ipv6_mask;
        self.memory.explain(addr, &mask, reason)
    }

    /// What [`Shield::explain`] has kept, an earlier run included.
    pub fn explained(&self) -> Result<Vec<(IpAddr, String)>, ShieldError> {
        self.memory.reasons()
    }

    /// Removes expired bans from the table, which makes room; they have no effect any more. How
    /// many. The work of one call is bounded to some milliseconds; once a second is often enough.
    pub fn sweep(&mut self) -> Result<usize, ShieldError> {
        self.bans.sweep(monotonic_ns())
    }

    /// Writes a slice of what changed in the lists, some milliseconds of work; whether there is
    /// more. Additions come before removals, and those who are let in first: at no time is a client
    /// dropped that both the old and the new lists let in.
    pub fn sync_lists(&mut self) -> Result<bool, ShieldError> {
        let more = self.lists.sync()?;
        self.follow_lists()?;
        Ok(more)
    }

    /// Puts a network on a list until it is taken off again; whether it was not on it.
    ///
    /// Whatever is asked is done: that nobody shuts himself out is for the caller to see to.
    pub fn list_add(&mut self, list: ListUse, cidr: Cidr) -> Result<bool, ShieldError> {
        let is_new = self.lists.add(list, cidr)?;
        self.follow_lists()?;
        Ok(is_new)
    }

    /// Takes a network off a list.
    pub fn list_remove(&mut self, list: ListUse, cidr: Cidr) -> Result<Unlisted, ShieldError> {
        let unlisted = self.lists.remove(list, cidr)?;
        self.follow_lists()?;
        Ok(unlisted)
    }

    /// The networks of a list in order, and who put them there.
    pub fn list(&self, list: ListUse) -> impl Iterator<Item = (Cidr, ListOrigin)> {
        self.lists.iter(list)
    }

    /// How many networks a list has; cheap, however many there are.
    pub fn list_len(&self, list: ListUse) -> usize {
        self.lists.len(list)
    }

    /// The widest network of a list that an address is in.
    pub fn listed(&self, list: ListUse, addr: IpAddr) -> Option<Cidr> {
        self.lists.covering(list, addr)
    }
}
