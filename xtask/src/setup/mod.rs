//! `cargo xtask setup`: finds or installs what edge is built, run and tested with.

mod apt;
mod bpf_clippy;
mod core_source;
mod linker;
mod need;
mod node;
mod python;
mod task;

pub(crate) use bpf_clippy::bpf_clippy;
pub(crate) use need::Group;
pub(crate) use task::{Options, ensure, setup};
