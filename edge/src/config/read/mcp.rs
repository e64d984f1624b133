//! `[host.route.mcp]` and the tables below it.

use std::time::Duration;

use toml::de::DeValue;

use super::{jwt, rate};
use crate::config::item::Item;
use crate::config::schema::{MCP, MCP_LIMIT, MCP_METHOD, MCP_TOOL, Schema};
use crate::config::table::Table;
use crate::config::value::{
    Invalid, NamePattern, NameRules, check_origin, check_param_name, check_route_path,
};
use crate::config::{Mcp, McpKey, McpLimit, NameLimit, Rate, Secrets};

const KIB: u64 = 1024;
const SECOND: Duration = Duration::from_secs(1);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);
/// A network behind one address may hold many clients, each with a stream or two.
const STREAMS_DEFAULT: u32 = 256;
/// Streams are few and long: a client that opens one a second is broken, or in a hurry to return.
const OPENS_DEFAULT: Rate = Rate {
    per_sec: 1.0,
    burst: STREAMS_DEFAULT,
};
const COUNT_MAX: u64 = 60_000;
const SECRET_LEAST: usize = 32;

/// Whether a route asks for tokens.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Tokens {
    Checked,
    Unchecked,
}

/// `mcp = true`, `mcp = false`, or a table.
pub(super) fn read(route: &Table<'_>, tokens: Tokens) -> Option<Mcp> {
    let item = route.item("mcp")?;
    match item.value() {
        DeValue::Boolean(false) => None,
        DeValue::Boolean(true) => Some(options(&Table::absent(MCP, item.report()), tokens)),
        DeValue::Table(_) => item.table(MCP).map(|table| options(&table, tokens)),
        _ => item.mismatch("true, false or a table, under [host.route.mcp]"),
    }
}

fn options(table: &Table<'_>, tokens: Tokens) -> Mcp {
    let limit = limit(&table.table("limit", MCP_LIMIT));
    let health = table
        .item("health")
        .and_then(|item| item.parse("a path such as \"/mcp/health\"", check_route_path));
    let mcp = Mcp {
        origins: origins(table),
        health,
        body_prefix: table.size("body_prefix", 64 * KIB, KIB..=1024 * KIB) as usize,
        verify: table.flag("verify").unwrap_or(false),
        methods: rules(table, "methods_allow", "methods_deny"),
        tools: rules(table, "tools_allow", "tools_deny"),
        session_secrets: secrets(table, &limit),
        session_idle: table.duration("session_idle", 3600 * SECOND, SECOND..=30 * DAY),
        list_cache: table
            .item("list_cache")
            .and_then(|_| table.duration_or_off("list_cache", DAY, SECOND / 100..=DAY)),
        method_limits: names(table, "method", MCP_METHOD, &limit, tokens),
        tool_limits: names(table, "tool", MCP_TOOL, &limit, tokens),
        limit,
    };
    if let (Tokens::Unchecked, Some(name)) = (tokens, mcp.claims().first()) {
        table.report().error(
            table.span(),
            format!(
                "a limit counts by \"claim:{name}\", and nobody checks tokens here; \
                 add [host.route.jwt]"
            ),
        );
    }
    mcp
}

/// Secrets are never repeated in a message.
fn secrets(table: &Table<'_>, limit: &McpLimit) -> Secrets {
    let Some(list) = table.item("session_secrets") else {
        return Secrets::default();
    };
    let items = list.list("a list of secrets").unwrap_or_default();
    let secret = |item: &Item<'_>| {
        let text = item.value().as_str();
        if text.is_none_or(|text| text.len() < SECRET_LEAST) {
            item.error(format!(
                "must be texts of at least {SECRET_LEAST} characters; `openssl rand -hex 32` makes one"
            ));
        }
        text.map(str::to_owned)
    };
    let secrets: Vec<String> = items.iter().filter_map(secret).collect();
    if !secrets.is_empty() && limit.sessions.is_some() {
        list.error("sessions that are sealed are not counted; leave out `sessions` in [host.route.mcp.limit]");
    }
    Secrets(secrets)
}

