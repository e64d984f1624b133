//! `cargo xtask run`: the whole thing on this machine, with something to look at.

mod certificate;
mod config;
mod event;
mod hints;
mod log_line;
mod metrics;
mod namespaces;
mod pin;
mod ports;
mod processes;
mod screen;
mod stage;
mod summary;
mod task;

pub(crate) use task::{Options, run};
