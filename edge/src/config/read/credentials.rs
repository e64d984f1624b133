//! `[host.route.basic_auth]` and `[host.route.api_keys]`: passwords and keys, by the files they are in.

use std::path::PathBuf;
use std::sync::Arc;

use super::tls::{self, Places};
use crate::config::item::Item;
use crate::config::schema::{API_KEYS, BASIC_AUTH};
use crate::config::types::{ApiKeys, BasicAuth, KeyNames};
use crate::config::value::{Invalid, check_field_name, parse_key_hash, quote};

const REALM_DEFAULT: &str = "edge";
const REALM_BYTES_MAX: usize = 128;

/// Reads `[host.route.basic_auth]`; the file is read later.
pub(super) fn basic(item: &Item<'_>, places: &mut Places) -> Option<BasicAuth> {
    let table = item.table(BASIC_AUTH)?;
    let realm = table.item("realm").and_then(|item| {
        item.parse("a text", |text| {
            // As it stands between the quotes of a challenge (RFC 9110 §5.6.4).
            let plain = |b: u8| (b' '..=b'~').contains(&b) && b != b'"' && b != b'\\';
            match text.len() <= REALM_BYTES_MAX && text.bytes().all(plain) {
                true => Ok(text.to_owned()),
                false => Err(Invalid::new(format!(
                    "{} cannot stand in a challenge; write plain ASCII without quotes",
                    quote(text)
                ))),
            }
        })
    });
    let file = table
        .required("file", "\"users.htpasswd\"")
        .and_then(|item| tls::file(&item, "htpasswd", places));
    Some(BasicAuth {
        realm: realm.unwrap_or_else(|| REALM_DEFAULT.to_owned()),
        file: file?,
        users: Arc::default(),
    })
}

/// Reads `[host.route.api_keys]`; the file is read later.
pub(super) fn keys(item: &Item<'_>, places: &mut Places) -> Option<ApiKeys> {
    let table = item.table(API_KEYS)?;
    let field = table.item("header").and_then(|item| {
        item.parse(
            "the name of a header field",
            |text| match check_field_name(text)?.as_str() {
                "host" | "cookie" => Err(Invalid::new(format!(
                    "{} is no place for a key",
                    quote(text)
                ))),
                name => Ok(name.into()),
            },
        )
    });
    let file: Option<PathBuf> = table
        .item("file")
        .and_then(|item| tls::file(&item, "key", places));
    let mut names = KeyNames::default();
    let list = table
        .item("keys")
        .and_then(|item| item.list("a list of keys such as [\"ci sha256:9f86d08...\"]"));
    for item in list.iter().flatten() {
        // The configuration is shown where it is wrong, so it holds hashes alone.
        let key = item.parse("a name and a hash", |line| {
            parse_key_hash(line).map_err(Invalid::new)
        });
        if let Some((name, hash)) = key
            && !names.add(hash, name)
        {
            item.error("this key is there twice");
        }
    }
    if ["file", "keys"].iter().all(|key| table.lacks(key)) {
        let message =
            "[host.route.api_keys] has neither `file` nor `keys`; add `file = \"keys.txt\"`";
        table.report().error(item.span(), message);
    }
    Some(ApiKeys {
        field: field.unwrap_or_else(|| "authorization".into()),
        file,
        inline: Arc::new(names.clone()),
        names: Arc::new(names),
    })
}
