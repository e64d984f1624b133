//! The metrics page: what workers count, and what is read when somebody looks.
//!
//! A worker counts in plain cells ([`WorkerMetrics`]) and adds the differences to the shared
//! registry ([`Metrics`]) on its tick, so counting a request costs a few additions and shares
//! nothing. Label values come from the configuration or from enums, never from the network.

mod cache;
mod describe;
mod histogram;
mod labels;
mod local;
mod mcp;
mod ocsp;
mod process;
mod quic;
mod registry;
mod requests;
mod scrape;
mod series;
mod servers;
#[cfg(test)]
mod tests;
mod text;
mod worker;

pub use labels::{BanOrigin, Handshake, QuicFailure, TlsVersion, UpstreamFault};
pub use mcp::McpSample;
pub use quic::QuicMetrics;
pub use registry::{Metrics, SpanCounters};
pub use scrape::{Scrape, ShieldLink, ShieldVerdict};
pub use series::{RequestSample, Series};
pub use servers::{ServerSample, ServerSource};
pub use worker::WorkerMetrics;
