//! `cargo xtask test` and `cargo xtask ci`: every check there is, in one run.

mod again;
mod plan;
mod report;
mod runner;
mod task;

pub(crate) use plan::end_to_end;
pub(crate) use task::{CiOptions, Options, ci, test};
