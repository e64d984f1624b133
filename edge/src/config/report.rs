//! What is wrong with a configuration: every error at once, each with its place in the file.
//!
//! A [`Report`] collects while the file is walked, so that one run of `edge check` is enough; a
//! [`Diagnostic`] is one finding, already detached from the file's text.

use std::cell::RefCell;
use std::fmt;
use std::io;
use std::ops::Range;
use std::path::{Path, PathBuf};

use super::source::Source;
use crate::files::Files;

/// More than anyone reads; a file this wrong is another kind of file.
const SHOWN_ERRORS_MAX: usize = 50;

/// One error or warning. Its `Display` is what an operator reads: place, message, line, mark.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Diagnostic {
    path: PathBuf,
    place: Option<Place>,
    severity: Severity,
    message: String,
}

/// Whether the configuration can be used nevertheless.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Severity {
    /// It cannot.
    Error,
    /// It can.
    Warning,
}

/// A position in the file and the line around it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// From 1.
    pub(super) line: usize,
    /// From 1, in characters.
    pub(super) column: usize,
    /// The line, or a window of it.
    pub(super) shown: String,
    /// Characters of `shown` before the mark.
    pub(super) mark_start: usize,
    /// Characters marked.
    pub(super) mark_chars: usize,
}

impl Diagnostic {
    /// A finding at `span`; `0..0` stands for the file as a whole.
    pub(super) fn new(
        source: &Source,
        span: Range<usize>,
        severity: Severity,
        message: String,
    ) -> Self {
        Self {
            path: source.path().to_owned(),
            place: (span != (0..0)).then(|| source.place(span)),
            severity,
            message,
        }
    }

    /// An error about a file that could not be read.
    pub(super) fn of_file(path: &Path, message: String) -> Self {
        Self {
            path: path.to_owned(),
            place: None,
            severity: Severity::Error,
            message,
        }
    }

    /// What is wrong, without its place.
    pub fn message(&self) -> &str {
        &self.message
    }

    /// The line of the file, from 1; `None` when the whole file is meant.
    pub fn line(&self) -> Option<usize> {
        self.place.as_ref().map(|place| place.line)
    }
}

impl fmt::Display for Diagnostic {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.display();
        let message = match self.severity {
            Severity::Error => self.message.clone(),
            Severity::Warning => format!("warning: {}", self.message),
        };
        let Some(place) = &self.place else {
            return write!(f, "{path}: {message}");
        };
        let Place { line, column, .. } = place;
        writeln!(f, "{path}:{line}:{column}: {message}")?;
        writeln!(f, "{line:>4} | {}", place.shown)?;
        let mark = "^".repeat(place.mark_chars);
        write!(f, "     | {:indent$}{mark}", "", indent = place.mark_start)
    }
}

/// Everything that is wrong with a configuration, in the order of the file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConfigErrors {
    errors: Vec<Diagnostic>,
}

impl ConfigErrors {
    /// Fine if there are none.
    pub(crate) fn none_of(errors: Vec<Diagnostic>) -> Result<(), ConfigErrors> {
        match errors.is_empty() {
            true => Ok(()),
            false => Err(ConfigErrors { errors }),
        }
    }

    /// The errors, at least one.
    pub fn iter(&self) -> impl ExactSizeIterator<Item = &Diagnostic> {
        self.errors.iter()
    }
}

impl From<Diagnostic> for ConfigErrors {
    fn from(error: Diagnostic) -> Self {
        Self {
            errors: vec![error],
        }
    }
}

impl fmt::Display for ConfigErrors {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, error) in self.errors.iter().take(SHOWN_ERRORS_MAX).enumerate() {
            let separator = if index == 0 { "" } else { "\n" };
            write!(f, "{separator}{error}")?;
        }
        match self.errors.len().saturating_sub(SHOWN_ERRORS_MAX) {
            0 => Ok(()),
            more => write!(f, "\n... and {more} more"),
        }
    }
}

impl std::error::Error for ConfigErrors {}

/// Collects findings about one file.
#[derive(Debug)]
pub(super) struct Report<'a> {
    source: &'a Source,
    files: &'a dyn Files,
    included: RefCell<Vec<PathBuf>>,
    errors: RefCell<Vec<(usize, Diagnostic)>>,
    warnings: RefCell<Vec<(usize, Diagnostic)>>,
}

impl<'a> Report<'a> {
    /// `files` holds what the file includes.
    pub(super) fn new(source: &'a Source, files: &'a dyn Files) -> Self {
        Self {
            source,
            files,
            included: RefCell::default(),
            errors: RefCell::default(),
            warnings: RefCell::default(),
        }
    }

    /// Records an error at `span`.
    pub(super) fn error(&self, span: Range<usize>, message: impl Into<String>) {
        let entry = self.entry(span, Severity::Error, message.into());
        self.errors.borrow_mut().push(entry);
    }

    /// Records something that works but is hardly meant.
    pub(super) fn warning(&self, span: Range<usize>, message: impl Into<String>) {
        let entry = self.entry(span, Severity::Warning, message.into());
        self.warnings.borrow_mut().push(entry);
    }

    fn entry(
        &self,
        span: Range<usize>,
        severity: Severity,
        message: String,
    ) -> (usize, Diagnostic) {
        let start = span.start;
        (start, Diagnostic::new(self.source, span, severity, message))
    }

    /// The line that holds a byte, for messages that point at a second place.
    pub(super) fn line(&self, offset: usize) -> usize {
        self.source.line(offset)
    }

    /// Reads a file that is part of the configuration; at most one byte more than is acceptable.
    pub(super) fn read(&self, path: &Path, bytes_max: u64) -> io::Result<Vec<u8>> {
        self.included.borrow_mut().push(path.to_owned());
        self.files.read(path, bytes_max + 1)
    }

    /// The files that have been read as parts of it.
    pub(super) fn included(&self) -> Vec<PathBuf> {
        self.included.borrow().clone()
    }

    /// The file being read.
    pub(super) fn source(&self) -> &'a Source {
        self.source
    }

    /// The warnings when there is no error, the errors otherwise.
    pub(super) fn finish(self) -> Result<Vec<Diagnostic>, ConfigErrors> {
        let in_order = |mut list: Vec<(usize, Diagnostic)>| -> Vec<Diagnostic> {
            list.sort_by_key(|(offset, _)| *offset);
            list.into_iter().map(|(_, finding)| finding).collect()
        };
        let errors = in_order(self.errors.into_inner());
        match errors.is_empty() {
            true => Ok(in_order(self.warnings.into_inner())),
            false => Err(ConfigErrors { errors }),
        }
    }
}
