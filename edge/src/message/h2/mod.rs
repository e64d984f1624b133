//! HTTP/2 on the wire (RFC 9113): frames, field blocks, and what waits for a window. Pure: bytes in,
//! values out.

mod code;
pub mod frames;
mod hpack;
mod outgoing;

pub use code::Code;
pub use hpack::{Decoder, Encoder, Undecodable};
pub use outgoing::{End, Outgoing};
