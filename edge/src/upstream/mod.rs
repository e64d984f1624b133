//! Upstream servers: what is known of their health, choice among them, per-worker keep-alive pools,
//! HTTP/1.1 and HTTP/2.

mod channel;
mod check;
mod choice;
mod conn;
mod error;
mod fleet;
mod group;
mod groups;
mod h1;
mod h2;
mod health;
mod keeper;
mod lease;
mod pool;
mod replay;
mod server;

pub use conn::{Conn, Reply, Unsent};
pub use error::UpstreamError;
pub use fleet::Fleet;
pub use group::{Group, Sender};
pub use groups::Upstreams;
pub use lease::Lease;
