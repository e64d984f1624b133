//! Syntax errors, said for people who do not write TOML every day.

use std::ops::Range;

use toml::Spanned;
use toml::de::DeTable;

use crate::config::report::Report;

/// With more, the file is in another format, or everything after the first is an echo of it.
const SHOWN_MAX: usize = 5;

/// Parses the text, or records what is wrong with it.
pub(super) fn parse<'a>(report: &Report<'a>) -> Option<Spanned<DeTable<'a>>> {
    let text = report.source().text();
    let (table, mut errors) = DeTable::parse_recoverable(text);
    if errors.is_empty() {
        return Some(table);
    }
    errors.sort_by_key(|error| error.span().map_or(0, |span| span.start));
    let mut line = 0;
    let mut shown = 0;
    for error in errors {
        let span = error.span().unwrap_or(0..0);
        // The parser goes on after an error; what it then finds on the same line is an echo.
        if report.line(span.start) == line {
            continue;
        }
        line = report.line(span.start);
        // An empty span stands between two bytes, and 0..0 would mean the whole file.
        let marked = span.start..span.end.max(span.start + 1);
        report.error(marked, explain(text, error.message(), span));
        shown += 1;
        // After these, everything is read as the inside of a list that should have ended.
        let open = ["missing comma", "unclosed"]
            .iter()
            .any(|open| error.message().contains(open));
        if open || shown == SHOWN_MAX {
            break;
        }
    }
    None
}

fn explain(text: &str, message: &str, span: Range<usize>) -> String {
    let piece = text.get(span).unwrap_or("");
    if message.starts_with("string values must be quoted") {
        return match piece {
            "" => "there is no value after `=`".to_owned(),
            piece => format!("text needs quotes: write {piece:?}"),
        };
    }
    if message == "duplicate key" {
        return format!("`{}` is there twice", piece.escape_debug());
    }
    format!("this is not TOML: {message}")
}
