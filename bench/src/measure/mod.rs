//! Reading what a process costs from outside, and keeping runs comparable.

mod cpus;
mod process;
mod stats;

pub(crate) use cpus::Cpus;
pub(crate) use process::ProcessTree;
pub(crate) use stats::{Quartiles, shuffle};
