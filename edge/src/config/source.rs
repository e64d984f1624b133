//! The text of a configuration file, and where in it a byte stands.
//!
//! Reading is bounded and refuses what is certainly not a configuration (a directory, another
//! encoding, a megabyte of something else), because each of those would otherwise show up as a
//! puzzling syntax error.

use std::ops::Range;
use std::path::{Path, PathBuf};

use super::report::{Diagnostic, Place};
use crate::files::Files;

/// Above a file that a program writes for tens of thousands of hosts; a log or an image named by mistake
/// is mostly larger.
const FILE_BYTES_MAX: u64 = 8 * 1024 * 1024;

/// Characters of a source line shown under an error; longer lines are cut around the mark.
const SHOWN_CHARS_MAX: usize = 120;

/// A configuration file in memory.
#[derive(Clone, Debug)]
pub(super) struct Source {
    path: PathBuf,
    text: String,
    /// Where the ends of lines stand: every host and route asks for its line.
    line_ends: Vec<usize>,
}

impl Source {
    /// Takes text that is already in memory; `path` is what messages call it.
    pub(super) fn new(text: &str, path: &Path) -> Self {
        // Editors on other systems put a byte order mark in front; it is not part of the text.
        let text = text.strip_prefix('\u{feff}').unwrap_or(text);
        let ends = text.match_indices('\n').map(|(offset, _)| offset);
        Self {
            path: path.to_owned(),
            text: text.to_owned(),
            line_ends: ends.collect(),
        }
    }

    /// Reads a file.
    pub(super) fn read(path: &Path, files: &dyn Files) -> Result<Self, Diagnostic> {
        let whole = |message: String| Diagnostic::of_file(path, message);
        let bytes = files
            .read(path, FILE_BYTES_MAX + 1)
            .map_err(|error| match error.kind() {
                std::io::ErrorKind::IsADirectory => {
                    whole("is a directory; name the file in it".to_owned())
                }
                _ => whole(format!("cannot be read: {error}")),
            })?;
        if bytes.len() as u64 > FILE_BYTES_MAX {
            return Err(whole(
                "is larger than 8MiB, so it is not a configuration".to_owned(),
            ));
        }
        if bytes.starts_with(&[0xff, 0xfe]) || bytes.starts_with(&[0xfe, 0xff]) {
            return Err(whole("is UTF-16; save it as UTF-8".to_owned()));
        }
        let text = String::from_utf8(bytes).map_err(|error| {
            let good = error.utf8_error().valid_up_to();
            let bytes = error.as_bytes();
            let line = 1 + bytes[..good].iter().filter(|byte| **byte == b'\n').count();
            whole(format!(
                "line {line} holds the byte {:#04x}, which is not UTF-8; save the file as UTF-8",
                bytes[good]
            ))
        })?;
        Ok(Self::new(&text, path))
    }

    /// The whole text.
    pub(super) fn text(&self) -> &str {
        &self.text
    }

    /// What messages call the file.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// The directory relative paths start at.
    pub(super) fn directory(&self) -> &Path {
        self.path.parent().unwrap_or(Path::new(""))
    }

    /// The number of the line, from 1, that holds a byte.
    pub(super) fn line(&self, offset: usize) -> usize {
        1 + self.line_ends.partition_point(|end| *end < offset)
    }

    /// Line, column, and the marked piece of the line at `span`.
    pub(super) fn place(&self, span: Range<usize>) -> Place {
        let before = self.before(span.start);
        let line_start = before.rfind('\n').map_or(0, |newline| newline + 1);
        let line = self.text[line_start..].lines().next().unwrap_or("");
        let column = before[line_start..].chars().count();
        let marked = self
            .before(span.end)
            .get(before.len()..)
            .and_then(|marked| marked.lines().next())
            .map_or(0, |marked| marked.chars().count())
            .max(1);
        let skip = match line.chars().count() > SHOWN_CHARS_MAX {
            true => column.saturating_sub(SHOWN_CHARS_MAX / 3),
            false => 0,
        };
        let shown = line
            .chars()
            .skip(skip)
            .take(SHOWN_CHARS_MAX)
            // A file is shown on terminals: nothing in it may move the cursor or shift the mark.
            .map(|shown| match shown {
                '\t' => ' ',
                control if control.is_control() => char::REPLACEMENT_CHARACTER,
                other => other,
            });
        Place {
            line: self.line(span.start),
            column: column + 1,
            shown: shown.collect(),
            mark_start: column - skip,
            mark_chars: marked.min(SHOWN_CHARS_MAX - (column - skip).min(SHOWN_CHARS_MAX - 1)),
        }
    }

    /// The text before `offset`, moved back to a character boundary.
    fn before(&self, offset: usize) -> &str {
        &self.text[..self.text.floor_char_boundary(offset)]
    }
}
