//! `[upstream.NAME.tls]`, for servers written `https://`.

use super::tls::{self, Places};
use crate::config::schema::UPSTREAM_TLS;
use crate::config::table::Table;
use crate::config::value::{Invalid, quote};
use crate::config::{UpstreamServer, UpstreamTls};

/// Reads the table; `None` where the servers speak plain HTTP.
pub(super) fn read(
    upstream: &Table<'_>,
    servers: &[UpstreamServer],
    places: &mut Places,
) -> Option<UpstreamTls> {
    let item = upstream.item("tls");
    let secure = servers.iter().filter(|server| server.tls).count();
    if secure == 0 {
        if let Some(item) = item.filter(|_| !servers.is_empty()) {
            item.error("no server of this upstream is reached over TLS; write \"https://HOST:PORT\" in `servers`");
        }
        return None;
    }
    if secure < servers.len() {
        let span = upstream.item("servers").map(|item| item.span());
        upstream.report().error(
            span.unwrap_or(upstream.span()),
            "`servers`: some are https:// and some are not; requests are encrypted always or never",
        );
    }
    let absent = Table::absent(UPSTREAM_TLS, upstream.report());
    let table = item
        .and_then(|item| item.table(UPSTREAM_TLS))
        .unwrap_or(absent);
    let name = table
        .item("name")
        .and_then(|item| item.parse("a name such as \"tools.internal\"", check_name));
    let ca = table
        .item("ca")
        .and_then(|item| tls::file(&item, "PEM", places));
    let insecure = table.flag("insecure").unwrap_or(false);
    if let (true, Some(item)) = (insecure, table.item("ca")) {
        item.error("means nothing where `insecure = true` believes whoever answers");
    }
    let identity = match (table.item("certificate"), table.item("key")) {
        (None, None) => None,
        (Some(chain), Some(key)) => {
            let chain = tls::file(&chain, "PEM", places);
            chain.zip(tls::file(&key, "PEM", places))
        }
        (Some(item), None) => {
            item.error("its private key is missing; add `key = \"client.key\"`");
            None
        }
        (None, Some(item)) => {
            item.error("its certificate is missing; add `certificate = \"client.pem\"`");
            None
        }
    };
    Some(UpstreamTls {
        name,
        ca,
        identity,
        insecure,
        content: Default::default(),
    })
}

fn check_name(text: &str) -> Result<String, Invalid> {
    match rustls_pki_types::ServerName::try_from(text) {
        Ok(_) => Ok(text.to_owned()),
        Err(_) => Err(Invalid::new(format!(
            "{} is neither a DNS name nor an address",
            quote(text)
        ))),
    }
}
