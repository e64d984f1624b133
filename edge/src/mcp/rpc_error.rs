//! Error bodies of the edge's own that a client understands.
//!
//! A modern client takes a 400, 404 or 405 whose body is no JSON-RPC error for an old server, and
//! goes on in an older protocol
//! (<https://modelcontextprotocol.io/specification/2026-07-28/basic/versioning>). So whatever the edge refuses on an MCP route carries a JSON-RPC
//! error, with the request's id where it was read and `null` (JSON-RPC 2.0 §5) where it was not.

use http::StatusCode;

/// Why the edge refuses a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// Too many requests.
    Limited,
    /// Too many streams open at once.
    Streams,
    /// Too many sessions at once.
    Sessions,
    /// A web page that may not talk to this server.
    Origin,
    /// The route does not allow the method.
    Method,
    /// The route does not allow the tool.
    Tool,
    /// A mirrored header is missing, malformed or not what the body says.
    Header,
    /// A body that the route's rules cannot be applied to.
    Body,
    /// The body is compressed or no plain JSON, and the route's rules apply to it.
    Encoding,
    /// A token in the query.
    QueryToken,
    /// No token, or none that is good.
    Token,
    /// A good token, but not for this.
    Scope,
    /// The session is not, or no longer, known.
    Session,
    /// The server does not answer.
    Upstream,
    /// The server does not answer in time.
    UpstreamTimeout,
    /// The edge cannot judge the request now.
    Unavailable,
}

impl Refusal {
    /// The status.
    pub const fn status(self) -> StatusCode {
        match self {
            Refusal::Limited | Refusal::Streams | Refusal::Sessions => {
                StatusCode::TOO_MANY_REQUESTS
            }
            Refusal::Token => StatusCode::UNAUTHORIZED,
            Refusal::Origin | Refusal::Method | Refusal::Tool | Refusal::Scope => {
                StatusCode::FORBIDDEN
            }
            Refusal::Header | Refusal::Body | Refusal::QueryToken => StatusCode::BAD_REQUEST,
            Refusal::Encoding => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Refusal::Session => StatusCode::NOT_FOUND,
            Refusal::Upstream => StatusCode::BAD_GATEWAY,
            Refusal::UpstreamTimeout => StatusCode::GATEWAY_TIMEOUT,
            Refusal::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The JSON-RPC code: those the specification assigns (-32020 HeaderMismatch), else one of
    /// -32000 to -32019, which it leaves to implementations; with which status, too
    /// (<https://modelcontextprotocol.io/specification/2026-07-28/basic/transports/streamable-http#server-validation>).
    const fn code(self) -> i32 {
        match self {
            Refusal::Header => -32020,
            // JSON-RPC 2.0 §5.1: no valid request.
            Refusal::Body | Refusal::Encoding | Refusal::QueryToken => -32600,
            // What the official servers say for an unknown session.
            Refusal::Session => -32001,
            Refusal::Origin | Refusal::Method | Refusal::Tool | Refusal::Token | Refusal::Scope => {
                -32003
            }
            Refusal::Limited | Refusal::Streams | Refusal::Sessions => -32005,
            Refusal::Upstream | Refusal::UpstreamTimeout | Refusal::Unavailable => -32004,
        }
    }

    /// A short token for logs and labels.
    pub const fn reason(self) -> &'static str {
        match self {
            Refusal::Limited => "limited",
            Refusal::Streams => "limited_streams",
            Refusal::Sessions => "limited_sessions",
            Refusal::Origin => "origin",
            Refusal::Method => "method_denied",
            Refusal::Tool => "tool_denied",
            Refusal::Header => "header_mismatch",
            Refusal::Body => "bad_rpc_body",
            Refusal::Encoding => "encoded_body",
            Refusal::QueryToken => "query_token",
            Refusal::Token => "token",
            Refusal::Scope => "scope",
            Refusal::Session => "session_unknown",
            Refusal::Upstream => "upstream",
            Refusal::UpstreamTimeout => "upstream_timeout",
            Refusal::Unavailable => "unavailable",
        }
    }

    const fn message(self) -> &'static str {
        match self {
            Refusal::Limited => "Too many requests, try again later",
            Refusal::Streams => "Too many open streams, close one first",
            Refusal::Sessions => "Too many sessions, end one first",
            Refusal::Origin => "Origin not allowed",
            Refusal::Method => "Method not allowed here",
            Refusal::Tool => "Tool not allowed here",
            Refusal::Header => {
                "Header mismatch: an Mcp-* header is missing, malformed or differs from the body"
            }
            Refusal::Body => "The body must be one JSON-RPC message with one method and one name",
            Refusal::Encoding => {
                "Send the body as application/json in UTF-8, without Content-Encoding"
            }
            Refusal::QueryToken => "Tokens belong in the Authorization header, not in the query",
            Refusal::Token => "A valid access token is needed",
            Refusal::Scope => "The access token lacks a scope",
            Refusal::Session => "Session not found",
            Refusal::Upstream => "The server is not reachable",
            Refusal::UpstreamTimeout => "The server did not answer in time",
            Refusal::Unavailable => "Temporarily unavailable, try again later",
        }
    }

