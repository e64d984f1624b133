//! `edge check`.

use clap::Args;

use super::failure::Failure;
use super::file::ConfigFile;
use super::output;
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
    #[command(flatten)]
    file: ConfigFile,
}

impl Check {
    pub(super) fn run(self) -> Result<(), Failure> {
        let file = self.file.path();
        let (config, warnings) =
            load(file, &Disk).map_err(|errors| Failure::invalid(file, &errors))?;
        for warning in warnings {
            output::error(&warning.to_string());
        }
        output::result(&format!("{}: ok ({})", file.display(), config.summary()));
        Ok(())
    }
}
