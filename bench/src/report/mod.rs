//! Saying what was measured: a table for people, JSON lines for programs, a dated page to keep.

mod date;
mod machine;
mod record;
mod table;

pub(crate) use machine::Page;
pub(crate) use record::{Record, print_json};
pub(crate) use table::Table;