    /// The body; `id` is the raw JSON of the request's id, `retry_after_s` what `Retry-After` says.
    pub fn body(self, id: Option<&[u8]>, retry_after_s: Option<u64>) -> String {
        write(as_text(id), self.code(), self.message(), retry_after_s)
    }

    /// Every refusal, for labels.
    pub const ALL: [Refusal; 16] = [
        Refusal::Limited,
        Refusal::Streams,
        Refusal::Sessions,
        Refusal::Origin,
        Refusal::Method,
        Refusal::Tool,
        Refusal::Header,
        Refusal::Body,
        Refusal::Encoding,
        Refusal::QueryToken,
        Refusal::Token,
        Refusal::Scope,
        Refusal::Session,
        Refusal::Upstream,
        Refusal::UpstreamTimeout,
        Refusal::Unavailable,
    ];
}

/// The body of an error that has nothing to do with MCP: a limit per address, a body too long or too
/// slow, a host under maintenance. Mostly nobody has looked for an id by then.
pub fn error_body(status: StatusCode, id: Option<&[u8]>, retry_after_s: Option<u64>) -> String {
    let code = match status {
        StatusCode::TOO_MANY_REQUESTS => Refusal::Limited.code(),
        StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN => Refusal::Token.code(),
        _ if status.is_server_error() => Refusal::Unavailable.code(),
        _ => Refusal::Body.code(),
    };
    let message = match status {
        StatusCode::TOO_MANY_REQUESTS => Refusal::Limited.message(),
        _ => status.canonical_reason().unwrap_or("Error"),
    };
    write(as_text(id), code, message, retry_after_s)
}

fn as_text(id: Option<&[u8]>) -> Option<&str> {
    std::str::from_utf8(id?).ok()
}

/// `id` and `message` are JSON as they are written.
fn write(id: Option<&str>, code: i32, message: &str, retry_after_s: Option<u64>) -> String {
    let id = id.unwrap_or("null");
    let data = retry_after_s.map_or(String::new(), |seconds| {
        format!(r#","data":{{"retryAfterSeconds":{seconds}}}"#)
    });
    format!(
        r#"{{"jsonrpc":"2.0","id":{id},"error":{{"code":{code},"message":"{message}"{data}}}}}"#
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_body_is_a_json_rpc_error() {
        for refusal in Refusal::ALL {
            for (id, retry) in [
                (None, None),
                (Some(&b"\"a-1\""[..]), Some(3)),
                (Some(b"7"), None),
            ] {
                let body = refusal.body(id, retry);
                let value: serde_json::Value = serde_json::from_str(&body).expect("JSON");
                assert_eq!(value["jsonrpc"], "2.0");
                let code = value["error"]["code"].as_i64().expect("a number");
                assert!((-32603..=-32000).contains(&code), "{code}");
                assert!(value["error"]["message"].is_string());
                assert_eq!(value["id"].is_null(), id.is_none());
                assert_eq!(value["error"]["data"]["retryAfterSeconds"].as_u64(), retry);
            }
            let status = refusal.status();
            assert!(status.is_client_error() || status.is_server_error());
        }
    }
    #[test]
    fn so_is_every_error_before_mcp() {
        for status in (400..600).filter_map(|code| StatusCode::from_u16(code).ok()) {
            let body = error_body(status, None, Some(7));
            let value: serde_json::Value = serde_json::from_str(&body).expect("JSON");
            let code = value["error"]["code"].as_i64().expect("a number");
            assert!(
                code == -32600 || (-32019..=-32000).contains(&code),
                "{code}"
            );
            assert!(value["id"].is_null() && value["error"]["message"].is_string());
            assert_eq!(value["error"]["data"]["retryAfterSeconds"], 7);
            let named = error_body(status, Some(b"\"a\""), None);
            assert!(named.contains(r#""id":"a","#), "{named}");
        }
    }
}