fn origins(table: &Table<'_>) -> Option<Vec<String>> {
    let list = table.item("origins")?;
    let items = list.list("a list of origins such as [\"https://app.example.com\"]")?;
    let expected = "an origin such as \"https://app.example.com\"";
    let origins = items
        .iter()
        .filter_map(|item| item.parse(expected, check_origin));
    Some(origins.collect())
}

fn rules(table: &Table<'_>, allow: &'static str, deny: &'static str) -> NameRules {
    let list = |name| -> Option<Vec<NamePattern>> {
        let items = table
            .item(name)?
            .list("a list of names such as [\"add\", \"files_*\"]")?;
        let names = items
            .iter()
            .filter_map(|item| item.parse("a name such as \"add\"", NamePattern::parse));
        Some(names.collect())
    };
    NameRules {
        allow: list(allow),
        deny: list(deny).unwrap_or_default(),
    }
}

fn limit(table: &Table<'_>) -> McpLimit {
    let key = table.item("key").and_then(|item| key(&item));
    let count = |name, default| match table.item(name) {
        Some(item) if item.is("off") => None,
        Some(item) => item
            .integer("a whole number, or \"off\"")
            .and_then(|number| item.within(number, 1..=i128::from(COUNT_MAX), |n| n.to_string()))
            .map_or(default, |number| Some(number as u32)),
        None => default,
    };
    McpLimit {
        key: key.unwrap_or(McpKey::Address),
        calls: rate::read_or_off(table, "calls", "calls_burst"),
        streams: count("streams", Some(STREAMS_DEFAULT)),
        opens: rate::read_or(table, "opens", "opens_burst", Some(OPENS_DEFAULT)),
        sessions: count("sessions", None),
    }
}

fn key(item: &Item<'_>) -> Option<McpKey> {
    item.parse(
        "one of \"address\", \"token\", \"session\", \"param:NAME\", \"claim:NAME\"",
        |text| match text {
            "address" => Ok(McpKey::Address),
            "token" => Ok(McpKey::Token),
            "session" => Ok(McpKey::Session),
            "everybody" => Ok(McpKey::Everybody),
            text => match text.split_once(':') {
                Some(("param", name)) => check_param_name(name).map(McpKey::Param),
                Some(("claim", name)) if !name.is_empty() => Ok(McpKey::Claim(name.to_owned())),
                _ => Err(Invalid::new(format!(
                    "{text:?} is not one of \"address\", \"token\", \"session\", \"everybody\", \
                     \"param:NAME\", \"claim:NAME\""
                ))),
            },
        },
    )
}

/// The tables of tools, or of methods.
fn names(
    parent: &Table<'_>,
    kind: &'static str,
    schema: Schema,
    limit: &McpLimit,
    tokens: Tokens,
) -> Vec<NameLimit> {
    if parent.item(kind).is_none() {
        return Vec::new();
    }
    let (example, empty) = match kind {
        "method" => ("\"tools/list\"", "there is no method in this list"),
        _ => ("\"search\"", "there is no tool in this list"),
    };
    let tables = parent.tables(kind, schema, empty);
    let mut names = Vec::new();
    for table in tables {
        let name = table
            .required("name", example)
            .and_then(|item| item.parse("a name such as \"search\"", NamePattern::parse));
        let calls = rate::read_or_off(&table, "calls", "calls_burst");
        let cost_max = limit.calls.map_or(COUNT_MAX, |rate| u64::from(rate.burst));
        let cost = table.integer("cost", 1, 1..=cost_max) as u32;
        let key = table.item("key").and_then(|item| key(&item));
        let scopes = jwt::scopes(&table);
        if let (Tokens::Unchecked, Some(item)) = (tokens, table.item("scopes")) {
            item.error("nobody checks tokens here; add [host.route.jwt]");
        }
        if let Some(name) = name {
            names.push(NameLimit {
                scopes,
                name,
                calls,
                key: key.unwrap_or_else(|| limit.key.clone()),
                cost,
            });
        }
    }
    names
}
