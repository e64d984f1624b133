//! Printing that survives a reader who has gone: `edge bans | head` is no error.

use std::io::{self, Write};

/// A line, or several, on standard output.
pub(super) fn result(text: &str) {
    // A closed pipe means that nobody wants the rest.
    let _ = writeln!(io::stdout().lock(), "{text}");
}

/// So many bans, in words.
pub(super) fn bans(count: usize) -> String {
    match count {
        1 => "1 ban".to_owned(),
        count => format!("{count} bans"),
    }
}

/// A line, or several, on standard error.
pub(super) fn error(text: &str) {
    let _ = writeln!(io::stderr().lock(), "{text}");
}
