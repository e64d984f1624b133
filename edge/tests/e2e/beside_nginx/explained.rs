//! Every difference there is, and why: the tables of `tests/nginx/differences.md`.

use std::path::Path;

use super::front::Kind;

/// One difference. `*` at the end of a text stands for anything that follows.
pub(super) struct Row {
    /// As it stands in the file.
    pub(super) line: String,
    /// Names of requests.
    cases: Vec<String>,
    /// What is different.
    fact: String,
    nginx: String,
    edge: String,
    /// For one of the two configurations alone.
    only: Option<Kind>,
}

impl Row {
    pub(super) fn fits(&self, case: &str, fact: &str, nginx: &str, edge: &str) -> bool {
        self.cases.iter().any(|known| is_like(known, case))
            && is_like(&self.fact, fact)
            && is_like(&self.nginx, nginx)
            && is_like(&self.edge, edge)
    }

    /// Whether it is about a program.
    pub(super) fn is_about(&self, kind: Kind) -> bool {
        self.only.is_none_or(|only| only == kind)
    }

    fn parse(line: &str) -> Row {
        // A bar inside a cell is escaped.
        let marked = line.replace("\\|", "\u{1}");
        let cells: Vec<String> = marked
            .trim_matches('|')
            .split('|')
            .map(|cell| cell.trim().replace('\u{1}', "|").replace("\\n", "\n"))
            .collect();
        let [cases, fact, nginx, edge, why] = &cells[..] else {
            panic!("not five cells: {line}");
        };
        assert!(!why.is_empty(), "not explained: {line}");
        let (cases, only) = match cases.split_once(" [") {
            Some((cases, "Written]")) => (cases, Some(Kind::Written)),
            Some((cases, "Imported]")) => (cases, Some(Kind::Imported)),
            Some(_) => panic!("neither Written nor Imported: {line}"),
            None => (&**cases, None),
        };
        Row {
            line: line.to_owned(),
            cases: cases.split("; ").map(str::to_owned).collect(),
            fact: fact.clone(),
            nginx: nginx.clone(),
            edge: edge.clone(),
            only,
        }
    }
}

/// The rows for every configuration and those of one.
pub(super) fn table(name: &str) -> Vec<Row> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/nginx/differences.md");
    let text = std::fs::read_to_string(&path).expect("the file is beside the tests");
    let mut rows = Vec::new();
    for section in text.split("\n## ").skip(1) {
        let title = section.lines().next().unwrap_or_default();
        if title == "Always" || title == name {
            let lines = section.lines().filter(|line| line.starts_with('|'));
            rows.extend(lines.skip(2).map(Row::parse));
        }
    }
    assert!(rows.len() > 20, "the table of {name} is there");
    rows
}

fn is_like(pattern: &str, text: &str) -> bool {
    match pattern.strip_suffix('*') {
        Some(start) => text.starts_with(start),
        None => pattern == text,
    }
}
