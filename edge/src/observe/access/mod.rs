//! The access log: one JSON line per finished exchange.
//!
//! A worker formats lines into its own buffer ([`AccessLog`]) and hands full batches to one writer
//! thread ([`AccessWriter`]) over a bounded queue. A slow disk or a blocked pipe never blocks a
//! worker: batches that do not fit are dropped and their lines counted.

mod combined;
mod entry;
mod json;
mod log;
mod target;
mod timestamp;
mod value;
mod writer;

pub use entry::Access;
pub use log::AccessLog;
pub use target::{AccessError, AccessTarget, open_file};
pub use writer::{AccessOutput, AccessWriter};
