//! Saying what was measured: tables for people, JSON lines for programs, pages to keep.

mod columns;
mod compare;
mod date;
mod html;
mod machine;
mod markdown;
mod plot;
mod record;
mod summary;
mod table;

pub(crate) use columns::table;
pub(crate) use compare::{Comparison, compare};
pub(crate) use html::{escape, html};
pub(crate) use machine::Run;
pub(crate) use markdown::markdown;
pub(crate) use record::{Record, print_json, read_json};
pub(crate) use table::Table;

/// What another build of edge is called that is measured beside it.
pub(crate) const BEFORE: &str = "edge-before";

/// What a workload is called and says about itself.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Title {
    /// In JSON and on the command line.
    pub(crate) name: &'static str,
    /// Above its table.
    pub(crate) title: &'static str,
    /// What is measured and how, in a sentence or two.
    pub(crate) about: &'static str,
}
