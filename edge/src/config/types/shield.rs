//! `[shield]`.

use std::path::PathBuf;

use super::Rate;
use crate::cidr::Cidr;

/// The XDP program.
#[derive(Clone, Debug)]
pub struct Shield {
    /// How to attach.
    pub mode: ShieldMode,
    /// Interfaces; empty means the one of the default route.
    pub interfaces: Vec<String>,
    /// Packets per source address.
    pub packets: Option<Rate>,
    /// Connection attempts over TCP (SYN) per source address.
    pub connections: Option<Rate>,
    /// Connection attempts over QUIC (Initial) per source address.
    pub initials: Option<Rate>,
    /// Connection attempts of all addresses together.
    pub new_connections: Option<Rate>,
    /// Prefix length at which IPv6 sources are counted and banned.
    pub ipv6_prefix: u8,
    /// What becomes of the first fragments of datagrams to guarded ports.
    pub fragments: Fragments,
    /// Networks let in whatever else is said, those of `allow_files` included; in order.
    pub allow: Vec<Cidr>,
    /// Networks not let in, those of `deny_files` included; in order.
    pub deny: Vec<Cidr>,
    /// Let in nobody but `allow`.
    pub only: bool,
    /// Drop nothing, count what would be dropped.
    pub monitor: bool,
    /// Refuse to start when the program cannot be attached.
    pub required: bool,
    /// Where maps and links get names, so that they outlive the process; `None` nowhere.
    pub pin: Option<PathBuf>,
}

impl Default for Shield {
    /// A shield that limits nobody and lists nobody.
    fn default() -> Shield {
        Shield {
            mode: ShieldMode::Auto,
            interfaces: Vec::new(),
            packets: None,
            connections: None,
            initials: None,
            new_connections: None,
            ipv6_prefix: 64,
            fragments: Fragments::Pass,
            allow: Vec::new(),
            deny: Vec::new(),
            only: false,
            monitor: false,
            required: false,
            pin: None,
        }
    }
}

/// What becomes of fragments.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fragments {
    /// They are treated as what they begin with.
    Pass,
    /// They are dropped.
    Drop,
}

/// How the XDP program is attached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ShieldMode {
    /// In the driver where it can, else generic.
    Auto,
    /// In the driver or not at all.
    Native,
    /// In the network stack, after the driver.
    Generic,
    /// Not at all.
    Off,
}
