//! What hosts and routes ask of their clients.

use std::sync::Arc;

use super::listen::Sockets;
use super::tls::Places;
use super::upstream::Upstreams;
use super::{auth_request, credentials};
use crate::config::item::Item;
use crate::config::table::Table;
use crate::config::types::Authentication;

/// Reads what a host or a route asks; `outer` holds where it says nothing.
pub(super) fn read(
    table: &Table<'_>,
    outer: &Authentication,
    upstreams: &mut Upstreams<'_>,
    sockets: &Sockets,
    places: &mut Places,
) -> Authentication {
    let auth = Authentication {
        keys: one(table, "api_keys", &outer.keys, |item| {
            credentials::keys(item, places)
        }),
        basic: one(table, "basic_auth", &outer.basic, |item| {
            credentials::basic(item, places)
        }),
        request: one(table, "auth_request", &outer.request, |item| {
            auth_request::read(item, upstreams, sockets)
        }),
    };
    // A request has one `Authorization`.
    let bearer = auth.keys.as_ref();
    let bearer = bearer.is_some_and(|keys| &*keys.field == "authorization");
    if auth.basic.is_some() && bearer {
        let item = table.item("basic_auth").or(table.item("api_keys"));
        let span = item.map_or(table.span(), |item| item.span());
        let message = "`basic_auth` and `api_keys` both want `Authorization`; \
                       write `header = \"X-API-Key\"` in `api_keys`";
        table.report().error(span, message);
    }
    auth
}

fn one<T>(
    table: &Table<'_>,
    key: &'static str,
    outer: &Option<Arc<T>>,
    read: impl FnOnce(&Item<'_>) -> Option<T>,
) -> Option<Arc<T>> {
    match table.item(key) {
        None => outer.clone(),
        Some(item) if item.is("off") => None,
        Some(item) => read(&item).map(Arc::new),
    }
}
