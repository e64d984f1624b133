//! What is measured: one module a workload, and what they have in common.

mod attack;
mod bulk;
mod calls;
mod command;
mod generator;
mod generator_http3;
mod handshake;
mod https3;
mod mcp;
mod progress;
mod rate;
mod reload;
mod rounds;
mod scaling;
mod scene;
mod shell;
mod shield;
mod slow;
mod sse;
mod stage;
mod startup;
mod target;

pub use command::Command;
