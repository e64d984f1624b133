//! Field names the proxy acts on, recognised once at parse time.
//!
//! Everything else is [`Name::Other`] and passes through as the sender spelt it.

macro_rules! names {
    ($($variant:ident = $text:literal,)*) => {
        /// A field name, compared without regard to case (RFC 9110 §5.1).
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[allow(missing_docs, reason = "each variant is the field it is named after")]
        pub enum Name {
            $($variant,)*
            /// Any other field.
            Other,
        }

        impl Name {
            /// Recognises a name as it came on the wire.
            pub fn of(name: &[u8]) -> Name {
                // The length decides first: a handful of comparisons at most follow.
                match name.len() {
                    $(n if n == $text.len() && name.eq_ignore_ascii_case($text.as_bytes()) => Name::$variant,)*
                    _ => Name::Other,
                }
            }

            /// The lower-case spelling; empty for [`Name::Other`].
            pub const fn text(self) -> &'static str {
                match self {
                    $(Name::$variant => $text,)*
                    Name::Other => "",
                }
            }
        }
    };
}

names! {
    Accept = "accept",
    AcceptEncoding = "accept-encoding",
    AltSvc = "alt-svc",
    Authorization = "authorization",
    Connection = "connection",
    ContentEncoding = "content-encoding",
    ContentLength = "content-length",
    ContentType = "content-type",
    Cookie = "cookie",
    Date = "date",
    EarlyData = "early-data",
    Expect = "expect",
    Forwarded = "forwarded",
    Host = "host",
    IfNoneMatch = "if-none-match",
    KeepAlive = "keep-alive",
    LastEventId = "last-event-id",
    McpMethod = "mcp-method",
    McpName = "mcp-name",
    McpProtocolVersion = "mcp-protocol-version",
    McpSessionId = "mcp-session-id",
    Origin = "origin",
    ProxyAuthenticate = "proxy-authenticate",
    ProxyAuthorization = "proxy-authorization",
    ProxyConnection = "proxy-connection",
    Range = "range",
    SecWebsocketAccept = "sec-websocket-accept",
    SecWebsocketKey = "sec-websocket-key",
    SecWebsocketVersion = "sec-websocket-version",
    Te = "te",
    Trailer = "trailer",
    TransferEncoding = "transfer-encoding",
    Upgrade = "upgrade",
    UserAgent = "user-agent",
    Via = "via",
    XAccelBuffering = "x-accel-buffering",
    XForwardedFor = "x-forwarded-for",
    XForwardedHost = "x-forwarded-host",
    XForwardedProto = "x-forwarded-proto",
    XRealIp = "x-real-ip",
}

#[cfg(test)]
mod tests {
    use super::Name;

    #[test]
    fn names_are_recognised_in_any_case() {
        assert_eq!(Name::of(b"Content-Length"), Name::ContentLength);
        assert_eq!(Name::of(b"HOST"), Name::Host);
        assert_eq!(Name::of(b"hosts"), Name::Other);
        assert_eq!(Name::of(b""), Name::Other);
    }
}
