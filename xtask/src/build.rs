//! `cargo xtask build`: everything, with the kernel programs inside.

use anyhow::Result;

use crate::repo::Repo;
use crate::{setup, shell};

/// Build everything, the kernel programs included.
///
/// Sets the machine up first if something is missing. The programs are left in target/debug, or in
/// target/release with --release.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Build with optimizations, as it is meant to be run
    #[arg(long)]
    release: bool,
}

/// Runs the task.
pub(crate) fn build(repo: &Repo, options: &Options) -> Result<()> {
    setup::ensure(repo, setup::Group::Build)?;
    let mut cargo = shell::cargo(repo.root());
    cargo.arg("build");
    if options.release {
        cargo.arg("--release");
    }
    shell::run(&mut cargo)
}

/// The release build that `run`, `test` and `bench` use: not this program, whose linking takes as
/// long as that of any other.
pub(crate) fn release(repo: &Repo) -> Result<()> {
    shell::run(shell::cargo(repo.root()).args(RELEASE))
}

/// The arguments of that build. Always the same packages at once: cargo unites the features of what
/// it is asked to build, and another choice could compile dependencies a second time.
pub(crate) const RELEASE: &[&str] = &["build", "--release", "-p", "edge", "-p", "bench"];
