//! The TOML file being written.

use std::fmt::Write as _;

/// One table: its header, keys and comments in the order they were added.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Section {
    header: String,
    lines: Vec<String>,
}

impl Section {
    /// A section with a header such as `[[host]]`; empty for the top of the file.
    pub(super) fn new(header: impl Into<String>) -> Section {
        Section {
            header: header.into(),
            lines: Vec::new(),
        }
    }

    /// Adds a key with a value that is TOML already.
    pub(super) fn raw(&mut self, key: &str, value: impl AsRef<str>) {
        self.lines.push(format!("{key} = {}", value.as_ref()));
    }

    /// Adds a key, or replaces its value.
    pub(super) fn set(&mut self, key: &str, value: &str) {
        let start = format!("{key} = ");
        self.lines.retain(|line| !line.starts_with(&start));
        self.raw(key, value);
    }

    /// Adds what another section says.
    pub(super) fn append(&mut self, other: Section) {
        self.lines.extend(other.lines);
    }

    /// Adds a key with a text.
    pub(super) fn text(&mut self, key: &str, value: &str) {
        self.raw(key, text(value));
    }

    /// Adds a key with a list of texts.
    pub(super) fn list<T: AsRef<str>>(&mut self, key: &str, values: &[T]) {
        let values: Vec<String> = values.iter().map(|value| text(value.as_ref())).collect();
        self.raw(key, format!("[{}]", values.join(", ")));
    }

    /// Whether it has a key.
    pub(super) fn has(&self, key: &str) -> bool {
        let start = format!("{key} = ");
        self.lines.iter().any(|line| line.starts_with(&start))
    }

    /// Adds a comment.
    pub(super) fn comment(&mut self, comment: impl AsRef<str>) {
        for line in comment.as_ref().lines() {
            // A control character would end the comment or break the file.
            let line: String = line.chars().filter(|c| !c.is_control()).collect();
            self.lines.push(format!("# {line}"));
        }
    }

    /// Makes comments of all keys but the first, which says what the table is for.
    pub(super) fn close(&mut self) {
        let lines = std::mem::take(&mut self.lines);
        let mut is_first = true;
        for line in lines {
            match line.starts_with('#') || std::mem::take(&mut is_first) {
                true => self.lines.push(line),
                false => self.comment(line),
            }
        }
    }

    /// Whether its keys are comments, and it lets nobody in.
    pub(super) fn is_closed(&self) -> bool {
        self.lines.iter().any(|line| line == "respond = 503")
    }

    /// Whether a key only goes with a `path`.
    pub(super) fn needs_path(&self) -> bool {
        let is_such = |line: &String| line.starts_with("strip_prefix") || line.contains("{rest}");
        self.lines.iter().any(is_such)
    }

    /// Puts another key in place of the one that says what the table is for.
    pub(super) fn replace_first(&mut self, key: &str, value: &str) {
        let first = self.lines.iter_mut().find(|line| !line.starts_with('#'));
        if let Some(line) = first {
            *line = format!("{key} = {}", text(value));
        }
    }

    /// Adds the comments of another section alone.
    pub(super) fn append_comments(&mut self, other: Section) {
        let comments = other.lines.into_iter().filter(|line| line.starts_with('#'));
        self.lines.extend(comments);
    }

    /// Whether it is a table and not only comments.
    pub(super) fn is_table(&self) -> bool {
        !self.header.is_empty()
    }

    /// Whether it says nothing.
    pub(super) fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    pub(super) fn write(&self, out: &mut String) {
        if !out.is_empty() {
            out.push('\n');
        }
        if !self.header.is_empty() {
            // Writing to a string cannot fail.
            let _ = writeln!(out, "{}", self.header);
        }
        for line in &self.lines {
            let _ = writeln!(out, "{line}");
        }
    }
}

/// A text as TOML writes it.
pub(super) fn text(value: &str) -> String {
    toml::Value::String(value.to_owned()).to_string()
}

/// A key as TOML writes it.
pub(super) fn key(name: &str) -> String {
    let is_bare = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-');
    match !name.is_empty() && name.chars().all(is_bare) {
        true => name.to_owned(),
        false => text(name),
    }
}
