//! `edge keeper`.

use std::path::PathBuf;

use anyhow::Context;
use clap::Args;

use super::failure::Failure;
use crate::server::keeper;

/// Keep the rights that a reload needs (started by `edge run`, of no use by itself)
#[derive(Debug, Args)]
pub(super) struct Keeper {
    /// The configuration
    #[arg(long, value_name = "FILE")]
    config: PathBuf,
}

impl Keeper {
    pub(super) fn run(self) -> Result<(), Failure> {
        keeper::serve(&self.config).context("the keeper cannot go on")?;
        Ok(())
    }
}
