//! The names a file may use: each section and its keys, once, with what a value may be and the default.
//!
//! The walk asks for keys from here, unknown names are matched against these, `edge config schema` and
//! `edge config show` are made from them, and tests hold them against the documentation and the reader.

mod auth;
mod basics;
mod content;
mod hosts;
mod json;
mod key;
mod limits;
mod mcp;
mod upstreams;

pub(super) use auth::{API_KEYS, AUTH_REQUEST, BASIC_AUTH, JWT};
pub(super) use basics::{
    ADMIN, BOUNDS, FORWARDING, LISTEN, LOG, METRICS, QUIC, TIMEOUTS, TLS, TOP, TRACE,
};
pub(super) use content::{CACHE, COMPRESS, FILES};
pub(super) use hosts::{HOST, MAINTENANCE, ROUTE};
pub use json::json_schema;
pub(super) use key::{Default, Key, Kind};
pub(super) use limits::{LIMIT, LIMITS, PENALTY, SHIELD};
pub(super) use mcp::{MCP, MCP_LIMIT, MCP_METHOD, MCP_TOOL};
pub(super) use upstreams::{CHECK, SERVER, UPSTREAM, UPSTREAM_TLS};

use super::value::quote;

/// A table of the file.
#[derive(Clone, Copy, Debug)]
pub(super) struct Schema {
    /// How it is written in a file; empty for the top of the file.
    pub(super) title: &'static str,
    /// Its keys.
    pub(super) keys: &'static [Key],
}

/// Every section below the top.
pub(super) const SECTIONS: &[Schema] = &[
    LISTEN,
    FORWARDING,
    QUIC,
    TLS,
    HOST,
    ROUTE,
    MAINTENANCE,
    API_KEYS,
    JWT,
    BASIC_AUTH,
    AUTH_REQUEST,
    CACHE,
    COMPRESS,
    FILES,
    MCP,
    MCP_LIMIT,
    MCP_METHOD,
    MCP_TOOL,
    UPSTREAM,
    SERVER,
    CHECK,
    UPSTREAM_TLS,
    TIMEOUTS,
    BOUNDS,
    LIMIT,
    PENALTY,
    SHIELD,
    LOG,
    TRACE,
    METRICS,
    ADMIN,
    LIMITS,
];

/// Keys that look like others than those in whose place they were written.
const MOVED: &[(&str, &str, &str)] = &[
    (
        "[host.route.mcp]",
        "auth",
        "tokens are asked for by [host.route.jwt], with `issuer` and `resource`",
    ),
    (
        "[metrics]",
        "address",
        "where the page is served is `listen`",
    ),
    (
        "[metrics]",
        "port",
        "where the page is served is `listen`, an address and a port",
    ),
];

impl Schema {
    /// A key by its name.
    pub(super) fn key(&self, name: &str) -> Option<&'static Key> {
        self.keys.iter().find(|key| key.name == name)
    }

    /// The names of its keys.
    pub(super) fn names(&self) -> impl Iterator<Item = &'static str> + Clone {
        self.keys.iter().map(|key| key.name)
    }

    /// Where a key is valid when it is not valid here: people write a key under the wrong header.
    fn homes_of(&self, key: &str) -> Vec<&'static Schema> {
        std::iter::once(&TOP)
            .chain(SECTIONS)
            .filter(|schema| schema.title != self.title && schema.key(key).is_some())
            .collect()
    }

    /// A key as it is written in a file: `listen` at the top is `[listen]`.
    fn written<'a>(&self, name: &'a str) -> &'a str {
        let below = self.key(name).and_then(Key::table);
        below.map_or(name, |schema| schema.title)
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
        let moved = MOVED
            .iter()
            .find(|(title, name, _)| *title == self.title && *name == key);
        if let Some((_, _, fix)) = moved {
            return format!("{unknown}; {fix}");
        }
        let near = near.map(|near| format!("did you mean `{}`?", self.written(near)));
        let homes = (!homes.is_empty()).then(|| format!("it belongs {}", homes.join(" or ")));
        match (near, homes) {
            (Some(near), Some(homes)) => format!("{unknown}; {near} Otherwise {homes}"),
            (Some(fix), None) | (None, Some(fix)) => format!("{unknown}; {fix}"),
            (None, None) => unknown,
        }
    }
}
