//! The HTTP/2 front (RFC 9113) over the `h2` crate: one task per stream.

mod blocks;
mod budget;
mod connection;
mod faults;
mod metered;
mod refusals;
mod request;
mod stream;
mod streams;

pub use connection::serve;
