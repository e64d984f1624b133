//! Talking to the edge that runs: which socket, and what its refusals mean.

use std::path::PathBuf;

use clap::Args;
use serde::de::DeserializeOwned;

use super::failure::Failure;
use crate::config::{Config, DEFAULT_ADMIN_SOCKET};
use crate::observe::admin::{CallError, Request, call};

/// Options of every command that talks to a running edge.
#[derive(Debug, Args)]
pub(super) struct Socket {
    /// Admin socket of the running edge [default: /run/edge/admin.sock]
    #[arg(long, value_name = "PATH", conflicts_with = "config")]
    socket: Option<PathBuf>,
    /// Configuration of the running edge, to take the socket from
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
}

impl Socket {
    /// Asks the running edge.
    pub(super) fn call<T: DeserializeOwned>(&self, request: &Request) -> Result<T, Failure> {
        let path = self.path()?;
        call(&path, request).map_err(|error| {
            Failure::Environment(match error {
                CallError::NotRunning { .. } => anyhow::anyhow!(
                    "{error}; start it, or name its socket with --socket PATH or --config FILE"
                ),
                error => error.into(),
            })
        })
    }

    fn path(&self) -> Result<PathBuf, Failure> {
        if let Some(socket) = &self.socket {
            return Ok(socket.clone());
        }
        match &self.config {
            Some(file) => Config::load(file)
                .map(|config| config.admin)
                .map_err(|errors| Failure::Configuration(errors.to_string())),
            None => Ok(PathBuf::from(DEFAULT_ADMIN_SOCKET)),
        }
    }
}
