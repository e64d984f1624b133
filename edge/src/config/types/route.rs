//! Which requests a route takes, and what it does with them.

use std::sync::Arc;
use std::time::Duration;

use super::{Mcp, UpstreamId};

/// What happens to requests under a path.
#[derive(Clone, Debug)]
pub struct Route {
    /// Path prefix, matched on whole segments: `/mcp` matches `/mcp` and `/mcp/x`, not `/mcpx`.
    pub path: String,
    /// What is done with them.
    pub action: Action,
}

/// What a route does with a request that its guards have admitted.
#[derive(Clone, Debug)]
pub enum Action {
    /// It goes to an upstream.
    Proxy(ProxyAction),
}

/// A route to an upstream.
#[derive(Clone, Debug)]
pub struct ProxyAction {
    /// Where requests go.
    pub upstream: UpstreamId,
    /// After how much silence an event stream gets a comment; `None` never.
    pub keep_alive: Option<Duration>,
    /// What the edge does for MCP on this route.
    pub mcp: Option<Arc<Mcp>>,
}

impl Action {
    /// What the edge does for MCP, where it does.
    pub fn mcp(&self) -> Option<&Mcp> {
        match self {
            Action::Proxy(proxy) => proxy.mcp.as_deref(),
        }
    }

    /// The upstream, for an action that has one.
    pub fn upstream(&self) -> Option<UpstreamId> {
        match self {
            Action::Proxy(proxy) => Some(proxy.upstream),
        }
    }
}
