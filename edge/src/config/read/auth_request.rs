//! `[host.route.auth_request]`: the service that is asked, and what passes both ways.

use std::time::Duration;

use super::listen::Sockets;
use super::upstream::Upstreams;
use crate::config::item::Item;
use crate::config::schema::AUTH_REQUEST;
use crate::config::table::Table;
use crate::config::types::{AuthRequest, RequestPart};
use crate::config::value::{Invalid, check_field_name, check_route_path, is_token, quote};

const TIMEOUT_DEFAULT: Duration = Duration::from_secs(5);
const LEAST: Duration = Duration::from_millis(10);
const MINUTE: Duration = Duration::from_secs(60);
/// What was allowed an hour ago says little of now.
const CACHE_MOST: Duration = Duration::from_secs(60 * 60);
/// A question is a head: it has room for no more.
const FIELDS_MAX: usize = 32;

const REQUEST_FIELDS: &[&str] = &["authorization", "cookie"];
const REFUSAL_FIELDS: &[&str] = &["www-authenticate", "set-cookie"];

/// Reads the table.
pub(super) fn read(
    item: &Item<'_>,
    upstreams: &mut Upstreams<'_>,
    sockets: &Sockets,
) -> Option<AuthRequest> {
    let table = item.table(AUTH_REQUEST)?;
    let upstream = table
        .required("upstream", "\"http://127.0.0.1:9000\"")
        .and_then(|item| upstreams.resolve(&item, sockets));
    let path = table
        .item("path")
        .and_then(|item| item.parse("a path such as \"/verify\"", check_target));
    let request_fields = names(&table, "request_headers", REQUEST_FIELDS, &["host"]);
    let own = ["host", "date", "content-type", "content-encoding"];
    let refusal_fields = names(&table, "refusal_headers", REFUSAL_FIELDS, &own);
    let upstream_fields = names(&table, "upstream_headers", &[], &["host"]);
    let user_field = table.item("user_header").and_then(|item| {
        let name = item.parse("the name of a header field", check_field_name)?;
        Some(name.into())
    });
    let timeout = table.duration("timeout", TIMEOUT_DEFAULT, LEAST..=MINUTE);
    let cache = match table.item("cache") {
        None => None,
        Some(item) if item.is("off") => None,
        Some(_) => Some(table.duration("cache", LEAST, LEAST..=CACHE_MOST)),
    };
    let cache_key = cache_key(&table, &request_fields);
    Some(AuthRequest {
        upstream: upstream?,
        path: path.unwrap_or_else(|| "/".to_owned()),
        request_fields,
        refusal_fields,
        upstream_fields,
        user_field,
        timeout,
        cache,
        cache_key,
    })
}

/// A path, and a query behind it.
fn check_target(text: &str) -> Result<String, Invalid> {
    let (path, query) = match text.split_once('?') {
        Some((path, query)) => (path, Some(query)),
        None => (text, None),
    };
    let stem = match path.strip_suffix('/') {
        Some(stem) if !stem.is_empty() => stem,
        _ => path,
    };
    check_route_path(stem)?;
    let visible = |query: &str| query.bytes().all(|b| b.is_ascii_graphic() && b != b'#');
    match query.is_none_or(visible) {
        true => Ok(text.to_owned()),
        false => Err(Invalid::new(format!(
            "the query of {} holds what has to be percent-encoded",
            quote(text)
        ))),
    }
}

/// A list of fields, none of which is among those that are not to be passed on.
fn names(table: &Table<'_>, key: &'static str, default: &[&str], never: &[&str]) -> Vec<Box<str>> {
    if table.item(key).is_none() {
        return default.iter().map(|name| (*name).into()).collect();
    }
    let names = table.list_of(key, "a list of fields such as [\"X-User\"]", |text| {
        let name = check_field_name(text)?;
        match never.contains(&name.as_str()) {
            true => Err(Invalid::new(format!(
                "{} is made by edge itself",
                quote(text)
            ))),
            false => Ok(name.into_boxed_str()),
        }
    });
    if let (true, Some(item)) = (names.len() > FIELDS_MAX, table.item(key)) {
        item.error(format!("names more than {FIELDS_MAX} fields"));
    }
    names
}

/// What makes requests alike: unless the file says less, all that the service can see.
fn cache_key(table: &Table<'_>, sent: &[Box<str>]) -> Vec<RequestPart> {
    let Some(item) = table.item("cache_key") else {
        let all = [
            RequestPart::Address,
            RequestPart::Host,
            RequestPart::Method,
            RequestPart::Uri,
        ];
        let fields = sent.iter().cloned().map(RequestPart::Header);
        return all.into_iter().chain(fields).collect();
    };
    if table.lacks("cache") {
        item.error("has no meaning without `cache`");
    }
    let parts = table.list_of(
        "cache_key",
        "a list of parts such as [\"header:Authorization\", \"uri\"]",
        part,
    );
    if parts.is_empty() {
        item.error(
            "is empty, so that one answer would stand for everybody; name what it depends on",
        );
    }
    parts
}

fn part(text: &str) -> Result<RequestPart, Invalid> {
    match (text, text.split_once(':')) {
        ("address", _) => Ok(RequestPart::Address),
        ("host", _) => Ok(RequestPart::Host),
        ("method", _) => Ok(RequestPart::Method),
        ("uri", _) => Ok(RequestPart::Uri),
        (_, Some(("header", name))) if is_token(name) => {
            Ok(RequestPart::Header(name.to_ascii_lowercase().into()))
        }
        (_, Some(("cookie", name))) if is_token(name) => Ok(RequestPart::Cookie(name.into())),
        _ => Err(Invalid::new(format!("{} is no part of a request", quote(text))).fix(
            "write \"address\", \"host\", \"method\", \"uri\", \"header:NAME\" or \"cookie:NAME\"",
        )),
    }
}
