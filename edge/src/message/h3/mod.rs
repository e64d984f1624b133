//! HTTP/3 on the wire (RFC 9114): integers, frames, field sections. Pure: bytes in, values out.
//!
//! The `h3` crate gathers a frame whole before it looks at it, whatever length the frame claims, and
//! gives flow-control credit for what it gathers, so one client can make it hold gigabytes. Here
//! every length is judged before a byte of it is waited for.

mod frame;
pub mod qpack;
mod varint;

pub use frame::{Error, FrameHead, FrameKind, Settings, data_head, goaway, headers};
pub use varint::{decode_varint, encode_varint, varint_len};
