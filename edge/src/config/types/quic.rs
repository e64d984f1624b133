//! `[quic]`.

use std::time::Duration;

/// HTTP/3's transport.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Quic {
    /// When a client must prove its address before anything is kept for it.
    pub retry: RetryPolicy,
    /// Handshakes under way per worker beyond which [`RetryPolicy::Auto`] asks for proof.
    pub retry_above: u32,
    /// A connection from which nothing has come for so long is gone.
    pub idle_timeout: Duration,
    /// How often a quiet connection is asked for a sign of life; `None` never.
    pub keep_alive: Option<Duration>,
    /// Requests in the first packets of a client that was here before (0-RTT), on routes that take
    /// them.
    pub early_data: bool,
    /// How long clients remember that there is HTTP/3; `None`: they are not told.
    pub alt_svc: Option<Duration>,
    /// The port they are told, where it is not the one listened on.
    pub alt_svc_port: Option<u16>,
    /// Several datagrams go to the kernel and come from it as one (GSO and GRO).
    pub offload: bool,
}

/// When Retry packets are sent (RFC 9000 §8.1.2).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RetryPolicy {
    /// Under load.
    Auto,
    /// To every new client.
    Always,
    /// Never.
    Off,
}
