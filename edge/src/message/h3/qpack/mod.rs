//! Field sections (RFC 9204) without a dynamic table: every section stands for itself.

mod decode;
mod encode;
mod static_table;

pub use decode::{DecodeError, decode};
pub use encode::Encoder;
