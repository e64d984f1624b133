//! What HTTP/2 needs beside the `h2` crate: fields, content that waits for a window, and an eye on
//! frames and compression.

mod allowance;
mod fields;
pub mod frames;
mod hpack;
mod outgoing;

pub use allowance::{Allowance, FRAMES_MAX};
pub use fields::{fields, header_map};
pub use hpack::{Hpack, Progress};
pub use outgoing::Outgoing;
