//! What the control thread asks of the kernel program.

use std::error::Error;
use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use edge_common::{Family, Verdict};

use crate::config::Config;

/// Why the kernel program did not do what was asked.
pub type GuardError = Box<dyn Error + Send + Sync>;

/// A kernel program that drops packets of banned addresses.
pub trait Guard: Send {
    /// Bans an address (of IPv6 its prefix) for so long; a longer ban stays as it is.
    fn ban(&mut self, addr: IpAddr, duration: Duration) -> Result<(), GuardError>;

    /// Lifts a ban; whether there was one.
    fn unban(&mut self, addr: IpAddr) -> Result<bool, GuardError>;

    /// The bans in force and how long each still lasts.
    fn bans(&self) -> Vec<(IpAddr, Duration)>;

    /// Makes room by removing expired bans; how many.
    fn sweep(&mut self) -> Result<usize, GuardError>;

    /// Takes over the settings of another configuration; those that take a restart are refused.
    fn apply(&mut self, config: &Config) -> Result<(), GuardError>;

    /// Packets by what became of them.
    fn verdicts(&self) -> Result<Vec<(Verdict, Family, u64)>, GuardError>;

    /// The interfaces it should protect.
    fn links(&self) -> Vec<GuardLink>;

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
