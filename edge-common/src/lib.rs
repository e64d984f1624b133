//! What the kernel programs and the proxy must agree on: the types and bounds of the maps between
//! them, and the limiter's arithmetic.
//!
//! Every map type is `#[repr(C)]`, has no padding, and has its size and alignment asserted when it
//! is compiled, for both targets: a layout that drifts is a build error, never a wrong drop.

#![no_std]

mod ban;
mod cause;
mod config;
mod connection_id;
mod cpu;
mod evidence;
mod gcra;
mod known;
mod layout;
mod lists;
mod memory;
mod source;
mod steer;
mod table;
mod verdict;
mod wrapping;

pub use ban::{
    BAN_FILTER_FINE, BAN_FILTER_WORDS, BAN_MEMORY, BANS_MAX, Ban, BanSeen, ban_filter,
    ban_filter_coarse, ban_place,
};
pub use cause::BanCause;
pub use config::{CONFIG_SLOTS, PortSet, ShieldConfig, ShieldConfigs, ShieldFlags};
pub use connection_id::{CONNECTION_ID_BYTES, Owner, SteerKey};
pub use cpu::Cpu;
pub use evidence::{EVIDENCE_BURST, EVIDENCE_BYTES, EVIDENCE_PER_SEC, Evidence};
pub use gcra::Gcra;
pub use known::{KNOWN_MAX, Known, SHARED, SHARED_CONNECTIONS, SHARED_VERSIONS, Shared};
pub use layout::LAYOUT;
pub use lists::{LIST_MAX, ListOrigin, ListV4, ListV6, TRIE_MAX};
pub use memory::{OFFENDERS_MAX, Offender, REASON_BYTES, REASONS_MAX, Reason};
pub use source::{Ipv6Mask, SourceKey};
pub use steer::{STEER_CPUS, STEER_WORKERS, SteerConfig};
pub use table::{BUCKETS, Bucket, CELLS, bucket, tag};
pub use verdict::{COUNTERS, Family, VERDICTS, Verdict};
pub use wrapping::WrappingGcra;
