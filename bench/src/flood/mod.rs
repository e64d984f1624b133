//! A flood of small packets from forged sources, for measuring what drops them.
//!
//! Whole frames go out of a packet socket in batches, past the routing table and the firewall of
//! the sender. A flood is bounded in packets and time, and goes to addresses of test and private
//! networks only.

mod frame;
mod limits;
mod sender;

pub use frame::Kind;
pub(crate) use frame::frame;
pub use limits::{FloodError, SECONDS_MAX};
pub use sender::{Flood, Report};
