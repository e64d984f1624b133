//! Connections to upstream servers: per-worker keep-alive pools, choice of server, HTTP/1.1.

mod conn;
mod error;
mod group;
mod pool;

pub use conn::{Conn, Reply};
pub use error::UpstreamError;
pub use group::{Group, Lease, Upstreams};
