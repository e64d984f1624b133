//! What operators see: the access log and the metrics page.

pub mod access;
pub mod metrics;

mod protocol;
#[cfg(test)]
mod testing;

pub use protocol::Protocol;
