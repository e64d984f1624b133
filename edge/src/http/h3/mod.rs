//! The HTTP/3 front (RFC 9114) over `quinn`: one task per stream.

mod connection;
mod control;
mod early;
mod goodbye;
mod input;
mod reader;
mod request;
mod shared;
mod stream;
mod vitals;

pub use connection::serve;
