//! What an exchange on a route with `mcp` was about.

use crate::mcp::{Class, Era, Refusal, Subject};

/// What an exchange was about, for log and metrics.
#[derive(Clone, Debug)]
pub struct McpFacts {
    /// The generation of the protocol.
    pub era: Era,
    /// The kind of request.
    pub class: Class,
    /// What it asked for.
    pub subject: Box<Subject>,
    /// A keyed hash of the session's id.
    pub session: Option<u64>,
    /// Events passed to the client.
    pub events: u64,
    /// The response was an event stream.
    pub is_stream: bool,
    /// Why the edge refused it.
    pub refusal: Option<Refusal>,
}
