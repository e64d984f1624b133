//! The HTTP/1.1 front (RFC 9112): one exchange after the other on a connection.

mod client;
mod connection;
mod head;
mod linger;

pub use connection::serve;
