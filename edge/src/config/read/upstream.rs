//! `[upstream.NAME]`, and the upstreams that routes write in place.

use std::collections::HashMap;
use std::time::Duration;

use super::Machine;
use super::balance::{check, ejection, policy};
use super::listen::Sockets;
use super::server::{server, servers};
use super::tls::Places;
use super::upstream_tls;
use crate::config::item::Item;
use crate::config::schema::UPSTREAM;
use crate::config::suggest::nearest;
use crate::config::table::Table;
use crate::config::value::{check_upstream_name, is_server, quote};
use crate::config::{Multiplexing, Protocol, Upstream, UpstreamId, UpstreamServer};
use crate::message::ProxyVersion;

const LEAST: Duration = Duration::from_millis(10);
const HOUR: Duration = Duration::from_secs(60 * 60);
const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// Every upstream, by the text a route names it with.
pub(super) struct Upstreams<'a> {
    list: Vec<Upstream>,
    by_name: HashMap<String, UpstreamId>,
    /// Named ones in the order of `list`, with their tables.
    named: Vec<Table<'a>>,
    used: Vec<bool>,
    machine: Machine,
    /// Where its tables name files.
    places: Places,
}

impl<'a> Upstreams<'a> {
    /// Reads every `[upstream.NAME]`.
    pub(super) fn read(top: &Table<'a>, machine: Machine, sockets: &Sockets) -> Self {
        let mut upstreams = Self {
            list: Vec::new(),
            by_name: HashMap::new(),
            named: Vec::new(),
            used: Vec::new(),
            machine,
            places: Places::new(),
        };
        for (key, table) in top.named_tables("upstream", UPSTREAM) {
            let name = key.get_ref();
            if let Err(invalid) = check_upstream_name(name) {
                top.report().error(key.span(), invalid.to_string());
            }
            let servers = servers(&table, machine, sockets);
            let upstream = upstream(name, servers, &table, &mut upstreams.places);
            upstreams.add(name, upstream);
            upstreams.named.push(table);
        }
        upstreams
    }

    /// The upstream a route means: a name, or a server written in place.
    pub(super) fn resolve(&mut self, item: &Item<'_>, sockets: &Sockets) -> Option<UpstreamId> {
        let text = item
            .text("the name of an [upstream.NAME] or a server such as \"http://127.0.0.1:8000\"")?;
        let id = match self.by_name.get(text) {
            Some(id) => *id,
            None if is_server(text) => {
                let server = server(item, self.machine, sockets)?;
                // Two spellings of one server share its connections.
                let address = server.addresses.first().map(ToString::to_string);
                let name = match (server.tls, address, &server.name) {
                    (false, Some(address), _) => address,
                    (false, None, Some((host, port))) => format!("{host}:{port}"),
                    (true, _, Some((host, port))) => format!("https://{host}:{port}"),
                    (true, Some(address), None) => format!("https://{address}"),
                    // What has no name is an address.
                    (_, None, None) => return None,
                };
                match self.by_name.get(&name) {
                    Some(id) => *id,
                    None => {
                        let defaults = Table::absent(UPSTREAM, item.report());
                        let upstream = upstream(&name, vec![server], &defaults, &mut self.places);
                        self.add(&name, upstream)
                    }
                }
            }
            None => {
                item.error(self.unknown(text));
                return None;
            }
        };
        self.used[id.0] = true;
        Some(id)
    }

    /// Warns of upstreams that no route names, and hands out the list, and where files are named.
    pub(super) fn finish(self) -> (Vec<Upstream>, Places) {
        for ((table, upstream), used) in self.named.iter().zip(&self.list).zip(&self.used) {
            if !used {
                let message = format!("no route goes to upstream `{}`", upstream.name);
                table.report().warning(table.span(), message);
            }
        }
        (self.list, self.places)
    }

    fn add(&mut self, name: &str, upstream: Upstream) -> UpstreamId {
        let id = UpstreamId(self.list.len());
        self.list.push(upstream);
        self.used.push(false);
        self.by_name.insert(name.to_owned(), id);
        id
    }

    fn unknown(&self, text: &str) -> String {
        let names = || {
            self.list[..self.named.len()]
                .iter()
                .map(|one| one.name.as_str())
        };
        let unknown = format!("there is no upstream {}", quote(text));
        match nearest(text, names()) {
            Some(near) => format!("{unknown}; did you mean {near:?}?"),
            None => format!(
                "{unknown}; add [upstream.NAME] or write a server such as \"http://127.0.0.1:8000\""
            ),
        }
    }
}

fn upstream(
    name: &str,
    servers: Vec<UpstreamServer>,
    table: &Table<'_>,
    places: &mut Places,
) -> Upstream {
    let duration =
        |name, default_s, most| table.duration(name, Duration::from_secs(default_s), LEAST..=most);
    let protocol = protocol(table);
    let resolve = table.duration_or_off(
        "resolve",
        Duration::from_secs(30),
        Duration::from_secs(1)..=DAY,
    );
    if let (None, Some(item)) = (resolve, table.item("resolve"))
        && servers.iter().any(|server| server.addresses.is_empty())
    {
        item.error("would keep a server without address for good, because its name cannot be looked up now");
    }
    Upstream {
        name: name.to_owned(),
        protocol,
        proxy_protocol: proxy_protocol(table, protocol),
        tls: upstream_tls::read(table, &servers, places),
        servers,
        policy: policy(table),
        connect_timeout: duration("connect_timeout", 5, HOUR),
        send_timeout: duration("send_timeout", 60, DAY),
        response_timeout: duration("response_timeout", 60, DAY),
        idle_timeout: duration("idle_timeout", 60, DAY),
        // None are kept with 0.
        idle_max: table.integer("idle_max", 64, 0..=100_000) as usize,
        // Within 5 s each, more would try the patience of any client.
        tries: table.integer("tries", 3, 1..=64) as u32,
        max_connections: table
            .item("max_connections")
            .map(|_| table.integer("max_connections", 1024, 1..=1_000_000) as usize),
        queue_timeout: duration("queue_timeout", 10, HOUR),
        ejection: ejection(table),
        slow_start: table.duration("slow_start", Duration::ZERO, Duration::ZERO..=HOUR),
        resolve,
        check: check(table),
    }
}

/// Reads `protocol`, `h2_connections` and `h2_streams`.
fn protocol(table: &Table<'_>) -> Protocol {
    let multiplexing = Multiplexing {
        connections: table.integer("h2_connections", 8, 1..=64) as usize,
        // As many as servers let in at once: RFC 9113 §6.5.2 advises no fewer.
        streams: table.integer("h2_streams", 100, 1..=1000) as usize,
    };
    let choices = [("h1", Protocol::H1), ("h2", Protocol::H2(multiplexing))];
    let chosen = table
        .item("protocol")
        .and_then(|item| item.choice(&choices));
    let protocol = chosen.unwrap_or(Protocol::H1);
    for key in ["h2_connections", "h2_streams"] {
        if let (Protocol::H1, Some(item)) = (protocol, table.item_named(key)) {
            item.error("has no meaning without `protocol = \"h2\"`");
        }
    }
    protocol
}

fn proxy_protocol(table: &Table<'_>, protocol: Protocol) -> Option<ProxyVersion> {
    let item = table.item("proxy_protocol")?;
    let version = item.choice(&[("v1", ProxyVersion::V1), ("v2", ProxyVersion::V2)]);
    if protocol.is_h2() {
        item.error(
            "tells of one client, and a connection of HTTP/2 carries the requests of many; \
             leave out `protocol` or this",
        );
    }
    version
}
