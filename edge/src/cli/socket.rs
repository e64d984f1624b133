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

#[cfg(test)]
mod tests {
    use super::{Failure, Socket};
    use crate::observe::admin::{Ban, Request};
    use std::path::{Path, PathBuf};

    fn from_config(text: &str) -> Result<PathBuf, Failure> {
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("edge.toml");
        std::fs::write(&file, text).unwrap();
        let options = Socket {
            socket: None,
            config: Some(file),
        };
        options.path()
    }

    #[test]
    fn the_socket_is_named_or_taken_from_the_configuration_or_the_usual_one() {
        let usual = Socket {
            socket: None,
            config: None,
        };
        assert_eq!(usual.path().unwrap(), Path::new("/run/edge/admin.sock"));
        let named = Socket {
            socket: Some("x.sock".into()),
            config: None,
        };
        assert_eq!(named.path().unwrap(), Path::new("x.sock"));
        let host = "[[host]]\nnames = [\"*\"]\n[[host.route]]\nupstream = \"127.0.0.1:1\"\n";
        let taken = from_config(&format!("{host}[admin]\nsocket = \"/tmp/y.sock\"\n"));
        assert_eq!(taken.unwrap(), Path::new("/tmp/y.sock"));
        let wrong = from_config("workres = 1");
        assert!(matches!(wrong, Err(Failure::Configuration(text)) if text.contains("workers")));
    }

    #[test]
    fn nobody_there_is_said_with_the_way_out() {
        let directory = tempfile::tempdir().unwrap();
        let options = Socket {
            socket: Some(directory.path().join("admin.sock")),
            config: None,
        };
        let failure = options.call::<Vec<Ban>>(&Request::Bans).unwrap_err();
        let Failure::Environment(error) = failure else {
            panic!("{failure:?}")
        };
        let path = directory.path().display().to_string();
        insta::assert_snapshot!(error.to_string().replace(&path, "DIR"), @"no edge is running: nobody answers on DIR/admin.sock; start it, or name its socket with --socket PATH or --config FILE");
    }
}
