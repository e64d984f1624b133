//! What the control thread asks of the kernel program.

use std::error::Error;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use edge_common::{BanCause, Family, Verdict};

use crate::cidr::{Cidr, ListUse};
use crate::config::Config;
use crate::kernel::{Ban, Evidence, LinkChange, ListOrigin, Offender, Unlisted};

/// Why the kernel program did not do what was asked.
pub type GuardError = Box<dyn Error + Send + Sync>;

/// Packets by what became of them and family.
pub type Counts = Vec<(Verdict, Family, u64)>;

/// A kernel program that drops packets.
pub trait Guard: Send {
    /// Bans an address (of IPv6 its prefix) for so long; a longer ban stays as it is. It is the
    /// `count`th of the address.
    fn ban(
        &mut self,
        addr: IpAddr,
        duration: Duration,
        cause: BanCause,
        count: u16,
    ) -> Result<(), GuardError>;

    /// Lifts a ban; whether there was one.
    fn unban(&mut self, addr: IpAddr) -> Result<bool, GuardError>;

    /// The bans in force, those that end first first.
    fn bans(&self) -> Vec<Ban>;

    /// So many of the bans in force, those that end last first.
    fn last_bans(&self, count: usize) -> Vec<Ban>;

    /// How many bans are in force.
    fn ban_count(&self) -> usize;

    /// The ban of an address, if it is banned.
    fn ban_of(&self, addr: IpAddr) -> Option<Ban>;

    /// Keeps the past bans of a client for the next run, or forgets them.
    fn remember(&mut self, addr: IpAddr, offender: Option<Offender>) -> Result<(), GuardError>;

    /// The past bans that were kept.
    fn remembered(&self) -> Result<Vec<(IpAddr, Offender)>, GuardError>;

    /// Keeps why a client was banned for the next run, or forgets it.
    fn explain(&mut self, addr: IpAddr, reason: Option<&str>) -> Result<(), GuardError>;

    /// The reasons that were kept.
    fn explained(&self) -> Result<Vec<(IpAddr, String)>, GuardError>;

    /// Makes room by removing expired bans; how many.
    fn sweep(&mut self) -> Result<usize, GuardError>;

    /// Takes over the settings of another configuration; those that take a restart are refused.
    fn apply(&mut self, config: &Config) -> Result<(), GuardError>;

    /// Writes a slice of what a configuration changed in the lists; whether there is more.
    fn sync_lists(&mut self) -> Result<bool, GuardError>;

    /// Puts a network on a list; whether it was not on it.
    fn list_add(&mut self, list: ListUse, cidr: Cidr) -> Result<bool, GuardError>;

    /// Takes a network off a list.
    fn list_remove(&mut self, list: ListUse, cidr: Cidr) -> Result<Unlisted, GuardError>;

    /// The networks of a list, and who put them there.
    fn list(&self, list: ListUse) -> Vec<(Cidr, ListOrigin)>;

    /// How many networks a list has.
    fn list_len(&self, list: ListUse) -> usize;

    /// The network of a list that an address is in.
    fn listed(&self, list: ListUse, addr: IpAddr) -> Option<Cidr>;

    /// Remembers an address that has completed a handshake.
    fn known_good(&mut self, addr: IpAddr) -> Result<(), GuardError>;

    /// Samples of what was dropped since the last call.
    fn evidence(&mut self) -> Vec<Evidence>;

    /// Packets by what became of them.
    fn verdicts(&self) -> Result<Counts, GuardError>;

    /// The same for packets that passed only because the program just watches.
    fn watched(&self) -> Result<Counts, GuardError>;

    /// Samples that were lost because nobody took them in time.
    fn evidence_lost(&self) -> Result<u64, GuardError>;

    /// The interfaces it should protect.
    fn links(&self) -> Vec<GuardLink>;

    /// Attaches to interfaces that have come, and forgets those that are gone.
    fn follow_interfaces(&mut self) -> Vec<LinkChange>;

    /// Where it is pinned, if it outlives the process.
    fn stays_at(&self) -> Option<&Path>;
}

/// An interface that the program should protect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct GuardLink {
    /// Its name.
    pub interface: String,
    /// `native`, `generic`, or `none` if it never was attached.
    pub mode: &'static str,
    /// It is attached now.
    pub is_attached: bool,
}
