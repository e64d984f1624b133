//! `edge check`.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::output;
use crate::config::DEFAULT_PATH;
use crate::files::Disk;
use crate::server::load;

/// Report every error in a configuration at once, certificates included
///
/// Nothing is started or changed. Errors and warnings go to standard error with file, line and
/// column; the exit code is 2 if there is any error.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edge check
  edge check edge.toml && systemctl restart edge")]
pub(super) struct Check {
    /// The configuration
    #[arg(value_name = "FILE", default_value = DEFAULT_PATH)]
    file: PathBuf,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let (config, warnings) =
            load(&self.file, &Disk).map_err(|errors| Failure::invalid(&self.file, &errors))?;
        for warning in warnings {
            output::error(&warning.to_string());
        }
        output::result(&format!(
            "{}: ok ({})",
            self.file.display(),
            config.summary()
        ));
        Ok(())
    }
}
