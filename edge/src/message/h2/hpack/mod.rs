//! Field blocks (RFC 7541): lines to bytes and back, each way with a table of what was said before.

mod decode;
mod encode;
mod static_table;
mod table;

pub use decode::Decoder;
pub use encode::Encoder;

pub use crate::message::coding::Undecodable;

/// The size of a table unless something else was agreed (RFC 9113 §6.5.2), and the most of ours.
const TABLE_BYTES: usize = 4096;

/// What an index refers to: the static table first, then the dynamic one (RFC 7541 §2.3.3).
fn entry(table: &table::Table, index: usize) -> Option<(&[u8], &[u8])> {
    let below = index.checked_sub(1)?;
    match static_table::STATIC_TABLE.get(below) {
        Some((name, value)) => Some((name.as_bytes(), value.as_bytes())),
        None => table.get(below - static_table::STATIC_TABLE.len()),
    }
}
