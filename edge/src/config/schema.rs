//! The names a file may use: each section and its keys, once.
//!
//! The walk asks for keys from here, unknown names are matched against these, and a test holds the
//! list against the documentation.

use super::value::quote;

/// A table of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schema {
    /// How it is written in a file; empty for the top of the file.
    pub(super) title: &'static str,
    /// Its keys.
    pub(super) keys: &'static [&'static str],
}

pub(super) const TOP: Schema = Schema {
    title: "",
    keys: &[
        "workers",
        "user",
        "listen",
        "host",
        "upstream",
        "quic",
        "tls",
        "timeouts",
        "bounds",
        "limit",
        "limits",
        "shield",
        "log",
        "metrics",
        "admin",
        "forwarding",
    ],
};

pub(super) const LISTEN: Schema = Schema {
    title: "[listen]",
    keys: &["https", "quic", "http", "redirect", "unknown_host", "steer"],
};

pub(super) const QUIC: Schema = Schema {
    title: "[quic]",
    keys: &[
        "retry",
        "retry_above",
        "connections_per_address",
        "idle_timeout",
        "keep_alive",
        "early_data",
        "alt_svc",
        "alt_svc_port",
    ],
};

pub(super) const FORWARDING: Schema = Schema {
    title: "[forwarding]",
    keys: &["trusted", "client_field", "forwarded", "traceparent"],
};

pub(super) const TLS: Schema = Schema {
    title: "[tls]",
    keys: &["min_version"],
};

pub(super) const HOST: Schema = Schema {
    title: "[[host]]",
    keys: &[
        "names",
        "certificate",
        "key",
        "ocsp",
        "client_ca",
        "client_certificate",
        "client_crl",
        "http3",
        "redirect",
        "hsts",
        "request_headers",
        "response_headers",
        "allow",
        "deny",
        "limits",
        "max_body",
        "error_pages",
        "auth_request",
        "route",
    ],
};

pub(super) const ROUTE: Schema = Schema {
    title: "[[host.route]]",
    keys: &[
        "path",
        "exact",
        "regex",
        "methods",
        "headers",
        "upstream",
        "strip_prefix",
        "rewrite",
        "keep_alive",
        "buffer_request",
        "redirect",
        "respond",
        "status",
        "content_type",
        "request_headers",
        "response_headers",
        "allow",
        "deny",
        "limits",
        "max_body",
        "early_data",
        "auth_request",
        "mcp",
    ],
};

pub(super) const AUTH_REQUEST: Schema = Schema {
    title: "[host.route.auth_request]",
    keys: &[
        "upstream",
        "path",
        "request_headers",
        "refusal_headers",
        "upstream_headers",
        "user_header",
        "timeout",
        "cache",
        "cache_key",
    ],
};

pub(super) const MCP: Schema = Schema {
    title: "[host.route.mcp]",
    keys: &[
        "origins",
        "health",
        "body_prefix",
        "verify",
        "methods_allow",
        "methods_deny",
        "tools_allow",
        "tools_deny",
        "session_idle",
        "session_secrets",
        "auth",
        "limit",
        "tool",
    ],
};

pub(super) const MCP_LIMIT: Schema = Schema {
    title: "[host.route.mcp.limit]",
    keys: &[
        "key",
        "calls",
        "calls_burst",
        "streams",
        "opens",
        "opens_burst",
        "sessions",
    ],
};

pub(super) const MCP_TOOL: Schema = Schema {
    title: "[[host.route.mcp.tool]]",
    keys: &["name", "calls", "calls_burst", "key", "cost", "scopes"],
};

pub(super) const MCP_AUTH: Schema = Schema {
    title: "[host.route.mcp.auth]",
    keys: &["issuer", "jwks", "resource", "audiences", "scopes"],
};

pub(super) const UPSTREAM: Schema = Schema {
    title: "[upstream.NAME]",
    keys: &[
        "servers",
        "policy",
        "hash_field",
        "connect_timeout",
        "send_timeout",
        "response_timeout",
        "idle_timeout",
        "idle_max",
        "tries",
        "max_connections",
        "queue_timeout",
        "eject_after",
        "eject_time",
        "eject_time_max",
        "slow_start",
        "resolve",
        "check",
    ],
};

pub(super) const SERVER: Schema = Schema {
    title: "[upstream.NAME.servers]",
    keys: &["address", "weight", "backup"],
};

pub(super) const CHECK: Schema = Schema {
    title: "[upstream.NAME.check]",
    keys: &[
        "path",
        "host",
        "status",
        "interval",
        "timeout",
        "healthy",
        "unhealthy",
    ],
};

pub(super) const TIMEOUTS: Schema = Schema {
    title: "[timeouts]",
    keys: &[
        "handshake",
        "head",
        "body",
        "idle",
        "send",
        "websocket_idle",
        "websocket_age",
        "drain",
    ],
};

