//! What HTTP/2 needs beside the `h2` crate: fields, content that waits for a window, and an eye on
//! compression.

mod fields;
mod hpack;
mod outgoing;

pub use fields::{fields, header_map};
pub use hpack::{Hpack, Progress};
pub use outgoing::Outgoing;
