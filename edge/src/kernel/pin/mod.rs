//! What outlives the process: maps and links with names in a BPF file system.
//!
//! ```text
//! /sys/fs/bpf/edge            locked by the process that uses it
//!   v2/                       the layout of the maps (edge_common::LAYOUT)
//!     BANS, CONFIG, ...       the maps, by their names in the program
//!     native-eth0             the link to an interface, and its mode
//! ```
//!
//! A link that has a name stays attached when the process is gone, however it went: the program
//! goes on dropping, and bans go on expiring, because each entry has its time. The next start finds
//! the maps, writes its configuration into them and puts its own program into the links, each in
//! one step between two packets. When the layout has changed it makes maps of its own first, takes
//! the bans along, and removes the old ones when no link needs them any more.

mod directory;
mod file_system;
mod holder;
mod links;
mod remove;
mod status;
mod version;

pub(super) use directory::PinDirectory;
pub(super) use links::{PinnedLink, pin_link};
pub(super) use version::{OldEntries, OldMap, Version, names, version_path};

pub use holder::Holder;
pub use remove::{Detached, detach};
pub use status::{PinnedInterface, PinnedShield, pinned};
