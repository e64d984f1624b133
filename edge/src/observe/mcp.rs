//! What an exchange on a route with `mcp` was about.

use crate::mcp::{Class, Era, METHOD_MAX, Refusal, Text};

/// Bytes kept of a tool's name.
pub const TOOL_MAX: usize = 64;

/// What an exchange was about, for log and metrics.
#[derive(Clone, Copy, Debug)]
pub struct McpFacts {
    /// The generation of the protocol.
    pub era: Era,
    /// The kind of request.
    pub class: Class,
    /// The JSON-RPC method; empty when there is none or it was not read.
    pub method: Text<METHOD_MAX>,
    /// The tool called; empty for other methods.
    pub tool: Text<TOOL_MAX>,
    /// A keyed hash of the session's id.
    pub session: Option<u64>,
    /// Events passed to the client.
    pub events: u64,
    /// The response was an event stream.
    pub is_stream: bool,
    /// Why the edge refused it.
    pub refusal: Option<Refusal>,
}
