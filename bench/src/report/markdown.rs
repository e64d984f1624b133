//! The page of a run for docs/measurements.md.

use std::fmt::Write as _;

use super::Title;
use super::columns::table;
use super::machine::Run;
use super::record::Record;

const METHOD: &str = include_str!("method.md");

/// The whole page; with each workload what its results mean for the targets.
pub(crate) fn markdown(run: &Run, sections: &[(Title, Vec<Record>, Vec<String>)]) -> String {
    let mut page = format!("# Measurements\n\n{METHOD}\n## This run\n\n");
    let _ = writeln!(page, "- Date: {}", run.date);
    let _ = writeln!(page, "- Command: `{}`", run.command);
    let _ = writeln!(page, "- Machine: {}", run.machine);
    let _ = writeln!(page, "- Versions: {}", versions(sections));
    for (title, records, judged) in sections {
        let records: Vec<&Record> = records.iter().collect();
        let _ = write!(
            page,
            "\n## {}: {}\n\n{}\n\n{}",
            title.name,
            title.title,
            title.about,
            table(&records)
        );
        for (number, line) in judged.iter().enumerate() {
            let _ = writeln!(page, "{}- {line}", if number == 0 { "\n" } else { "" });
        }
    }
    page
}

/// Each once.
pub(super) fn versions(sections: &[(Title, Vec<Record>, Vec<String>)]) -> String {
    let mut versions: Vec<&str> = Vec::new();
    for record in sections.iter().flat_map(|(_, records, _)| records) {
        if !record.version.is_empty() && !versions.contains(&record.version.as_str()) {
            versions.push(&record.version);
        }
    }
    versions.join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_page_says_what_repeats_it() {
        let run = Run {
            date: "2026-11-22".into(),
            command: "cargo xtask bench https1".into(),
            machine: "2 CPUs".into(),
        };
        let title = Title {
            name: "https1",
            title: "calls",
            about: "Calls.",
        };
        let record = Record {
            proxy: "edge".into(),
            version: "edge 0.1.0".into(),
            cpu_us_per_request: Some(12.0),
            ..Record::default()
        };
        let records = vec![record.clone(), record];
        let page = markdown(&run, &[(title, records, vec!["met.".into()])]);
        for part in [
            "- Date: 2026-11-22\n- Command: `cargo xtask bench https1`\n- Machine: 2 CPUs\n\
             - Versions: edge 0.1.0\n\n## https1: calls\n\nCalls.\n\n| proxy |",
            "| edge  |          12.00 |\n\n- met.\n",
        ] {
            assert!(page.contains(part), "{page}");
        }
    }
}
