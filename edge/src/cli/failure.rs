//! Why a command failed, and the exit code that says whose turn it is.

use std::error::Error;
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

/// An error with its causes, which name what the operating system said; a cause that the error
/// already repeats is left out.
pub(super) fn with_causes(error: &(dyn Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let said = error.to_string();
        if !text.contains(&said) {
            text = format!("{text}: {said}");
        }
        cause = error.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::with_causes;
    use std::io;

    #[derive(Debug, thiserror::Error)]
    enum Outer {
        #[error("cannot listen")]
        Silent(#[source] io::Error),
        #[error("cannot listen: {0}")]
        Telling(#[source] io::Error),
    }

    #[test]
    fn each_cause_is_said_once() {
        let cause = || io::Error::other("in use");
        assert_eq!(
            with_causes(&Outer::Silent(cause())),
            "cannot listen: in use"
        );
        assert_eq!(
            with_causes(&Outer::Telling(cause())),
            "cannot listen: in use"
        );
    }
}
