//! Who a request comes from, and what upstreams are told about it.

use crate::cidr::Cidr;

/// `[forwarding]`.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Forwarding {
    /// Proxies in front of this one, whose word about the client is taken.
    pub trusted: Vec<Cidr>,
    /// The field in which they say it.
    pub client_field: ClientField,
    /// Upstreams get `Forwarded` (RFC 7239) beside `X-Forwarded-*`.
    pub forwarded: bool,
    /// Requests without a valid `traceparent` get one.
    pub traceparent: bool,
}

/// The field in which a proxy names its client.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub enum ClientField {
    /// `X-Forwarded-For`: a list, each proxy adds the address it was called from.
    #[default]
    XForwardedFor,
    /// `Forwarded` (RFC 7239).
    Forwarded,
    /// `X-Real-IP`: one address.
    XRealIp,
}
