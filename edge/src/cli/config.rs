//! `edge config`.

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::file::ConfigFile;
use super::output;
use crate::config::{Loaded, json_schema};

/// Show a configuration as it is understood, or what one may hold
#[derive(Debug, Args)]
pub(super) struct Config {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Show(Show),
    /// Print the JSON Schema (draft 2020-12) of the file, for editors and other tools
    Schema,
}

/// Print a configuration with every default
///
/// The result is TOML that means the same: each value with the line it stands on or the word
/// `default`; what depends on something else is a comment. Secrets and fields that carry credentials
/// are not shown. Errors go to standard error, and the exit code is 2 if there is any.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edge config show
  edge config show edge.toml | diff - <(edge config show edge.toml.new)")]
struct Show {
    #[command(flatten)]
    file: ConfigFile,
}

impl Config {
    pub(super) fn run(self) -> Result<(), Failure> {
        match self.what {
            What::Show(Show { file }) => {
                let file = file.path();
                let loaded =
                    Loaded::load(file).map_err(|errors| Failure::invalid(file, &errors))?;
                output::result(loaded.show().trim_end());
            }
            What::Schema => {
                let text = serde_json::to_string_pretty(&json_schema());
                output::result(&text.expect("keys are text"));
            }
        }
        Ok(())
    }
}
