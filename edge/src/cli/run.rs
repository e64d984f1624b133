//! `edge run`.

use std::path::PathBuf;

use clap::Args;

use super::failure::Failure;
use super::logging;
use crate::config::DEFAULT_PATH;
use crate::files::Disk;
use crate::server::{self, with_causes};

/// Serve until SIGTERM or SIGINT
///
/// Started as root, edge binds its ports, attaches the kernel program, and then becomes the account
/// of the configuration. It drains on SIGTERM: new connections are refused, running streams may end
/// until `timeouts.drain` is over. On SIGHUP, or `edge reload`, it reads the configuration and the
/// certificates anew, without closing a connection.
///
/// The log goes to standard error, as JSON unless that is a terminal; EDGE_LOG or RUST_LOG filter
/// it ("debug", "info,edge::kernel=debug").
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edge run
  edge run --config edge.toml
  EDGE_LOG=debug edge run --config edge.toml")]
pub(super) struct Run {
    /// The configuration
    #[arg(long, value_name = "FILE", default_value = DEFAULT_PATH)]
    config: PathBuf,
}

impl Run {
    pub(super) fn run(self) -> Result<(), Failure> {
        logging::start()?;
        let (config, warnings) = server::load(&self.config, &Disk)
            .map_err(|errors| Failure::invalid(&self.config, &errors))?;
        server::log_warnings(&warnings);
        server::run(config, self.config).map_err(|error| match error.is_configuration() {
            true => Failure::Configuration(format!("edge: {}", with_causes(&error))),
            false => Failure::Environment(error.into()),
        })
    }
}
