//! `edge import`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::failure::Failure;
use super::output;
use crate::config::nginx;

/// Convert the configuration of another server
#[derive(Debug, Args)]
pub(super) struct Import {
    #[command(subcommand)]
    from: From,
}

#[derive(Debug, Subcommand)]
enum From {
    Nginx(Nginx),
}

/// Convert an nginx configuration to TOML on standard output
///
/// Give it a whole nginx.conf, or parts of one such as files of sites-available and conf.d; `include`
/// is followed. What has no counterpart becomes a comment with its file, line and the reason; what
/// edge does anyway is left out. Nothing is changed on disk.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edge import nginx /etc/nginx/nginx.conf > edge.toml
  edge import nginx /etc/nginx/sites-enabled/mcp > edge.toml && edge check edge.toml

Exit codes: 0 converted, 2 the file is not one that nginx could read. How many directives were left
out is said on standard error.")]
struct Nginx {
    /// nginx configuration files
    #[arg(value_name = "FILE", required = true)]
    files: Vec<PathBuf>,
}

impl Import {
    pub(super) fn run(self) -> Result<(), Failure> {
        let From::Nginx(Nginx { files }) = self.from;
        let imported =
            nginx::import(&files).map_err(|error| Failure::Configuration(error.to_string()))?;
        output::result(imported.toml.trim_end());
        let summary = match imported.left_out {
            0 => "everything was carried over; verify it with `edge check`".to_owned(),
            1 => "1 directive was not carried over: look for the comment".to_owned(),
            n => format!("{n} directives were not carried over: look for the comments"),
        };
        output::error(&summary);
        let closed = match imported.closed {
            0 => return Ok(()),
            1 => {
                "1 route lets nobody in, for what kept clients out was not carried over".to_owned()
            }
            n => {
                format!("{n} routes let nobody in, for what kept clients out was not carried over")
            }
        };
        output::error(&format!("{closed}: look for `respond = 503`"));
        Ok(())
    }
}
