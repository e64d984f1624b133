//! HTTP/2 on the wire (RFC 9113): frames, field blocks, what waits for a window, and a bound on
//! frames that carry nothing. Pure:
//! bytes in, values out.

mod allowance;
mod code;
pub mod frames;
mod hpack;
mod outgoing;

pub use allowance::{Allowance, FRAMES_MAX};
pub use code::Code;
pub use hpack::{Decoder, Encoder, Undecodable};
pub use outgoing::{End, Outgoing};
