//! HTTP/2 on the wire (RFC 9113): frames, field blocks, and a bound on frames that carry nothing. Pure:
//! bytes in, values out.

mod allowance;
mod code;
pub mod frames;
mod hpack;

pub use allowance::{Allowance, FRAMES_MAX};
pub use code::Code;
pub use hpack::{Decoder, Encoder, Undecodable};
