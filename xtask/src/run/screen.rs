//! What the person sees: lines that stay, and below them one that is written over. Where standard
//! output is not a terminal, that one is a plain line as well.

use std::io::{IsTerminal, Write, stdout};

use crate::run::log_line::readable;

/// Back to the first column, and clear the line (ECMA-48 EL).
const CLEAR: &str = "\r\x1b[2K";

/// Standard output.
#[derive(Debug)]
pub(super) struct Screen {
    is_terminal: bool,
    has_status: bool,
}

impl Screen {
    /// Looks at what standard output is.
    pub(super) fn new() -> Self {
        Self {
            is_terminal: stdout().is_terminal(),
            has_status: false,
        }
    }

    /// Prints a line that stays.
    pub(super) fn line(&mut self, text: &str) {
        self.clear();
        println!("{text}");
    }

    /// Prints what a program said.
    pub(super) fn said(&mut self, who: &str, line: &str) {
        self.line(&format!("{who}: {}", readable(line)));
    }

    /// Prints the line that is written over by the next.
    pub(super) fn status(&mut self, text: &str) {
        if !self.is_terminal {
            return println!("{text}");
        }
        self.clear();
        print!("{text}");
        // Nobody reads what cannot be written.
        let _ = stdout().flush();
        self.has_status = true;
    }

    /// Removes the line that is written over.
    pub(super) fn clear(&mut self) {
        if std::mem::take(&mut self.has_status) {
            print!("{CLEAR}");
            let _ = stdout().flush();
        }
    }
}

impl Drop for Screen {
    fn drop(&mut self) {
        self.clear();
    }
}
