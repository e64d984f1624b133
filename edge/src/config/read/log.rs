//! `[log]`: the access log.

use crate::config::suggest::nearest;
use crate::config::table::Table;
use crate::config::value::{Invalid, join, quote};
use crate::config::{Log, LogField, LogFields, LogFormat, LogTarget};

/// Whether it is JSON.
const FORMATS: [(&str, bool); 2] = [("json", true), ("combined", false)];

pub(super) fn read(table: &Table<'_>) -> Log {
    let base = table.report().source().directory();
    let access = table.item("access").and_then(|item| {
        item.parse("\"stdout\", \"off\" or a path", |text| match text {
            "off" => Ok(LogTarget::Off),
            "stdout" => Ok(LogTarget::Stdout),
            // A mistyped word must not become a file.
            word if !word.contains('/') => Err(not_a_target(word)),
            path => join(base, path).map(LogTarget::File),
        })
    });
    let json = table.item("format").and_then(|item| item.choice(&FORMATS));
    let format = match json {
        Some(false) => {
            if let Some(item) = table.item("fields") {
                item.error("the combined format has fixed fields; write `format = \"json\"`");
            }
            LogFormat::Combined
        }
        _ => LogFormat::Json(fields(table).unwrap_or(LogFields::ALL)),
    };
    Log {
        access: access.unwrap_or(LogTarget::Stdout),
        format,
        sample: table.integer("sample", 1, 1..=1_000_000) as u32,
    }
}

fn fields(table: &Table<'_>) -> Option<LogFields> {
    let list = table.item("fields")?;
    let items = list.list("a list of fields such as [\"time\", \"status\"]")?;
    if items.is_empty() {
        list.error("is empty; name at least one field, or write `access = \"off\"`");
    }
    // Every item is read, so that every wrong one is reported.
    let chosen: Vec<Option<LogField>> = items
        .iter()
        .map(|item| item.choice(LogField::ALL))
        .collect();
    chosen.into_iter().collect()
}

fn not_a_target(word: &str) -> Invalid {
    let invalid = Invalid::new(format!(
        "{} is neither \"stdout\" nor \"off\" nor a path",
        quote(word)
    ));
    match nearest(word, ["stdout", "off"]) {
        Some(near) => invalid.fix(format!("did you mean {near:?}?")),
        None => invalid.fix(format!(
            "for a file of that name write {}",
            quote(&format!("./{word}"))
        )),
    }
}
