//! What operators see and touch: the access log, the metrics page, the admin socket.

pub mod access;
pub mod admin;
pub mod metrics;

mod protocol;
#[cfg(test)]
mod testing;

pub use protocol::Protocol;
