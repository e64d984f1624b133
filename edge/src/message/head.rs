//! Heads and body framing, the same whichever protocol carried them.

use bytes::Bytes;
use http::{Method, StatusCode};

use super::{Authority, Fields, Name, Target, Upgrade};

/// Protocol version of one message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    /// HTTP/1.0
    Http10,
    /// HTTP/1.1
    Http11,
    /// HTTP/2
    Http2,
    /// HTTP/3
    Http3,
}

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BodyLength {
    /// There is none.
    Empty,
    /// Exactly so many bytes.
    Exact(u64),
    /// The framing of the connection tells: chunks, or the end of an HTTP/2 stream.
    Framed,
    /// The end of the connection tells (HTTP/1 responses only).
    UntilClose,
}

/// A validated request head. Its fields hold no `Host`, no framing and no connection-specific field
/// of the hop it came over: those are in the other members.
#[derive(Clone, Debug)]
pub struct RequestHead {
    /// Method.
    pub method: Method,
    /// Normalised target.
    pub target: Target,
    /// What the upstream is asked for, where it is something else.
    pub sent: Option<Box<SentAs>>,
    /// The host asked for; empty for an HTTP/1.0 request that names none.
    pub authority: Authority,
    /// Version of the hop it came over.
    pub version: Version,
    /// Every other field.
    pub fields: Fields,
    /// Body framing.
    pub length: BodyLength,
    /// The client waits for 100 (Continue) before it sends the body (RFC 9110 §10.1.1).
    pub expects_continue: bool,
    /// The protocol the client asks to go on in.
    pub upgrade: Option<Upgrade>,
}

/// What of a request is another on the way to the upstream.
#[derive(Clone, Debug, Default)]
pub struct SentAs {
    /// The target.
    pub target: Option<Target>,
    /// The host.
    pub host: Option<Authority>,
}

impl RequestHead {
    /// The target the upstream is asked for.
    pub fn sent_target(&self) -> &Target {
        let sent = self.sent.as_ref().and_then(|sent| sent.target.as_ref());
        sent.unwrap_or(&self.target)
    }

    /// The host the upstream is asked for.
    pub fn sent_host(&self) -> &Authority {
        let sent = self.sent.as_ref().and_then(|sent| sent.host.as_ref());
        sent.unwrap_or(&self.authority)
    }
}

/// A validated response head, free of framing and connection-specific fields.
#[derive(Clone, Debug)]
pub struct ResponseHead {
    /// Status; 1xx for interim responses.
    pub status: StatusCode,
    /// Every field but those about framing and connection.
    pub fields: Fields,
    /// Body framing.
    pub length: BodyLength,
}

impl ResponseHead {
    /// The `Content-Length` that HTTP/2 and HTTP/3 state beside their own framing; `None` where
    /// there is none to state (RFC 9110 §8.6) or the fields have it already.
    pub fn content_length(&self, is_head: bool) -> Option<u64> {
        let bodiless = self.status.is_informational()
            || matches!(
                self.status,
                StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED
            );
        if bodiless || self.fields.value(Name::ContentLength).is_some() {
            return None;
        }
        match self.length {
            BodyLength::Exact(n) => Some(n),
            BodyLength::Empty if !is_head => Some(0),
            _ => None,
        }
    }
}

/// A piece of a body on its way.
#[derive(Debug)]
pub enum Frame {
    /// Content.
    Data(Bytes),
    /// The trailer section; always last.
    Trailers(Fields),
}
