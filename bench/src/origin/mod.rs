//! The stand-in upstream of measurements: as cheap as a correct HTTP/1.1 server can be, so that
//! it is never the bottleneck.

mod alone;
mod connection;
mod request;
mod server;
mod ticker;

pub use alone::serve;
pub(crate) use request::{ANSWER_BYTES, NONCE_BYTES, answer_body};
pub(crate) use server::Origin;
