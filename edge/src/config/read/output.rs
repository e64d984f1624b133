//! `[metrics]` and `[admin]`: what operators read and talk to.

use std::net::SocketAddr;
use std::path::PathBuf;

use toml::Spanned;

use crate::config::DEFAULT_ADMIN_SOCKET;
use crate::config::table::Table;
use crate::config::value::{check_socket_path, parse_listen};

const METRICS_DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9900);

/// The address of the metrics page, with its place if the file names it.
pub(super) fn metrics(table: &Table<'_>) -> Option<Spanned<SocketAddr>> {
    let default = Spanned::new(0..0, METRICS_DEFAULT);
    let Some(item) = table.item("listen") else {
        return Some(default);
    };
    if item.is("off") {
        return None;
    }
    let expected = "an address such as \"127.0.0.1:9900\", or \"off\"";
    let Some(address) = item.parse(expected, parse_listen) else {
        return Some(default);
    };
    if address.ip().is_unspecified() {
        let message = "the metrics page has no password and listens on every address; \
             write \"127.0.0.1:PORT\" unless a firewall stands in front of it";
        table.report().warning(item.span(), message);
    }
    Some(Spanned::new(item.span(), address))
}

pub(super) fn admin(table: &Table<'_>) -> PathBuf {
    let base = table.report().source().directory();
    table
        .item("socket")
        .and_then(|item| item.parse("the path of a socket", |text| check_socket_path(base, text)))
        .unwrap_or_else(|| PathBuf::from(DEFAULT_ADMIN_SOCKET))
}
