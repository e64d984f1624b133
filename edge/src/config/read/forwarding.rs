//! `[forwarding]`: proxies in front of this one, and what upstreams are told about clients.

use crate::config::table::Table;
use crate::config::types::{ClientField, Forwarding};
use crate::config::value::parse_cidr;

pub(super) fn read(table: &Table<'_>) -> Forwarding {
    let trusted = table.list_of(
        "trusted",
        "a list of networks such as [\"10.0.0.0/8\"]",
        parse_cidr,
    );
    let client_field = table.item("client_field").and_then(|item| {
        item.choice(&[
            ("X-Forwarded-For", ClientField::XForwardedFor),
            ("Forwarded", ClientField::Forwarded),
            ("X-Real-IP", ClientField::XRealIp),
        ])
    });
    Forwarding {
        trusted,
        client_field: client_field.unwrap_or(ClientField::XForwardedFor),
        forwarded: table.flag("forwarded").unwrap_or(false),
        traceparent: table.flag("traceparent").unwrap_or(false),
    }
}
