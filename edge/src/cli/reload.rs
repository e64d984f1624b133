//! `edge reload`.

use clap::Args;

use super::failure::Failure;
use super::output;
use super::socket::Socket;
use crate::observe::admin::{Reloaded, Request};

/// Read the configuration and the certificates anew, without closing a connection
///
/// The file that edge was started with is read and checked as a whole, and then put in force as a
/// whole; if anything in it is wrong, everything stays as it is. Requests and streams under way
/// go on under the configuration they began with. The exit code is 2 if the configuration is
/// wrong. SIGHUP does the same without waiting for the outcome.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  edge reload
  edge check /etc/edge/edge.toml && edge reload")]
pub(super) struct Reload {
    #[command(flatten)]
    socket: Socket,
}

impl Reload {
    pub(super) fn run(self) -> Result<(), Failure> {
        let Reloaded { errors, warnings } = self.socket.call(&Request::Reload)?;
        for warning in &warnings {
            output::error(warning);
        }
        if !errors.is_empty() {
            let errors = errors.join("\n");
            return Err(Failure::Configuration(format!(
                "{errors}\nnot reloaded: everything stays as it was"
            )));
        }
        output::result("reloaded");
        Ok(())
    }
}
