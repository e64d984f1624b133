//! What is said about the shield over the admin socket: lists, imports, the live view.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::protocol::{Ban, ShieldStatus};
use crate::cidr::ListUse;

/// So that nobody shuts himself out: this machine's own addresses, its gateway and the operator's
/// address cannot be denied or banned unless that is forced.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Care {
    /// Do it nevertheless.
    #[serde(default)]
    pub force: bool,
    /// Where the operator is logged in from.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub ssh: Option<IpAddr>,
}

impl Care {
    pub(super) fn is_default(&self) -> bool {
        *self == Care::default()
    }
}

/// A list.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ListName {
    /// Who is let in whatever else is said.
    Allow,
    /// Who is not let in.
    Deny,
}

impl From<ListName> for ListUse {
    fn from(name: ListName) -> ListUse {
        match name {
            ListName::Allow => ListUse::Allow,
            ListName::Deny => ListUse::Deny,
        }
    }
}

/// A ban to be taken in.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewBan {
    /// The address.
    pub addr: IpAddr,
    /// For how many milliseconds from now.
    pub for_ms: u64,
    /// For the list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// What came of taking bans in.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Imported {
    /// Bans that are in force now.
    pub taken: usize,
    /// The others.
    pub left: Vec<Left>,
}

/// What came of changing a list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Changed {
    /// Networks that were put on it, or taken off.
    pub done: Vec<String>,
    /// The others.
    pub left: Vec<Left>,
}

/// Something that was left as it was.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Left {
    /// An address or a network.
    pub what: String,
    /// Why.
    pub why: String,
    /// It is as it was meant to be anyway.
    pub harmless: bool,
}

/// A network on a list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Entry {
    /// The network.
    pub cidr: String,
    /// The configuration, or a file it names, has it.
    pub config: bool,
    /// An operator has added it.
    pub operator: bool,
}

/// The live view.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Top {
    /// Milliseconds since edge was started.
    pub uptime_ms: u64,
    /// The interfaces.
    pub shield: Vec<ShieldStatus>,
    /// Packets so far by what became of them, of every family.
    pub packets: Vec<Verdicts>,
    /// The sources with most samples of dropped packets lately.
    pub sources: Vec<Source>,
    /// Bans in force.
    pub bans_total: usize,
    /// Those that were set last.
    pub bans: Vec<Ban>,
}

/// Packets with the same end.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verdicts {
    /// What became of them.
    pub verdict: String,
    /// They were dropped.
    pub dropped: bool,
    /// How many since the shield was loaded.
    pub packets: u64,
    /// How many more would have been dropped, but passed because of `monitor`.
    pub watched: u64,
}

/// A source that is dropped. The kernel reports a sample, so that counts are of samples.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Source {
    /// Its address, or the first one of its IPv6 prefix.
    pub addr: IpAddr,
    /// Samples so far.
    pub samples: u64,
    /// Samples a second lately.
    pub per_sec: f64,
    /// Why it was dropped last.
    pub verdict: String,
    /// The port it was for.
    pub port: u16,
    /// Milliseconds since the last sample.
    pub age_ms: u64,
}
