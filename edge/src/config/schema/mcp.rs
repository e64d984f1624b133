//! `[host.route.mcp]` and the tables below it.

use super::Default::{Depends, Is, Needed, Nothing};
use super::key::key;
use super::{Kind, Schema};

const COUNT: Kind = Kind::Any(&[Kind::Integer(1, 60_000), Kind::OFF]);
const BURST: super::Default = Depends("two seconds of the rate, at least 10");

pub(in crate::config) const MCP: Schema = Schema {
    title: "[host.route.mcp]",
    keys: &[
        key(
            "origins",
            Kind::TEXTS,
            Depends("any"),
            "web pages that may call",
        ),
        key(
            "health",
            Kind::Text,
            Nothing,
            "a path that is never limited",
        ),
        key(
            "body_prefix",
            Kind::Size,
            Is("64KiB"),
            "of a body, held back to find out what it asks for",
        ),
        key(
            "verify",
            Kind::Flag,
            Is("false"),
            "check Mcp-* headers against the body; always so where there are rules",
        ),
        key(
            "methods_allow",
            Kind::TEXTS,
            Depends("every method"),
            "methods",
        ),
        key(
            "methods_deny",
            Kind::TEXTS,
            Is("[]"),
            "methods, whatever is allowed",
        ),
        key("tools_allow", Kind::TEXTS, Depends("every tool"), "tools"),
        key(
            "tools_deny",
            Kind::TEXTS,
            Is("[]"),
            "tools, whatever is allowed",
        ),
        key(
            "session_idle",
            Kind::Duration,
            Is("1h"),
            "sessions silent for this long are forgotten",
        ),
        key(
            "session_secrets",
            Kind::Secrets,
            Nothing,
            "keys to seal session names with, the first for new ones",
        ),
        key(
            "list_cache",
            Kind::DURATION_OR_OFF,
            Is("off"),
            "keep lists for as long as servers say, and no longer than this",
        ),
        key(
            "limit",
            Kind::Table(&MCP_LIMIT),
            Is(""),
            "what a client may do",
        ),
        key(
            "method",
            Kind::Tables(&MCP_METHOD),
            Nothing,
            "limits and scopes of single methods",
        ),
        key(
            "tool",
            Kind::Tables(&MCP_TOOL),
            Nothing,
            "limits and scopes of single tools",
        ),
    ],
};

pub(in crate::config) const MCP_LIMIT: Schema = Schema {
    title: "[host.route.mcp.limit]",
    keys: &[
        key(
            "key",
            Kind::Text,
            Is("address"),
            "\"address\", \"token\", \"session\", \"param:NAME\", \"claim:NAME\" or \"everybody\"",
        ),
        key("calls", Kind::RATE_OR_OFF, Is("off"), "calls of tools"),
        key("calls_burst", Kind::BURST, BURST, "calls at once"),
        key("streams", COUNT, Is("256"), "streams open at once"),
        key(
            "opens",
            Kind::RATE_OR_OFF,
            Depends("1/s, 256 at once"),
            "streams opened",
        ),
        key(
            "opens_burst",
            Kind::BURST,
            Depends("256, or two seconds of a rate that is given"),
            "streams opened at once",
        ),
        key("sessions", COUNT, Is("off"), "sessions at once"),
    ],
};

pub(in crate::config) const MCP_METHOD: Schema = Schema {
    title: "[[host.route.mcp.method]]",
    keys: &[
        key(
            "name",
            Kind::Text,
            Needed,
            "whole, or with one * at the end",
        ),
        key(
            "calls",
            Kind::RATE_OR_OFF,
            Is("off"),
            "requests of this method",
        ),
        key("calls_burst", Kind::BURST, BURST, "requests at once"),
        key(
            "key",
            Kind::Text,
            Depends("that of [host.route.mcp.limit]"),
            "who is counted",
        ),
        key(
            "cost",
            Kind::Integer(1, 1_000_000),
            Is("1"),
            "calls that one request counts for",
        ),
        key(
            "scopes",
            Kind::TEXTS,
            Nothing,
            "scopes that a request needs",
        ),
    ],
};

pub(in crate::config) const MCP_TOOL: Schema = Schema {
    title: "[[host.route.mcp.tool]]",
    keys: &[
        key(
            "name",
            Kind::Text,
            Needed,
            "whole, or with one * at the end",
        ),
        key("calls", Kind::RATE_OR_OFF, Is("off"), "calls of this tool"),
        key("calls_burst", Kind::BURST, BURST, "calls at once"),
        key(
            "key",
            Kind::Text,
            Depends("that of [host.route.mcp.limit]"),
            "who is counted",
        ),
        key(
            "cost",
            Kind::Integer(1, 1_000_000),
            Is("1"),
            "calls that one call counts for",
        ),
        key("scopes", Kind::TEXTS, Nothing, "scopes that a call needs"),
    ],
};
