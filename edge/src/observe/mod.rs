//! What operators see: the access log and the metrics page.

pub mod access;

mod protocol;

pub use protocol::Protocol;
