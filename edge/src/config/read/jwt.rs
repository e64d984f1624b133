//! `[host.route.jwt]`: whose tokens are good, and for what.

use std::time::Duration;

use crate::config::Jwt;
use crate::config::item::Item;
use crate::config::schema::JWT;
use crate::config::table::Table;
use crate::config::value::{Invalid, check_scope, check_url};

/// Clocks of two machines differ by less, or by far more.
const LEEWAY_DEFAULT: Duration = Duration::from_secs(30);
const LEEWAY_MOST: Duration = Duration::from_secs(10 * 60);

/// Reads the table.
pub(super) fn read(item: &Item<'_>) -> Option<Jwt> {
    let table = item.table(JWT)?;
    let url = |item: Item<'_>| item.parse("a URL such as \"https://auth.example.com\"", check_url);
    let issuer = table.required("issuer", "\"https://auth.example.com\"");
    let issuer = issuer.and_then(url);
    let jwks = table.item("jwks").and_then(url);
    let resource = table.item("resource").and_then(url);
    let audiences = texts(&table, "audiences", |text| match text {
        "" => Err(Invalid::new("an audience is not empty")),
        text => Ok(text.to_owned()),
    });
    let scopes = scopes(&table);
    let leeway = table.duration("leeway", LEEWAY_DEFAULT, Duration::ZERO..=LEEWAY_MOST);
    // A token that is good for anybody proves nothing to this resource (RFC 8725 §3.9).
    if ["resource", "audiences"].iter().all(|key| table.lacks(key)) {
        let message = "[host.route.jwt] does not say what tokens must be meant for; add \
                       `audiences = [\"https://api.example.com\"]`, or `resource` with the URL of this route";
        table.report().error(table.span(), message);
    }
    if let (Some(item), Some([])) = (table.item("audiences"), audiences.as_deref()) {
        item.error("is empty, so that no token would be good; name what tokens are meant for");
    }
    let own = || {
        resource
            .as_deref()
            .map_or_else(Vec::new, with_and_without_slash)
    };
    Some(Jwt {
        issuer: issuer?,
        jwks,
        audiences: audiences.unwrap_or_else(own),
        resource,
        scopes,
        leeway,
    })
}

/// A list of scopes.
pub(super) fn scopes(table: &Table<'_>) -> Vec<String> {
    texts(table, "scopes", check_scope).unwrap_or_default()
}

fn texts(
    table: &Table<'_>,
    name: &'static str,
    parser: impl Fn(&str) -> Result<String, Invalid>,
) -> Option<Vec<String>> {
    let items = table.item(name)?.list("a list of texts")?;
    Some(
        items
            .iter()
            .filter_map(|item| item.parse("a text", &parser))
            .collect(),
    )
}

/// Clients write the root of a host either way.
fn with_and_without_slash(resource: &str) -> Vec<String> {
    let bare = resource.trim_end_matches('/');
    vec![bare.to_owned(), format!("{bare}/")]
}
