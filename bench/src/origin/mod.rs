//! The stand-in upstream of measurements: as cheap as a correct HTTP/1.1 server can be, so that
//! it is never the bottleneck.

mod alone;
mod bulk;
mod connection;
mod pace;
mod request;
mod server;
mod ticker;
mod websocket;

pub use alone::serve;
pub(crate) use bulk::{BulkOrigin, PATTERN_BYTES, pattern, receive, send};
pub(crate) use request::{ANSWER_BYTES, NONCE_AT, NONCE_BYTES, answer_body};
pub(crate) use server::Origin;
pub(crate) use websocket::accept_of;
