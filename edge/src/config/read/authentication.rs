//! What hosts and routes ask of their clients.

use std::sync::Arc;

use super::auth_request;
use super::listen::Sockets;
use super::upstream::Upstreams;
use crate::config::table::Table;
use crate::config::types::Authentication;

/// Reads what a host or a route asks; `outer` holds where it says nothing.
pub(super) fn read(
    table: &Table<'_>,
    outer: &Authentication,
    upstreams: &mut Upstreams<'_>,
    sockets: &Sockets,
) -> Authentication {
    let request = match table.item("auth_request") {
        None => outer.request.clone(),
        Some(item) if item.is("off") => None,
        Some(item) => auth_request::read(&item, upstreams, sockets).map(Arc::new),
    };
    Authentication { request }
}
