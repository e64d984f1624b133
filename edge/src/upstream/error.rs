//! What can go wrong on the upstream side, and what the client is told.

use http::StatusCode;

use crate::message::h1::{BodyError, ResponseError};
use crate::tls::distrust;

/// A failure of the upstream or of the way to it.
#[derive(Debug, thiserror::Error)]
pub enum UpstreamError {
    /// No server of the group could be connected to.
    #[error("connecting failed: {0}")]
    Connect(#[source] std::io::Error),
    /// The server meant is no longer in the group.
    #[error("no such server any more")]
    Gone,
    /// No name of the group could be looked up so far.
    #[error("no server has an address yet")]
    Unresolved,
    /// Every server has as many connections in use as it may have, and none came back in time.
    #[error("no connection free in time")]
    Full,
    /// TLS with the server failed, or it did not prove to be the one that was meant.
    #[error("TLS failed: {0}")]
    Tls(#[source] std::io::Error),
    /// Connecting took too long.
    #[error("connecting timed out")]
    ConnectTimeout,
    /// The request could not be sent, or the connection broke before the answer.
    #[error("connection broke before the response: {0}")]
    Broken(#[source] std::io::Error),
    /// The server closed without an answer.
    #[error("connection closed before the response")]
    Closed,
    /// The server says that it has not looked at the request.
    #[error("the request was refused unprocessed: {0}")]
    Unprocessed(h2::Reason),
    /// The server has reset the stream.
    #[error("stream reset by the server: {0}")]
    Reset(h2::Reason),
    /// The server does not keep to HTTP/2.
    #[error("HTTP/2 with the server failed: {0}")]
    Http2(h2::Reason),
    /// The request cannot be said in HTTP/2.
    #[error("host or target have no form in HTTP/2")]
    Unspeakable,
    /// The answer is not HTTP this proxy can pass on.
    #[error(transparent)]
    Head(#[from] ResponseError),
    /// The response head is larger than allowed.
    #[error("response head too large")]
    HeadTooLarge,
    /// More interim responses than any server has reason to send.
    #[error("too many interim responses")]
    TooManyInterim,
    /// The server switched protocols although it was not asked to, or did not prove that it knows
    /// the one it was asked for, or answered an opening over HTTP/2 with a success that is none.
    #[error("unexpected answer to the question of another protocol")]
    UnexpectedUpgrade,
    /// The body's framing is broken, or it ended too soon.
    #[error(transparent)]
    Body(#[from] BodyError),
    /// The answer is an error of the server's, and there is something better to send.
    #[error("answered with {0}")]
    Unwanted(StatusCode),
    /// No response head within `response_timeout`, or silence inside a body of known length.
    #[error("no response in time")]
    Timeout,
}

impl UpstreamError {
    /// The status for a client that has not seen a response head yet (RFC 9110 §15.6).
    pub fn status(&self) -> StatusCode {
        match self {
            UpstreamError::ConnectTimeout | UpstreamError::Timeout => StatusCode::GATEWAY_TIMEOUT,
            UpstreamError::Full | UpstreamError::Unprocessed(_) => StatusCode::SERVICE_UNAVAILABLE,
            UpstreamError::Unspeakable => StatusCode::BAD_REQUEST,
            _ => StatusCode::BAD_GATEWAY,
        }
    }

    /// A short token for the access log and the metrics.
    pub fn reason(&self) -> &'static str {
        match self {
            UpstreamError::Connect(_) => "upstream_connect",
            UpstreamError::Tls(error) => distrust(error).unwrap_or("upstream_tls"),
            UpstreamError::Gone => "upstream_gone",
            UpstreamError::Unresolved => "upstream_lookup",
            UpstreamError::Full => "upstream_full",
            UpstreamError::ConnectTimeout => "upstream_connect_timeout",
            UpstreamError::Broken(_) | UpstreamError::Closed => "upstream_closed",
            UpstreamError::Body(BodyError::Truncated) => "upstream_truncated",
            UpstreamError::Unprocessed(_) => "upstream_refused",
            UpstreamError::Reset(_) => "upstream_reset",
            UpstreamError::Unspeakable => "target",
            UpstreamError::Http2(_)
            | UpstreamError::Head(_)
            | UpstreamError::HeadTooLarge
            | UpstreamError::TooManyInterim
            | UpstreamError::UnexpectedUpgrade
            | UpstreamError::Body(_) => "upstream_protocol",
            UpstreamError::Unwanted(_) => "upstream_status",
            UpstreamError::Timeout => "upstream_timeout",
        }
    }
}
