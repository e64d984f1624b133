//! The demo upstream: a real MCP server and a set of plain endpoints, each with one behaviour.

mod bodies;
mod die;
mod listen;
mod plain;
mod routes;
mod sse;
mod stats;
mod tools;
mod watch;

pub use listen::{Listen, serve};
