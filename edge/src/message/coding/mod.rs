//! How HPACK and QPACK write integers and text (RFC 7541 §5).

mod huffman;
mod integer;

pub(super) use huffman::decode as decode_huffman;
pub(super) use integer::{put, take};

/// Bytes that are no integer, or no text.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Undecodable;
