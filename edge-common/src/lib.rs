//! What the kernel programs and the proxy must agree on: the types and bounds of the maps between
//! them, and the limiter's arithmetic.
//!
//! Every map type is `#[repr(C)]`, has no padding, and has its size and alignment asserted when it
//! is compiled, for both targets: a layout that drifts is a build error, never a wrong drop.

#![no_std]

mod ban;
mod config;
mod gcra;
mod layout;
mod source;
mod table;
mod verdict;

pub use ban::{BANS_MAX, Ban};
pub use config::{CONFIG_SLOTS, PortSet, ShieldConfig, ShieldFlags};
pub use gcra::Gcra;
pub use layout::LAYOUT;
pub use source::{Ipv6Mask, SourceKey};
pub use table::{BUCKETS, Bucket, CELLS, Cell, bucket, tag};
pub use verdict::{COUNTERS, Family, Verdict};
