//! Why a command failed, and the exit code that says whose turn it is.

use std::process::ExitCode;

use super::output;

/// A command that was not done.
#[derive(Debug)]
pub(super) enum Failure {
    /// The configuration or the command line is wrong; the text is whole.
    Configuration(String),
    /// The machine did not let it be done.
    Environment(anyhow::Error),
}

impl Failure {
    /// Prints it and hands out its exit code.
    pub(super) fn report(&self) -> ExitCode {
        match self {
            Failure::Configuration(text) => {
                output::error(text);
                ExitCode::from(2)
            }
            Failure::Environment(error) => {
                // `#` adds the causes, which name what the operating system said.
                output::error(&format!("edge: {error:#}"));
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
