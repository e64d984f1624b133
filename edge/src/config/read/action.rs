//! What a route does with a request.

use std::sync::Arc;
use std::time::Duration;

use http::StatusCode;

use super::cache;
use super::files::{self, Otherwise};
use super::mcp::{self, Tokens};
use super::redirect::{redirect_to, template};
use super::respond::{respond, status};
use super::route::Outer;
use crate::config::table::Table;
use crate::config::types::{Piece, Variable};
use crate::config::{Action, CacheRules, PathMatch, ProxyAction, Rewrite};

const KEEP_ALIVE_DEFAULT: Duration = Duration::from_secs(15);
/// More often would be traffic of its own.
const KEEP_ALIVE_LEAST: Duration = Duration::from_millis(100);
const KEEP_ALIVE_MOST: Duration = Duration::from_secs(60 * 60);

/// Temporary, and the method stays: a mistake is not remembered by clients for ever.
pub(super) const REDIRECT_DEFAULT: StatusCode = StatusCode::TEMPORARY_REDIRECT;
const RESPONSE_TIMEOUT_LEAST: Duration = Duration::from_millis(10);
const RESPONSE_TIMEOUT_MOST: Duration = Duration::from_secs(24 * 60 * 60);

/// Keys that mean something only beside a certain action.
const OF_ACTION: &[(&str, &[&str])] = &[
    (
        "upstream",
        &[
            "strip_prefix",
            "rewrite",
            "keep_alive",
            "response_timeout",
            "buffer_request",
            "websocket",
            "cache",
            "mcp",
        ],
    ),
    ("redirect", &["status"]),
    ("files", &["strip_prefix"]),
    ("respond", &["status", "content_type"]),
];

pub(super) fn action(
    table: &Table<'_>,
    outer: &mut Outer<'_, '_>,
    path: Option<&PathMatch>,
    tokens: Tokens,
) -> Option<Action> {
    let given: Vec<&str> = OF_ACTION
        .iter()
        .map(|(key, _)| *key)
        .filter(|key| table.item_named(key).is_some())
        .collect();
    // Files are looked for first where there are both.
    let given = match given[..] {
        ["upstream", "files"] => vec!["upstream"],
        _ => given,
    };
    if let [first, second, ..] = given[..] {
        let item = table.item_named(second).expect("found above");
        item.error(format!(
            "there is `{first}` already; a route has one of `upstream`, `redirect`, `files` and `respond`, or `files` and \
             `upstream`, which gets what is no file"
        ));
        return None;
    }
    let kind = given.first().copied().unwrap_or("upstream");
    let allowed = OF_ACTION.iter().find(|(key, _)| *key == kind);
    for (other, keys) in OF_ACTION {
        for key in *keys {
            let fits = allowed.is_some_and(|(_, allowed)| allowed.contains(key));
            if let Some(item) = table.item_named(key).filter(|_| !fits) {
                item.error(format!("has no meaning without `{other}`"));
            }
        }
    }
    match kind {
        "redirect" => {
            let status = status(table, 301..=308, REDIRECT_DEFAULT);
            let item = table.item("redirect")?;
            redirect_to(&item, status, path?).map(Action::Redirect)
        }
        "files" => {
            refuse_strip_of_regex(table, path);
            let files = files::read(table, outer.places, Otherwise::Nothing)?;
            Some(Action::Files(Box::new(files)))
        }
        "respond" => respond(table).map(Action::Respond),
        _ => {
            let upstream = table
                .required("upstream", "\"http://127.0.0.1:8000\"")
                .and_then(|item| outer.upstreams.resolve(&item, outer.sockets));
            let rewrite = rewrite(table, path);
            let keep_alive = table.duration_or_off(
                "keep_alive",
                KEEP_ALIVE_DEFAULT,
                KEEP_ALIVE_LEAST..=KEEP_ALIVE_MOST,
            );
            let response_timeout = table.item("response_timeout").map(|_| {
                let bounds = RESPONSE_TIMEOUT_LEAST..=RESPONSE_TIMEOUT_MOST;
                table.duration("response_timeout", RESPONSE_TIMEOUT_LEAST, bounds)
            });
            let buffer_request = table.flag("buffer_request").unwrap_or(false);
            let websocket = table.flag("websocket").unwrap_or(true);
            let mcp = mcp::read(table, tokens).map(Arc::new);
            let cache = stored(table, mcp.is_some()).map(Arc::new);
            let files = match table.item("files") {
                Some(item) if mcp.is_some() => {
                    item.error("requests of MCP are for no file; make another route for files");
                    None
                }
                Some(_) => files::read(table, outer.places, Otherwise::Upstream).map(Box::new),
                None => None,
            };
            // Not before everything is read: the other keys may be wrong too.
            Some(Action::Proxy(ProxyAction {
                upstream: upstream?,
                rewrite,
                keep_alive,
                response_timeout,
                buffer_request,
                websocket,
                files,
                cache,
                mcp,
            }))
        }
    }
}

/// What is stored by the rules of HTTP, which say nothing of a POST; a call is answered for one client.
fn stored(table: &Table<'_>, is_mcp: bool) -> Option<CacheRules> {
    let rules = cache::read(table);
    if let (Some(_), true, Some(item)) = (&rules, is_mcp, table.item("cache")) {
        item.error(
            "answers to calls of MCP are not stored; leave it out, or make another route \
             (lists are kept with `list_cache` in [host.route.mcp])",
        );
    }
    rules
}

fn rewrite(table: &Table<'_>, path: Option<&PathMatch>) -> Rewrite {
    let strip = table.flag("strip_prefix") == Some(true);
    if let (true, Some(item)) = (strip, table.item("rewrite")) {
        item.error("there is `strip_prefix` already; `rewrite = \"{rest}\"` is the same");
    }
    if strip {
        refuse_strip_of_regex(table, path);
        return Rewrite::StripPrefix;
    }
    let template = table.item("rewrite").and_then(|item| {
        let template = template(&item, path)?;
        let starts = match template.pieces.first() {
            Some(Piece::Text(text)) => text.starts_with('/'),
            Some(Piece::Variable(variable)) => {
                matches!(variable, Variable::Path | Variable::Uri | Variable::Rest)
            }
            None => false,
        };
        if !starts {
            item.error("is no path; begin with a slash, {path}, {uri} or {rest}");
        }
        Some(template)
    });
    template.map_or(Rewrite::Keep, Rewrite::To)
}

fn refuse_strip_of_regex(table: &Table<'_>, path: Option<&PathMatch>) {
    let strip = table.flag("strip_prefix") == Some(true);
    if let (true, Some(item), Some(PathMatch::Regex(_))) = (strip, table.item("strip_prefix"), path)
    {
        item.error("an expression is no prefix; write `rewrite` with its groups, such as \"/{1}\"");
    }
}
