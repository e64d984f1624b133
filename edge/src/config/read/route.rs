//! `[[host.route]]`: which requests a route takes, and what it does with them.

use std::collections::HashMap;
use std::ops::RangeInclusive;
use std::sync::Arc;
use std::time::Duration;

use http::{Method, StatusCode};
use regex::bytes::{Regex, RegexBuilder};

use super::authentication;
use super::cache;
use super::compress;
use super::files;
use super::headers::Rules;
use super::limits::{Guards, Limits};
use super::listen::Sockets;
use super::mcp;
use super::tls::Places;
use super::upstream::Upstreams;
use crate::config::item::Item;
use crate::config::schema::ROUTE;
use crate::config::table::Table;
use crate::config::types::{FieldMatch, Piece, Template, Variable};
use crate::config::value::{
    Invalid, check_route_path, is_token, parse_field_match, parse_template, quote,
};
use crate::config::{
    Action, Authentication, CacheRules, PathMatch, ProxyAction, RedirectAction, RespondAction,
    Rewrite, Route, RouteMatch,
};

const KEEP_ALIVE_DEFAULT: Duration = Duration::from_secs(15);
/// More often would be traffic of its own.
const KEEP_ALIVE_LEAST: Duration = Duration::from_millis(100);
const KEEP_ALIVE_MOST: Duration = Duration::from_secs(60 * 60);

/// Compiled expressions are held by every worker; one that needs more than this is not a path.
const REGEX_BYTES_MAX: usize = 256 * 1024;
/// Routes are tried one after the other.
const ROUTES_MAX: usize = 1000;

/// Temporary, and the method stays: a mistake is not remembered by clients for ever.
const REDIRECT_DEFAULT: StatusCode = StatusCode::TEMPORARY_REDIRECT;
const RESPONSE_TIMEOUT_LEAST: Duration = Duration::from_millis(10);
const RESPONSE_TIMEOUT_MOST: Duration = Duration::from_secs(24 * 60 * 60);
const CONTENT_TYPE_DEFAULT: &str = "text/plain; charset=utf-8";

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

/// What a route is read within.
pub(super) struct Outer<'o, 'a> {
    pub(super) rules: &'o Rules,
    pub(super) guards: &'o Guards,
    pub(super) auth: &'o Authentication,
    pub(super) limits: &'o Limits,
    pub(super) upstreams: &'o mut Upstreams<'a>,
    pub(super) sockets: &'o Sockets,
    pub(super) places: &'o mut Places,
}

/// Reads the routes of a host.
pub(super) fn read(host: &Table<'_>, outer: &mut Outer<'_, '_>) -> Vec<Route> {
    let rules = outer.rules;
    let redirect = host.item("redirect").and_then(|item| {
        let action = redirect_to(&item, REDIRECT_DEFAULT, &PathMatch::Prefix("/".to_owned()))?;
        Some(Route {
            response_rules: rules.response.clone(),
            access: outer.guards.access.clone(),
            auth: outer.auth.clone(),
            limits: outer.guards.limits.clone(),
            ..Route::for_prefix("/", Action::Redirect(action))
        })
    });
    if host.item("redirect").is_some() && host.item("route").is_none() {
        return redirect.into_iter().collect();
    }
    let missing = "this host has no route; add a [[host.route]] with \
         `upstream = \"http://127.0.0.1:8000\"` under it";
    let tables = host.tables("route", ROUTE, missing);
    if tables.len() > ROUTES_MAX {
        let message = format!("this host has more than {ROUTES_MAX} routes");
        host.report().error(host.span(), message);
    }
    let mut seen: HashMap<String, usize> = HashMap::new();
    let routes = tables
        .iter()
        .filter_map(|table| route(table, outer, &mut seen));
    routes.chain(redirect).collect()
}

fn route(
    table: &Table<'_>,
    outer: &mut Outer<'_, '_>,
    seen: &mut HashMap<String, usize>,
) -> Option<Route> {
    let when = conditions(table, seen);
    let path = when.as_ref().map(|when| &when.path);
    let action = action(table, outer, path);
    let auth = authentication::read(
        table,
        outer.auth,
        outer.upstreams,
        outer.sockets,
        outer.places,
    );
    let rules = outer.rules.and(table);
    let guards = outer.limits.guards(table, outer.guards);
    let (when, action) = (when?, action?);
    Some(Route {
        early_data: table.flag("early_data").unwrap_or(false),
        path: when.path.to_string(),
        when,
        request_rules: rules.request,
        response_rules: rules.response,
        access: guards.access,
        auth,
        limits: guards.limits,
        body_bytes_max: guards.body_bytes_max,
        compress: compress::read(table).map(Arc::new),
        action,
    })
}

