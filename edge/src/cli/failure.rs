//! Why a command failed, and the exit code that says whose turn it is.

use std::path::Path;
use std::process::ExitCode;

use super::output;
use crate::config::ConfigErrors;
use crate::server::with_causes;

/// A command that was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The configuration or the command line is wrong; the text is whole.
    Configuration(String),
    /// The machine did not let it be done.
    Environment(anyhow::Error),
}

impl Failure {
    /// A file that is not a configuration, with every reason why.
    pub(super) fn invalid(path: &Path, errors: &ConfigErrors) -> Failure {
        Failure::Configuration(match errors.iter().len() {
            1 => errors.to_string(),
            count => format!("{errors}\n{}: {count} errors", path.display()),
        })
    }

    /// Prints it and hands out its exit code.
    pub(super) fn report(&self) -> ExitCode {
        match self {
            Failure::Configuration(text) => {
                output::error(text);
                ExitCode::from(2)
            }
            Failure::Environment(error) => {
                output::error(&format!("edge: {}", with_causes(error.as_ref())));
                ExitCode::from(1)
            }
        }
    }
}

impl From<anyhow::Error> for Failure {
    fn from(error: anyhow::Error) -> Self {
        Failure::Environment(error)
    }
}
