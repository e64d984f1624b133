//! What measures `edge` and what stands behind it in tests: a demo MCP server, a cheap origin, a
//! load generator, and comparisons with other proxies.
//!
//! Nothing here is part of the appliance and the appliance is not linked into it: `bench` drives
//! binaries from outside, as a client would.

pub mod demo;
pub mod flood;
pub mod origin;
pub mod workloads;

mod load;
mod measure;
mod peers;
mod profile;
mod report;

mod clock;
mod netns;
mod reactor;