/// Which requests the route takes; two routes of a host may not take the same.
fn conditions(table: &Table<'_>, seen: &mut HashMap<String, usize>) -> Option<RouteMatch> {
    let path = path(table);
    let methods = table.list_of("methods", "a list of methods such as [\"POST\"]", method);
    let mut fields = table.list_of(
        "headers",
        "a list of conditions such as [\"X-Version: 2\"]",
        parse_field_match,
    );
    fields.sort_by(|a: &FieldMatch, b| a.name.cmp(&b.name));
    let when = RouteMatch {
        path: path?,
        methods,
        fields,
    };
    let key = ["path", "exact", "regex"]
        .into_iter()
        .find_map(|key| table.item(key).map(|item| (key, item.span())));
    let (key, span) = key.unwrap_or(("path", table.span()));
    let line = table.report().line(span.start);
    if let Some(first) = seen.insert(when.identity(), line) {
        let path = match &when.path {
            PathMatch::Prefix(path) | PathMatch::Exact(path) => quote(path),
            PathMatch::Regex(regex) => quote(regex.as_str()),
        };
        let message = format!("`{key}`: this host already has a route for {path}, on line {first}");
        table.report().error(span, message);
    }
    Some(when)
}

fn path(table: &Table<'_>) -> Option<PathMatch> {
    let given: Vec<(&str, Item<'_>)> = ["path", "exact", "regex"]
        .into_iter()
        .filter_map(|key| table.item(key).map(|item| (key, item)))
        .collect();
    let expected = "a path such as \"/mcp\"";
    match &given[..] {
        [] => Some(PathMatch::Prefix("/".to_owned())),
        [("path", item)] => item
            .parse(expected, check_route_path)
            .map(PathMatch::Prefix),
        [("exact", item)] => item.parse(expected, exact).map(PathMatch::Exact),
        [(_, item)] => item
            .parse("a regular expression such as \"^/v[0-9]+/\"", regex)
            .map(PathMatch::Regex),
        [(first, _), (_, second), ..] => {
            second.error(format!(
                "there is `{first}` already; a route has one of `path`, `exact` and `regex`"
            ));
            None
        }
    }
}

/// An exact path may end in a slash; otherwise it is written as a prefix is.
fn exact(text: &str) -> Result<String, Invalid> {
    match text.strip_suffix('/') {
        Some(stem) if !stem.is_empty() && !stem.ends_with('/') => {
            check_route_path(stem).map(|stem| stem + "/")
        }
        _ => check_route_path(text),
    }
}

fn regex(text: &str) -> Result<Regex, Invalid> {
    // Paths are ASCII by the time they are matched, so Unicode classes have no use.
    RegexBuilder::new(text)
        .unicode(false)
        .size_limit(REGEX_BYTES_MAX)
        .dfa_size_limit(REGEX_BYTES_MAX)
        .build()
        .map_err(|error| match error {
            regex::Error::CompiledTooBig(_) => {
                Invalid::new(format!("{} is too large when compiled", quote(text)))
            }
            error => {
                // The library shows the expression with a mark; the last line says what is wrong.
                let text_of_error = error.to_string();
                let last = text_of_error.lines().last().unwrap_or_default();
                let reason = last.trim_start_matches("error: ");
                Invalid::new(format!(
                    "{} is not a regular expression: {reason}",
                    quote(text)
                ))
            }
        })
}

fn method(text: &str) -> Result<Method, Invalid> {
    let invalid = || Invalid::new(format!("{} is not a method", quote(text)));
    if text.bytes().any(|b| b.is_ascii_lowercase()) {
        let upper = text.to_ascii_uppercase();
        return Err(invalid().fix(format!("methods are in capitals: write {}", quote(&upper))));
    }
    match Method::from_bytes(text.as_bytes()) {
        Ok(Method::CONNECT | Method::TRACE) => {
            Err(Invalid::new(format!("{} is never served", quote(text))))
        }
        Ok(method) if is_token(text) => Ok(method),
        _ => Err(invalid()),
    }
}

fn action(
    table: &Table<'_>,
    outer: &mut Outer<'_, '_>,
    path: Option<&PathMatch>,
) -> Option<Action> {
    let given: Vec<&str> = OF_ACTION
        .iter()
        .map(|(key, _)| *key)
        .filter(|key| table.item_named(key).is_some())
        .collect();
    if let [first, second, ..] = given[..] {
        let item = table.item_named(second).expect("found above");
        item.error(format!(
            "there is `{first}` already; a route has one of `upstream`, `redirect`, `files` and `respond`"
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
            files::read(table, outer.places).map(|files| Action::Files(Box::new(files)))
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
            let mcp = mcp::read(table).map(Arc::new);
            Some(Action::Proxy(ProxyAction {
                upstream: upstream?,
                rewrite,
                keep_alive,
                response_timeout: table.item("response_timeout").map(|_| {
                    let bounds = RESPONSE_TIMEOUT_LEAST..=RESPONSE_TIMEOUT_MOST;
                    table.duration("response_timeout", RESPONSE_TIMEOUT_LEAST, bounds)
                }),
                buffer_request: table.flag("buffer_request").unwrap_or(false),
                websocket: table.flag("websocket").unwrap_or(true),
                cache: stored(table, mcp.is_some()).map(Arc::new),
                mcp,
            }))
        }
    }
}

/// What is stored; a call is answered for one client and its session.
fn stored(table: &Table<'_>, is_mcp: bool) -> Option<CacheRules> {
    let rules = cache::read(table);
    if let (Some(_), true, Some(item)) = (&rules, is_mcp, table.item("cache")) {
        item.error("answers to calls of MCP are not stored; leave it out, or make another route");
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

fn redirect_to(item: &Item<'_>, status: StatusCode, path: &PathMatch) -> Option<RedirectAction> {
    let to = template(item, Some(path))?;
    let absolute = match to.pieces.first() {
        Some(Piece::Text(text)) => {
            text.starts_with("https://")
                || text.starts_with("http://")
                || (text.starts_with('/') && !text.starts_with("//"))
        }
        Some(Piece::Variable(variable)) => matches!(
            variable,
            Variable::Scheme | Variable::Path | Variable::Uri | Variable::Rest
        ),
        None => false,
    };
    if !absolute {
        item.error("is no place to go to; write \"https://other.example{uri}\" or \"/path\"");
        return None;
    }
    if let Some(variable) = chooses_host(&to, path) {
        item.error(format!(
            "{variable:?} stands in the name of the host, so a client could choose where it leads; \
             write a slash before it"
        ));
        return None;
    }
    Some(RedirectAction { status, to })
}

/// A variable by which a client could extend the host of an absolute URL: `https://a.example{1}`
/// with a group of `.evil.example`.
fn chooses_host<'a>(to: &'a Template, path: &PathMatch) -> Option<&'a Variable> {
    let mut before = String::new();
    for piece in &to.pieces {
        match piece {
            Piece::Text(text) => before.push_str(text),
            Piece::Variable(Variable::Scheme) => before.push_str("http"),
            Piece::Variable(Variable::Host | Variable::Port) => before.push('h'),
            Piece::Variable(Variable::Path | Variable::Uri) => return None,
            Piece::Variable(Variable::Rest) if !matches!(path, PathMatch::Regex(_)) => {
                return None;
            }
            Piece::Variable(other) => return Some(other),
        }
        let after_scheme = before.split_once("://").map_or("/", |(_, rest)| rest);
        if after_scheme.contains(['/', '?']) {
            return None;
        }
    }
    None
}

/// A template; groups must be those of the route's expression.
fn template(item: &Item<'_>, path: Option<&PathMatch>) -> Option<Template> {
    let template = item.parse("text such as \"/v2{rest}\"", parse_template)?;
    let groups = match path {
        Some(PathMatch::Regex(regex)) => regex.captures_len() - 1,
        Some(_) => 0,
        None => usize::MAX,
    };
    for variable in template.variables() {
        match variable {
            Variable::Group(n) if *n > groups => {
                item.error(format!(
                    "uses {{{n}}}, and the path of this route has {groups} groups in brackets"
                ));
            }
            _ => {}
        }
    }
    Some(template)
}

fn respond(table: &Table<'_>) -> Option<RespondAction> {
    let item = table.item("respond")?;
    let content_type = table.item("content_type").and_then(|item| {
        item.parse("a media type such as \"application/json\"", |text| {
            let printable = text.bytes().all(|b| (b' '..=b'~').contains(&b));
            match printable && text.contains('/') {
                true => Ok(text.to_owned()),
                false => Err(Invalid::new(format!("{} is not a media type", quote(text)))),
            }
        })
    });
    let content_type = content_type.unwrap_or_else(|| CONTENT_TYPE_DEFAULT.to_owned());
    if let toml::de::DeValue::Integer(_) = item.value() {
        if let Some(status) = table.item("status") {
            status.error("`respond` is a status already");
        }
        let status = status_of(&item, 200..=599)?;
        return Some(RespondAction {
            status,
            body: None,
            content_type,
        });
    }
    let body = item.text("a status such as 404, or the text of the answer")?;
    Some(RespondAction {
        status: status(table, 200..=599, StatusCode::OK),
        body: Some(body.into()),
        content_type,
    })
}

fn status(table: &Table<'_>, bounds: RangeInclusive<i128>, default: StatusCode) -> StatusCode {
    table
        .item("status")
        .and_then(|item| status_of(&item, bounds))
        .unwrap_or(default)
}

fn status_of(item: &Item<'_>, bounds: RangeInclusive<i128>) -> Option<StatusCode> {
    let number = item.integer("a status such as 301")?;
    let redirects = bounds == (301..=308);
    let number = item.within(number, bounds, |number| number.to_string())?;
    if redirects && matches!(number, 304..=306) {
        item.error(format!(
            "{number} is no redirect; write 301, 302, 303, 307 or 308"
        ));
        return None;
    }
    StatusCode::from_u16(u16::try_from(number).ok()?).ok()
}
