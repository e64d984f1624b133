//! Reading what a process costs from outside, and keeping runs comparable.

mod cpus;
mod interrupt;
mod process;
mod ratio;
mod stats;

pub(crate) use cpus::{Cpus, give_cpu};
pub(crate) use interrupt::{check_interrupt, watch_interrupt};
pub(crate) use process::{Memory, ProcessTree};
pub(crate) use ratio::Ratio;
pub(crate) use stats::{Quartiles, shuffle};
