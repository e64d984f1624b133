//! What is measured, one file a workload; each is a subcommand of `bench`.

mod command;
mod https1;
mod idle_streams;
mod shield;

pub use command::Command;
