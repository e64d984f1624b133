//! `cargo xtask build`: everything, with the kernel programs inside.

use std::process::Command;

use anyhow::Result;

use crate::repo::Repo;
use crate::{profile, setup, shell};

/// Build everything, the kernel programs included.
///
/// Sets the machine up first if something is missing. The programs are left in target/debug, or in
/// target/release with --release: edge and the programs of its measurements, compiled with the counts of
/// edge/profile.
#[derive(Debug, clap::Args)]
pub(crate) struct Options {
    /// Build with optimizations, as it is meant to be run
    #[arg(long)]
    release: bool,
}

/// Runs the task.
pub(crate) fn build(repo: &Repo, options: &Options) -> Result<()> {
    setup::ensure(repo, setup::Group::Build)?;
    match options.release {
        true => release(repo),
        false => shell::run(shell::cargo(repo.root()).arg("build")),
    }
}

/// The release build that `run`, `test` and `bench` use: not this program, whose linking takes as
/// long as that of any other.
pub(crate) fn release(repo: &Repo) -> Result<()> {
    shell::run(&mut release_command(repo)?)
}

/// The same, not run yet: compiled with the counts of `edge/profile`.
pub(crate) fn release_command(repo: &Repo) -> Result<Command> {
    let mut cargo = shell::cargo(repo.root());
    cargo.args(RELEASE).args(profile::arguments(repo)?);
    Ok(cargo)
}

/// The arguments of that build. Always the same packages at once: cargo unites the features of what
/// it is asked to build, and another choice could compile dependencies a second time, and gives
/// functions names under which no counts are found.
pub(crate) const RELEASE: &[&str] = &["build", "--release", "-p", "edge", "-p", "bench"];
