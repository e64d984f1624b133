//! `[host.route.mcp.auth]`: whose tokens are good, and for what.

use crate::config::McpAuth;
use crate::config::item::Item;
use crate::config::schema::MCP_AUTH;
use crate::config::table::Table;
use crate::config::value::{Invalid, check_scope, check_url};

/// Reads the table, if it is there.
pub(super) fn read(mcp: &Table<'_>) -> Option<McpAuth> {
    let table = mcp.item("auth")?.table(MCP_AUTH)?;
    let url = |item: Item<'_>| item.parse("a URL such as \"https://auth.example.com\"", check_url);
    let issuer = table.required("issuer", "\"https://auth.example.com\"");
    let resource = table.required("resource", "\"https://mcp.example.com/mcp\"");
    let jwks = table.item("jwks").and_then(url);
    let (issuer, resource) = (issuer.and_then(url), resource.and_then(url));
    let audiences = texts(&table, "audiences", |text| match text {
        "" => Err(Invalid::new("an audience is not empty")),
        text => Ok(text.to_owned()),
    });
    let scopes = scopes(&table);
    let resource = resource?;
    Some(McpAuth {
        issuer: issuer?,
        jwks,
        audiences: audiences.unwrap_or_else(|| with_and_without_slash(&resource)),
        resource,
        scopes,
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
