//! The proxies that are compared: how each is set up, started and stopped.

mod identity;
mod proxy;
mod running;

pub(crate) use identity::Identity;
pub(crate) use proxy::{Proxy, Setup};
pub(crate) use running::Running;
