//! What `mcp = true` costs a plain call: two edges that differ in that line.

use anyhow::Result;

use super::calls::{CONNECTIONS, closed_loop};
use super::command::Options;
use super::rounds::records;
use super::stage::before;
use crate::load::Language;
use crate::peers::{Peer, Proxy};
use crate::report::{Record, Title};

const TITLE: Title = Title {
    name: "mcp",
    title: "what `mcp = true` costs",
    about: "The calls of https1 through a route with `mcp = true` and through one without.",
};

pub(super) fn measure(options: &Options) -> Result<(Title, Vec<Record>)> {
    let plain = Peer {
        label: "edge-plain".to_owned(),
        ..Peer::from(Proxy::Edge)
    };
    let mcp = Peer {
        route: "mcp = true",
        ..Peer::from(Proxy::Edge)
    };
    let mut peers = vec![mcp, plain];
    peers.extend(before(options)?.map(|peer| Peer {
        route: "mcp = true",
        ..peer
    }));
    let seen = closed_loop(options, TITLE.name, &peers, Language::Http1, CONNECTIONS)?;
    Ok((TITLE, records(TITLE.name, "", &seen)))
}
