//! `[tls]`, and the keys of a `[[host]]` that are about its clients' certificates.

use std::ops::Range;
use std::path::PathBuf;

use crate::config::item::Item;
use crate::config::table::Table;
use crate::config::value::join;
use crate::config::{ClientAuth, Tls, TlsVersion};

const VERSIONS: [(&str, TlsVersion); 2] = [("1.2", TlsVersion::Tls12), ("1.3", TlsVersion::Tls13)];
const WANTED: [(&str, bool); 2] = [("required", true), ("optional", false)];

/// Where files are named, for what is found out about them later.
pub(in crate::config) type Places = Vec<(PathBuf, Range<usize>)>;

pub(super) fn read(table: &Table<'_>) -> Tls {
    let version = table.item("min_version");
    Tls {
        min_version: version
            .and_then(|item| item.choice(&VERSIONS))
            .unwrap_or_default(),
    }
}

/// A file that a key of a host names.
pub(super) fn file(item: &Item<'_>, kind: &str, places: &mut Places) -> Option<PathBuf> {
    let base = item.report().source().directory();
    let path = item.parse(&format!("the path of a {kind} file"), |text| {
        join(base, text)
    })?;
    places.push((path.clone(), item.span()));
    Some(path)
}

/// The certificates asked of a host's clients.
pub(super) fn client_auth(table: &Table<'_>, places: &mut Places) -> Option<ClientAuth> {
    let wanted = table.item("client_certificate");
    let crl = table.item("client_crl");
    let required = wanted.as_ref().and_then(|item| item.choice(&WANTED));
    let crl_path = crl.as_ref().and_then(|item| file(item, "PEM", places));
    let Some(ca) = table.item("client_ca") else {
        for item in [wanted, crl].into_iter().flatten() {
            if table.lacks("client_ca") {
                item.error(
                    "means nothing without the authorities that issue the certificates; add \
                     `client_ca = \"clients.pem\"`",
                );
            }
        }
        return None;
    };
    if table.lacks("certificate") {
        ca.error("clients are asked for certificates over TLS only; add `certificate` and `key`");
    }
    Some(ClientAuth {
        ca: file(&ca, "PEM", places)?,
        crl: crl_path,
        required: required.unwrap_or(true),
    })
}
