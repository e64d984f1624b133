//! What hosts and routes ask of their clients.

use std::sync::Arc;

use super::listen::Sockets;
use super::tls::Places;
use super::upstream::Upstreams;
use super::{auth_request, credentials, jwt};
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
        jwt: one(table, "jwt", &outer.jwt, jwt::read),
        basic: one(table, "basic_auth", &outer.basic, |item| {
            credentials::basic(item, places)
        }),
        request: one(table, "auth_request", &outer.request, |item| {
            auth_request::read(item, upstreams, sockets)
        }),
    };
    refuse_two_in_one_field(table, &auth);
    auth
}

/// A request has one `Authorization`.
fn refuse_two_in_one_field(table: &Table<'_>, auth: &Authentication) {
    let keys = auth.keys.as_ref();
    let wanted = [
        (
            "api_keys",
            keys.is_some_and(|keys| &*keys.field == "authorization"),
        ),
        ("jwt", auth.jwt.is_some()),
        ("basic_auth", auth.basic.is_some()),
    ];
    let mut wanted = wanted.iter().filter(|(_, wanted)| *wanted);
    let (Some((first, _)), Some((second, _))) = (wanted.next(), wanted.next()) else {
        return;
    };
    let item = table.item(second).or(table.item(first));
    let span = item.map_or(table.span(), |item| item.span());
    let fix = match *first {
        "api_keys" => "write `header = \"X-API-Key\"` in `api_keys`",
        _ => "leave one of them out",
    };
    let message = format!("`{second}` and `{first}` both want `Authorization`; {fix}");
    table.report().error(span, message);
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
