//! The servers of an upstream: text, or a table with weight and role.
//!
//! A name that cannot be looked up keeps nothing from being served: the resolver of a machine that
//! starts may come later, as may a container that has the name.

use toml::de::DeValue;

use super::Machine;
use super::listen::Sockets;
use crate::config::item::Item;
use crate::config::schema::SERVER;
use crate::config::table::Table;
use crate::config::value::{parse_server, quote, usable_addresses};
use crate::config::{UpstreamAddr, UpstreamServer};

const EXPECTED: &str = "a server such as \"127.0.0.1:8000\"";
/// Servers of one upstream, every address of a name counted.
const SERVERS_MAX: usize = 64;

/// Reads `servers`.
pub(super) fn servers(
    table: &Table<'_>,
    machine: Machine,
    sockets: &Sockets,
) -> Vec<UpstreamServer> {
    let mut servers: Vec<UpstreamServer> = Vec::new();
    let Some(list) = table.required("servers", "[\"127.0.0.1:8000\"]") else {
        return servers;
    };
    let Some(items) = list.list("a list of servers such as [\"127.0.0.1:8000\"]") else {
        return servers;
    };
    if items.is_empty() {
        list.error("is empty; write at least one, such as [\"127.0.0.1:8000\"]");
    }
    for item in items {
        let Some(server) = entry(&item, machine, sockets) else {
            continue;
        };
        let known = servers.iter().flat_map(|server| &server.addresses);
        let twice = known.clone().find(|one| server.addresses.contains(one));
        match twice {
            Some(address) => item.error(format!("{address} is already in this list")),
            None if known.count() + server.addresses.len() > SERVERS_MAX => {
                item.error(format!("there are more than {SERVERS_MAX} servers"));
            }
            None => servers.push(server),
        }
    }
    if !servers.is_empty() && servers.iter().all(|server| server.backup) {
        list.error("has nothing but backups; leave `backup` out of at least one");
    }
    servers
}

fn entry(item: &Item<'_>, machine: Machine, sockets: &Sockets) -> Option<UpstreamServer> {
    if !matches!(item.value(), DeValue::Table(_)) {
        return server(item, machine, sockets);
    }
    let table = item.table(SERVER)?;
    let address = table.required("address", "\"127.0.0.1:8000\"")?;
    let weight = table.integer("weight", 1, 1..=1000);
    let backup = table.flag("backup").unwrap_or(false);
    Some(UpstreamServer {
        weight: u32::try_from(weight).unwrap_or(1),
        backup,
        ..server(&address, machine, sockets)?
    })
}

/// One server, with the weight and role that most have.
pub(super) fn server(
    item: &Item<'_>,
    machine: Machine,
    sockets: &Sockets,
) -> Option<UpstreamServer> {
    let base = item.report().source().directory();
    let mut parsed = item.parse(EXPECTED, |text| parse_server(text, base))?;
    if let Some((name, port)) = &parsed.name {
        let found = (machine.resolve)(name, *port);
        parsed.addresses = usable_addresses(found.as_deref().unwrap_or_default());
        if parsed.addresses.is_empty() {
            let why = match found {
                Ok(_) => "it has no address".to_owned(),
                Err(error) => error.to_string(),
            };
            item.warning(format!(
                "{} cannot be looked up ({why}); until it can be, nothing is sent there",
                quote(name)
            ));
        }
    }
    for address in &parsed.addresses {
        if let UpstreamAddr::Tcp(target) = address
            && let Some(own) = sockets.reached_by(*target)
        {
            item.error(format!(
                "{target} is edge itself, which listens on {own}; requests would go round in a circle"
            ));
            return None;
        }
    }
    Some(parsed)
}
