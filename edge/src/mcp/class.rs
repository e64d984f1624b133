//! What kind of request it is: what may be expected of it, and by what it is limited.

use http::Method;

use super::era::Era;

/// A kind of request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Class {
    /// A JSON-RPC request that wants an answer.
    Call,
    /// A stream of events that stays open.
    Stream,
    /// What a client reads before it knows the server: documents under `/.well-known/`.
    Discovery,
    /// The client is done with its session.
    SessionEnd,
    /// A message that wants no answer.
    Notification,
    /// Somebody asks whether the server lives.
    Health,
    /// Anything else that comes over the route.
    Other,
}

impl Class {
    /// Every class.
    pub const ALL: [Class; 7] = [
        Class::Call,
        Class::Stream,
        Class::Discovery,
        Class::SessionEnd,
        Class::Notification,
        Class::Health,
        Class::Other,
    ];

    /// For logs and labels.
    pub const fn as_str(self) -> &'static str {
        match self {
            Class::Call => "call",
            Class::Stream => "stream",
            Class::Discovery => "discovery",
            Class::SessionEnd => "session_end",
            Class::Notification => "notification",
            Class::Health => "health",
            Class::Other => "other",
        }
    }
}

/// What the head of a request says about its class.
#[derive(Clone, Copy, Debug)]
pub struct HeadFacts<'a> {
    /// The generation.
    pub era: Era,
    /// The HTTP method.
    pub method: &'a Method,
    /// The path.
    pub path: &'a str,
    /// The path that the operator uses to ask for health.
    pub health: Option<&'a str>,
    /// `Accept` lists `text/event-stream`.
    pub accepts_events: bool,
    /// `Mcp-Method`.
    pub rpc_method: Option<&'a [u8]>,
}

impl HeadFacts<'_> {
    /// The class; `None` for a legacy POST, whose body tells.
    pub fn class(&self) -> Option<Class> {
        // What is open to everybody can be read, and nothing else.
        let reads = matches!(self.method, &Method::GET | &Method::HEAD);
        if reads && self.health.is_some_and(|health| health == self.path) {
            return Some(Class::Health);
        }
        if reads && self.path.starts_with("/.well-known/") {
            return Some(Class::Discovery);
        }
        Some(match (self.era, self.method) {
            (Era::Modern, &Method::POST) => class_of(self.rpc_method?),
            (Era::Legacy, &Method::POST) => return None,
            (Era::Legacy, &Method::GET) if self.accepts_events => Class::Stream,
            (Era::Legacy, &Method::DELETE) => Class::SessionEnd,
            // Modern GET and DELETE are answered 405 by the server
            // (<https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http>).
            _ => Class::Other,
        })
    }
}

/// The class of a JSON-RPC message with this method.
pub fn class_of(rpc_method: &[u8]) -> Class {
    match rpc_method {
        b"subscriptions/listen" => Class::Stream,
        method if method.starts_with(b"notifications/") => Class::Notification,
        _ => Class::Call,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn class(era: Era, method: Method, path: &str, rpc_method: Option<&str>) -> Option<Class> {
        let facts = HeadFacts {
            era,
            method: &method,
            path,
            health: Some("/mcp/health"),
            accepts_events: true,
            rpc_method: rpc_method.map(str::as_bytes),
        };
        facts.class()
    }

    #[test]
    fn heads_tell_the_class_or_that_the_body_does() {
        use Class::*;
        use Era::*;
        for (era, method, path, rpc, expected) in [
            (Modern, Method::POST, "/mcp", Some("tools/call"), Some(Call)),
            (
                Modern,
                Method::POST,
                "/mcp",
                Some("subscriptions/listen"),
                Some(Stream),
            ),
            (
                Modern,
                Method::POST,
                "/mcp",
                Some("notifications/cancelled"),
                Some(Notification),
            ),
            (Modern, Method::POST, "/mcp", None, None),
            (Modern, Method::GET, "/mcp", None, Some(Other)),
            (Modern, Method::DELETE, "/mcp", None, Some(Other)),
            (Legacy, Method::POST, "/mcp", Some("tools/call"), None),
            (Legacy, Method::GET, "/mcp", None, Some(Stream)),
            (Legacy, Method::DELETE, "/mcp", None, Some(SessionEnd)),
            (
                Legacy,
                Method::GET,
                "/.well-known/mcp.json",
                None,
                Some(Discovery),
            ),
            (Legacy, Method::GET, "/mcp/health", None, Some(Health)),
            (Legacy, Method::POST, "/mcp/health", None, None),
            (Legacy, Method::POST, "/.well-known/mcp.json", None, None),
            (Legacy, Method::OPTIONS, "/mcp", None, Some(Other)),
        ] {
            assert_eq!(
                class(era, method.clone(), path, rpc),
                expected,
                "{method} {path} {rpc:?}"
            );
        }
    }
}
