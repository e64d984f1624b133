//! What both sides of HTTP/2 share over the `h2` crate: fields, and content that waits for a window.

mod fields;
mod outgoing;

pub use fields::{fields, header_map};
pub use outgoing::Outgoing;
