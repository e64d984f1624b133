//! `[log]`, `[metrics]` and `[admin]`: what operators read and talk to.

use std::net::SocketAddr;
use std::path::PathBuf;

use toml::Spanned;

use crate::config::suggest::nearest;
use crate::config::table::Table;
use crate::config::value::{Invalid, check_socket_path, join, parse_listen, quote};
use crate::config::{DEFAULT_ADMIN_SOCKET, Log, LogTarget};

const METRICS_DEFAULT: SocketAddr =
    SocketAddr::new(std::net::IpAddr::V4(std::net::Ipv4Addr::LOCALHOST), 9900);

pub(super) fn log(table: &Table<'_>) -> Log {
    let base = table.report().source().directory();
    let access = table.item("access").and_then(|item| {
        item.parse("\"stdout\", \"off\" or a path", |text| match text {
            "off" => Ok(LogTarget::Off),
            "stdout" => Ok(LogTarget::Stdout),
            // A mistyped word must not become a file.
            word if !word.contains('/') => Err(not_a_target(word)),
            path => join(base, path).map(LogTarget::File),
        })
    });
    Log {
        access: access.unwrap_or(LogTarget::Stdout),
    }
}

fn not_a_target(word: &str) -> Invalid {
    let invalid = Invalid::new(format!(
        "{} is neither \"stdout\" nor \"off\" nor a path",
        quote(word)
    ));
    match nearest(word, ["stdout", "off"]) {
        Some(near) => invalid.fix(format!("did you mean {near:?}?")),
        None => invalid.fix(format!(
            "for a file of that name write {}",
            quote(&format!("./{word}"))
        )),
    }
}

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
