//! Why a value is not valid, in a form that fits behind a key or an option.

use std::fmt;

/// Characters of a value repeated in a message; the line itself is shown below it anyway.
const QUOTED_CHARS_MAX: usize = 60;

/// A value that cannot be used: what is wrong with it and what to write instead.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Invalid {
    problem: String,
    fix: Option<String>,
}

impl Invalid {
    /// A problem without an obvious fix.
    pub(in crate::config) fn new(problem: impl Into<String>) -> Self {
        Self {
            problem: problem.into(),
            fix: None,
        }
    }

    /// Adds what to write instead.
    pub(in crate::config) fn fix(mut self, fix: impl Into<String>) -> Self {
        self.fix = Some(fix.into());
        self
    }
}

impl fmt::Display for Invalid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.problem)?;
        match &self.fix {
            Some(fix) => write!(f, "; {fix}"),
            None => Ok(()),
        }
    }
}

impl std::error::Error for Invalid {}

/// A value as messages repeat it: quoted, escaped, not endless.
pub(in crate::config) fn quote(value: &str) -> String {
    match value.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((cut, _)) => format!("{:?}", format!("{}...", &value[..cut])),
        None => format!("{value:?}"),
    }
}
