//! The kernel plane, seen from user space: loads the XDP program that `build.rs` embeds, attaches
//! it, and reads and writes its maps. The only place that names `aya`.
//!
//! Where it cannot be attached the error says why and what to do about it; the proxy serves
//! without it unless the configuration requires it.

mod attach;
mod ban_filter;
mod bans;
mod error;
mod follow;
mod interface;
mod list;
mod lists;
#[cfg(feature = "bpf-log")]
mod log;
mod memory;
mod netlink;
mod object;
mod occupant;
mod pin;
mod ring;
mod settings;
mod shield;
mod steer;
mod sys;

#[cfg(test)]
mod model;
#[cfg(test)]
mod tests;

pub use attach::{AttachMode, Attachment, attach_late};
pub use bans::Ban;
pub use edge_common::{BanCause, Evidence, Family, ListOrigin, Offender, Verdict};
pub use error::ShieldError;
pub use follow::LinkChange;
pub use lists::Unlisted;
pub use netlink::InterfaceWatch;
pub use pin::{Detached, Holder, PinnedInterface, PinnedShield, detach, pinned};
pub use settings::GuardedPort;
pub use shield::{Missing, Shield};
pub use steer::{SteerError, Steered, steer_quic, steer_tcp};
