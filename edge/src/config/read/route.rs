//! `[[host.route]]`: the routes of a host, and what each inherits.

use std::collections::HashMap;
use std::sync::Arc;

use super::action::{REDIRECT_DEFAULT, action};
use super::authentication;
use super::compress;
use super::conditions;
use super::headers::Rules;
use super::limits::{Guards, Limits};
use super::listen::Sockets;
use super::mcp::Tokens;
use super::redirect::redirect_to;
use super::tls::Places;
use super::upstream::Upstreams;
use crate::config::schema::ROUTE;
use crate::config::table::Table;
use crate::config::types::claims::claims_named;
use crate::config::{Action, Authentication, FieldRule, LimitKey, PathMatch, Route};

/// Routes are tried one after the other.
const ROUTES_MAX: usize = 1000;

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
    let when = conditions::read(table, seen);
    let path = when.as_ref().map(|when| &when.path);
    let auth = authentication::read(
        table,
        outer.auth,
        outer.upstreams,
        outer.sockets,
        outer.places,
    );
    let tokens = match auth.jwt {
        Some(_) => Tokens::Checked,
        None => Tokens::Unchecked,
    };
    let action = action(table, outer, path, tokens);
    let rules = outer.rules.and(table);
    let guards = outer.limits.guards(table, outer.guards);
    let (when, action) = (when?, action?);
    check_tokens(table, &auth, &guards, &action);
    if auth.jwt.is_none() {
        check_claims(table, &rules.request[outer.rules.request.len()..], &action);
    }
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

/// Nothing is known of a token that nobody asks for: a claim in `rules`, which are the route's own, or
/// in what it does would be empty.
fn check_claims(table: &Table<'_>, rules: &[FieldRule], action: &Action) {
    let of_rules = claims_named(rules)
        .next()
        .map(|claim| ("request_headers", claim));
    let made = |claim| match action {
        Action::Redirect(_) => ("redirect", claim),
        _ => ("rewrite", claim),
    };
    let Some((key, claim)) = of_rules.or_else(|| action.claims().next().map(made)) else {
        return;
    };
    let span = table.item(key).map_or(table.span(), |item| item.span());
    let message = format!(
        "`{key}`: {{claim:{claim}}} would be empty, for nobody checks tokens here; add [host.route.jwt] \
         with `issuer` and `audiences`, or leave it out"
    );
    table.report().error(span, message);
}

/// What is asked of tokens where there are none, or that their clients could not find out.
fn check_tokens(table: &Table<'_>, auth: &Authentication, guards: &Guards, action: &Action) {
    let jwt = table.item("jwt");
    match &auth.jwt {
        Some(jwt_of_route) if action.mcp().is_some() && jwt_of_route.resource.is_none() => {
            let span = jwt.map_or(table.span(), |item| item.span());
            let message = "clients of `mcp` find out from [host.route.jwt] where to get a token; \
                           add `resource = \"https://mcp.example.com/mcp\"` to it";
            table.report().error(span, message);
        }
        Some(_) => {}
        // Whoever writes "off" knows that those limits count by address here.
        None if jwt.is_some_and(|item| item.is("off")) => {}
        None => {
            let claim = guards.limits.iter().find_map(|limit| match &limit.key {
                LimitKey::Claim(name) => Some((&limit.name, name)),
                _ => None,
            });
            if let Some((limit, claim)) = claim {
                let span = table
                    .item("limits")
                    .map_or(table.span(), |item| item.span());
                let message = format!(
                    "the limit {limit:?} counts by \"claim:{claim}\", and nobody checks tokens \
                     here; add [host.route.jwt]"
                );
                table.report().error(span, message);
            }
        }
    }
}
