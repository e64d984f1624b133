//! The configuration that a command reads and does not serve.

use std::path::{Path, PathBuf};

use clap::Args;

use crate::config::DEFAULT_PATH;

/// `FILE`, or as `edge run` has it.
#[derive(Debug, Args)]
pub(super) struct ConfigFile {
    /// The configuration
    #[arg(value_name = "FILE", default_value = DEFAULT_PATH)]
    file: PathBuf,
    /// The same, written as for `edge run`
    #[arg(long = "config", value_name = "FILE", conflicts_with = "file")]
    option: Option<PathBuf>,
}

impl ConfigFile {
    /// The one that was named, or the usual one.
    pub(super) fn path(&self) -> &Path {
        self.option.as_ref().unwrap_or(&self.file)
    }
}