pub(super) const BOUNDS: Schema = Schema {
    title: "[bounds]",
    keys: &[
        "head",
        "head_fields",
        "buffer",
        "connections",
        "streams",
        "requests_per_connection",
        "body_rate",
    ],
};

pub(super) const LIMIT: Schema = Schema {
    title: "[limit]",
    keys: &["requests", "burst", "penalty"],
};

pub(super) const LIMITS: Schema = Schema {
    title: "[limits.NAME]",
    keys: &[
        "key",
        "requests",
        "burst",
        "delay",
        "concurrent",
        "streams",
        "shared",
        "dry_run",
        "exempt",
    ],
};

pub(super) const PENALTY: Schema = Schema {
    title: "[limit.penalty]",
    keys: &[
        "refused",
        "within",
        "ban",
        "ban_max",
        "forget",
        "handshake",
        "malformed",
        "smuggling",
        "oversize",
        "resets",
        "auth",
    ],
};

pub(super) const SHIELD: Schema = Schema {
    title: "[shield]",
    keys: &[
        "mode",
        "interfaces",
        "packets",
        "packets_burst",
        "connections",
        "connections_burst",
        "initials",
        "initials_burst",
        "new_connections",
        "new_connections_burst",
        "ipv6_prefix",
        "fragments",
        "allow",
        "allow_files",
        "deny",
        "deny_files",
        "only",
        "monitor",
        "required",
        "pin",
    ],
};

pub(super) const LOG: Schema = Schema {
    title: "[log]",
    keys: &["access", "format", "fields", "sample"],
};

pub(super) const METRICS: Schema = Schema {
    title: "[metrics]",
    keys: &["listen"],
};

pub(super) const ADMIN: Schema = Schema {
    title: "[admin]",
    keys: &["socket"],
};

/// Every section below the top.
pub(super) const SECTIONS: &[Schema] = &[
    LISTEN,
    FORWARDING,
    QUIC,
    TLS,
    HOST,
    ROUTE,
    AUTH_REQUEST,
    MCP,
    MCP_LIMIT,
    MCP_TOOL,
    MCP_AUTH,
    UPSTREAM,
    SERVER,
    CHECK,
    TIMEOUTS,
    BOUNDS,
    LIMIT,
    PENALTY,
    SHIELD,
    LOG,
    METRICS,
    ADMIN,
    LIMITS,
];

impl Schema {
    /// Where a key is valid when it is not valid here: people write a key under the wrong header.
    fn homes_of(&self, key: &str) -> Vec<&'static Schema> {
        std::iter::once(&TOP)
            .chain(SECTIONS)
            .filter(|schema| schema.title != self.title && schema.keys.contains(&key))
            .collect()
    }

    /// A key as it is written in a file: `listen` at the top is `[listen]`.
    fn written<'a>(&self, key: &'a str) -> &'a str {
        let header = |wanted: &str| {
            SECTIONS
                .iter()
                .find(|schema| schema.title.trim_matches(['[', ']']) == wanted)
                .map(|schema| schema.title)
        };
        match (self.title, key) {
            ("", "upstream") => UPSTREAM.title,
            ("", "limits") => LIMITS.title,
            ("", key) => header(key).unwrap_or(key),
            ("[[host]]", "route") => ROUTE.title,
            ("[[host.route]]", "mcp") => MCP.title,
            ("[[host.route]]" | "[[host]]", "auth_request") => AUTH_REQUEST.title,
            ("[host.route.mcp]", "limit") => MCP_LIMIT.title,
            ("[host.route.mcp]", "tool") => MCP_TOOL.title,
            ("[host.route.mcp]", "auth") => MCP_AUTH.title,
            ("[limit]", "penalty") => PENALTY.title,
            _ => key,
        }
    }

    /// What is wrong with a key that is none of these; `near` is the one it looks like.
    pub(super) fn unknown_key(&self, key: &str, near: Option<&str>) -> String {
        let shown = quote(key);
        let place = match self.title {
            "" => String::new(),
            title => format!(" in {title}"),
        };
        let unknown = format!("unknown key `{}`{place}", shown.trim_matches('"'));
        let homes: Vec<String> = self
            .homes_of(key)
            .iter()
            .map(|home| match (home.title, home.written(key)) {
                ("", written) if written == key => {
                    "at the top, before the first [section]".to_owned()
                }
                ("", written) => format!("at the top, as {written}"),
                (title, _) => format!("in {title}"),
            })
            .collect();
        match near {
            _ if !homes.is_empty() => format!("{unknown}; it belongs {}", homes.join(" or ")),
            Some(near) => format!("{unknown}; did you mean `{}`?", self.written(near)),
            None => unknown,
        }
    }
}
