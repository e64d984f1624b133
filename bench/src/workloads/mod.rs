//! What is measured, one file a workload; each is a subcommand of `bench`.

mod command;
mod https1;
mod idle_streams;

pub use command::Command;
