//! What a route knows of the Model Context Protocol.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use super::Rate;
use crate::config::value::{NamePattern, NameRules};

/// `[host.route.mcp]`.
#[derive(Clone, Debug)]
pub struct Mcp {
    /// Values of `Origin` that may pass; `None`: any one.
    pub origins: Option<Vec<String>>,
    /// The path that is asked for health.
    pub health: Option<String>,
    /// Bytes of a body that may be held back to find out what it asks for.
    pub body_prefix: usize,
    /// What the headers claim is checked against the body; always so where there are rules.
    pub verify: bool,
    /// Which JSON-RPC methods may pass.
    pub methods: NameRules,
    /// Which tools may be called.
    pub tools: NameRules,
    /// The longest time that lists are kept for which servers say how long; `None`: they are not.
    pub list_cache: Option<Duration>,
    /// Sessions silent for longer are forgotten.
    pub session_idle: Duration,
    /// Sessions are sealed into their ids rather than remembered; the first secret seals.
    pub session_secrets: Secrets,
    /// Limits per client.
    pub limit: McpLimit,
    /// Limits, costs and scopes of single methods; the first that matches counts.
    pub method_limits: Vec<NameLimit>,
    /// The same of single tools.
    pub tool_limits: Vec<NameLimit>,
}

impl Mcp {
    /// Whether something depends on what the body really asks for.
    pub fn is_strict(&self) -> bool {
        self.verify
            || !self.methods.is_empty()
            || !self.tools.is_empty()
            || !self.method_limits.is_empty()
            || !self.tool_limits.is_empty()
            // What begins a session must not look like something else.
            || self.limit.sessions.is_some()
    }

    /// The table of a method.
    pub fn method_limit(&self, method: &[u8]) -> Option<(usize, &NameLimit)> {
        of_name(&self.method_limits, method)
    }

    /// The table of the tool that a method calls.
    pub fn tool_limit(&self, method: &[u8], name: &[u8]) -> Option<(usize, &NameLimit)> {
        of_name(&self.tool_limits, name).filter(|_| method == b"tools/call")
    }
}

fn of_name<'a>(limits: &'a [NameLimit], name: &[u8]) -> Option<(usize, &'a NameLimit)> {
    let mut limits = limits.iter().enumerate();
    limits.find(|(_, limit)| limit.name.matches(name))
}

impl Mcp {
    /// The claims that limits count by, each once.
    pub fn claims(&self) -> Vec<String> {
        let named = self.method_limits.iter().chain(&self.tool_limits);
        let keys = named.map(|limit| &limit.key);
        let names = keys.chain([&self.limit.key]).filter_map(|key| match key {
            McpKey::Claim(name) => Some(name.clone()),
            _ => None,
        });
        names.collect::<BTreeSet<_>>().into_iter().collect()
    }
}

/// `[host.route.mcp.limit]`.
#[derive(Clone, Debug)]
pub struct McpLimit {
    /// Whom the limits count as one.
    pub key: McpKey,
    /// Calls and notifications.
    pub calls: Option<Rate>,
    /// Streams open at once.
    pub streams: Option<u32>,
    /// Streams opened.
    pub opens: Option<Rate>,
    /// Sessions at once.
    pub sessions: Option<u32>,
}

/// What a limit counts by.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum McpKey {
    /// The client's address (IPv6: its network).
    Address,
    /// The `Authorization` of the request, else the address.
    Token,
    /// The session, else the address.
    Session,
    /// The value of a mirrored parameter, `Mcp-Param-NAME`, else the address.
    Param(String),
    /// What the token says under this name, else the address.
    Claim(String),
    /// Nothing: one count for everybody.
    Everybody,
}

/// `[[host.route.mcp.tool]]` and `[[host.route.mcp.method]]`.
#[derive(Clone, Debug)]
pub struct NameLimit {
    /// The tools, or the methods.
    pub name: NamePattern,
    /// Calls of each of them.
    pub calls: Option<Rate>,
    /// By what those are counted.
    pub key: McpKey,
    /// Scopes that a call needs beside those of the route.
    pub scopes: Vec<String>,
    /// How many calls one of these is for the limit of the route.
    pub cost: u32,
}

/// Texts that no message, log or listing shows.
#[derive(Clone, Default, PartialEq, Eq)]
pub struct Secrets(pub Vec<String>);

impl fmt::Debug for Secrets {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} secrets", self.0.len())
    }
}
