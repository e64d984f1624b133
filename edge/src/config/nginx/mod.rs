//! nginx configurations converted to ours: what has a counterpart is carried over, what does not is
//! named in a comment with the reason, and nothing is dropped in silence unless it is always so here.
//!
//! The result is a text for a person to read and for `edge check` to verify, not a configuration in
//! force.

mod access;
mod auth;
mod constants;
mod content;
mod document;
mod expression;
mod fields;
mod guards;
mod known;
mod limits;
mod listen;
mod location;
mod moves;
mod notes;
mod pages;
mod rewrite;
mod scope;
mod secure;
mod server;
mod token;
mod tree;
mod upstream;
mod values;
mod variables;
mod whole;
mod within;

#[cfg(test)]
mod applications;
#[cfg(test)]
mod guides;
#[cfg(test)]
mod published;
#[cfg(test)]
mod tests;

use std::path::{Path, PathBuf};

/// A converted configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Imported {
    /// The TOML text, comments included.
    pub toml: String,
    /// Directives that could not be carried over.
    pub left_out: usize,
    /// Routes that let nobody in, for what kept clients out could not be carried over.
    pub closed: usize,
}

/// What is wrong with a file that nginx would refuse as well.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Error {
    file: PathBuf,
    /// 0 for the file as a whole.
    line: u32,
    problem: String,
}

impl Error {
    fn at(line: u32, problem: &str) -> Error {
        Error {
            file: PathBuf::new(),
            line,
            problem: problem.to_owned(),
        }
    }

    /// Names the file, unless an included one is named already.
    fn in_file(mut self, file: &Path) -> Error {
        if self.file.as_os_str().is_empty() {
            self.file = file.to_owned();
        }
        self
    }
}

impl std::fmt::Display for Error {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.line {
            0 => write!(f, "{}: {}", self.file.display(), self.problem),
            line => write!(f, "{}:{line}: {}", self.file.display(), self.problem),
        }
    }
}

impl std::error::Error for Error {}

/// Converts files, each a whole `nginx.conf` or a part of one such as those in `sites-available`.
pub fn import(files: &[PathBuf]) -> Result<Imported, Error> {
    let mut trees = Vec::new();
    let mut missing = Vec::new();
    for file in files {
        let (tree, absent) = tree::read(file)?;
        trees.extend(tree);
        missing.extend(absent);
    }
    Ok(whole::convert(files, &trees, &missing))
}
