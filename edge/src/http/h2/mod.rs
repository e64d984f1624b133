//! The HTTP/2 front (RFC 9113): one task per connection, which reads and writes, and one per stream.
//!
//! Bytes come in through `input` as frames, `judge` applies the rules, and `core` holds what the
//! tasks share: the state of each stream, the windows of both sides and the frames that go out.

mod connection;
mod content;
mod core;
mod heads;
mod input;
mod judge;
mod receiver;
mod response;
mod sending;
mod settings;
mod stream;
mod streams;

pub use connection::serve;
