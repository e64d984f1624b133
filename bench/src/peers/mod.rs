//! The proxies that are compared: how each is set up, started and stopped.

mod counters;
mod identity;
mod proxy;
mod running;
mod setup;

pub(crate) use counters::quic_counters;
pub(crate) use identity::Identity;
pub(crate) use proxy::Proxy;
pub(crate) use running::Running;
pub(crate) use setup::{Peer, Setup};
