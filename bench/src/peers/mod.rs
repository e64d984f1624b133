//! The proxies that are compared: how each is set up, started and stopped.

mod counters;
mod identity;
mod proxy;
mod running;

pub(crate) use counters::quic_counters;
pub(crate) use identity::Identity;
pub(crate) use proxy::{Peer, Proxy, Setup};
pub(crate) use running::Running;
