//! `[upstream.NAME]`, and the upstreams that routes write in place.

use std::collections::HashMap;
use std::time::Duration;

use super::Machine;
use super::listen::Sockets;
use crate::config::item::Item;
use crate::config::schema::UPSTREAM;
use crate::config::suggest::nearest;
use crate::config::table::Table;
use crate::config::value::{check_upstream_name, is_server, parse_server, quote};
use crate::config::{Upstream, UpstreamAddr, UpstreamId};

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
        };
        for (key, table) in top.named_tables("upstream", UPSTREAM) {
            let name = key.get_ref();
            if let Err(invalid) = check_upstream_name(name) {
                top.report().error(key.span(), invalid.to_string());
            }
            let servers = servers(&table, machine, sockets);
            upstreams.add(name, upstream(name, servers, &table));
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
                let address = server(item, self.machine, sockets)?;
                // Two spellings of one server share its connections.
                let name = address.to_string();
                match self.by_name.get(&name) {
                    Some(id) => *id,
                    None => {
                        let defaults = Table::absent(UPSTREAM, item.report());
                        self.add(&name, upstream(&name, vec![address], &defaults))
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

    /// Warns of upstreams that no route names, and hands out the list.
    pub(super) fn finish(self) -> Vec<Upstream> {
        for ((table, upstream), used) in self.named.iter().zip(&self.list).zip(&self.used) {
            if !used {
                let message = format!("no route goes to upstream `{}`", upstream.name);
                table.report().warning(table.span(), message);
            }
        }
        self.list
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

fn servers(table: &Table<'_>, machine: Machine, sockets: &Sockets) -> Vec<UpstreamAddr> {
    let expected = "a list of servers such as [\"127.0.0.1:8000\"]";
    let mut servers = Vec::new();
    let Some(list) = table.required("servers", "[\"127.0.0.1:8000\"]") else {
        return servers;
    };
    let Some(items) = list.list(expected) else {
        return servers;
    };
    if items.is_empty() {
        list.error("is empty; write at least one, such as [\"127.0.0.1:8000\"]");
    }
    for item in items {
        let Some(address) = server(&item, machine, sockets) else {
            continue;
        };
        match servers.contains(&address) {
            true => item.error(format!("{address} is already in this list")),
            false => servers.push(address),
        }
    }
    servers
}

fn server(item: &Item<'_>, machine: Machine, sockets: &Sockets) -> Option<UpstreamAddr> {
    let base = item.report().source().directory();
    let address = item.parse("a server such as \"127.0.0.1:8000\"", |text| {
        parse_server(text, base, machine.resolve)
    })?;
    if let UpstreamAddr::Tcp(target) = address
        && let Some(own) = sockets.reached_by(target)
    {
        item.error(format!(
            "{target} is edge itself, which listens on {own}; requests would go round in a circle"
        ));
        return None;
    }
    Some(address)
}

fn upstream(name: &str, servers: Vec<UpstreamAddr>, table: &Table<'_>) -> Upstream {
    let duration =
        |name, default_s, most| table.duration(name, Duration::from_secs(default_s), LEAST..=most);
    Upstream {
        name: name.to_owned(),
        servers,
        connect_timeout: duration("connect_timeout", 5, HOUR),
        response_timeout: duration("response_timeout", 60, DAY),
        idle_timeout: duration("idle_timeout", 60, DAY),
        // None are kept with 0.
        idle_max: table.integer("idle_max", 64, 0..=100_000) as usize,
    }
}
