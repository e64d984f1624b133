//! What operators see and touch: the access log, the metrics page, the admin socket.

pub mod access;
pub mod admin;
pub mod metrics;
pub mod trace;

mod cache;
mod mcp;
mod page;
mod protocol;
#[cfg(test)]
pub(crate) mod testing;

pub use cache::CacheResult;
pub use mcp::McpFacts;
pub use page::{Page, PageError, Reader};
pub use protocol::Protocol;
