//! HTTP/2 towards servers (RFC 9113) over the `h2` crate: few connections per worker and server,
//! each with many streams.
//!
//! Which protocol a server speaks is known from the configuration (§3.3), and over TLS agreed by
//! ALPN; a new connection is used once the server has answered a PING, so that a server that speaks
//! something else has not been sent any request.

mod connect;
mod fields;
mod head;
mod link;
mod links;
mod metered;
mod sending;
mod stream;

pub(super) use connect::connect;
pub(super) use link::Hold;
pub(super) use links::Links;
pub(super) use stream::Stream;
