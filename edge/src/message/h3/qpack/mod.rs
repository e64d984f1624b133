//! Field sections (RFC 9204) without a dynamic table: every section stands for itself.

mod decode;
mod encode;
mod huffman;
mod integer;
mod static_table;

pub use decode::{DecodeError, decode};
pub use encode::Encoder;
pub(in crate::message) use huffman::decode as decode_huffman;
