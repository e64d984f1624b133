//! A named group of servers as one worker sees it: which server gets a request.

mod leasing;

use std::cell::{Cell, RefCell};
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::choice::{hash, least_of_two, next_random, rendezvous, round_robin};
use super::fleet::Roster;
use super::server::Server;
use crate::clock::monotonic_ns;
use crate::config::{Bounds, Policy};
use crate::message::RequestHead;

/// Bits of the set of servers that were tried for a request.
const SERVERS_MAX: usize = u64::BITS as usize;

/// Servers that can answer the same requests.
pub struct Group {
    pub(super) roster: Arc<Roster>,
    pub(super) bounds: Bounds,
    servers: RefCell<Rc<[Rc<Server>]>>,
    generation: Cell<u64>,
    random: Cell<u64>,
    /// Told when a connection comes back, where their number is limited.
    freed: Rc<Notify>,
}

/// Who sends a request, as far as that decides on servers and connections.
#[derive(Clone, Copy, Debug)]
pub struct Sender {
    affinity: u64,
    /// Whom connections speak for; `None` where they carry the requests of all.
    client: Option<SocketAddr>,
}

/// Which servers are asked, best first.
#[derive(Clone, Copy, PartialEq)]
enum Tier {
    /// Those that are well.
    Primary,
    /// Backups that are well.
    Backup,
    /// All others are out: better one that may fail than none at all.
    Any,
}

impl Group {
    /// The group of a roster; servers that `previous` had come along with their connections.
    pub(super) fn new(roster: &Arc<Roster>, bounds: &Bounds, previous: Option<&Group>) -> Group {
        let known = previous.map(|previous| previous.servers());
        let generation = roster.generation();
        let group = Group {
            roster: Arc::clone(roster),
            bounds: *bounds,
            servers: RefCell::new(known.unwrap_or_default()),
            generation: Cell::new(generation),
            random: Cell::new(monotonic_ns() | 1),
            freed: Rc::default(),
        };
        group.adopt();
        group
    }

    /// The name in the configuration.
    pub fn name(&self) -> &str {
        &self.roster.settings.name
    }

    /// For the server to take something of the request.
    pub fn send_timeout(&self) -> Duration {
        self.roster.settings.send_timeout
    }

    /// From the whole request sent to the response head.
    pub fn response_timeout(&self) -> Duration {
        self.roster.settings.response_timeout
    }

    /// Who sends a request: what keeps it with one server, and whom the server is told of, where the
    /// settings want that.
    pub fn sender(&self, client: SocketAddr, head: &RequestHead) -> Sender {
        let settings = &self.roster.settings;
        let address = || match client.ip().to_canonical() {
            IpAddr::V4(addr) => hash(&addr.octets()),
            IpAddr::V6(addr) => hash(&addr.octets()),
        };
        let target = &head.target;
        let affinity = match &settings.policy {
            Policy::LeastOfTwo | Policy::RoundRobin => 0,
            Policy::HashAddress => address(),
            Policy::HashField(name) => head
                .fields
                .values_of(name)
                .next()
                .map_or_else(address, hash),
            Policy::HashCookie(name) => head.fields.cookie(name).map_or_else(address, hash),
            Policy::HashPath => hash(target.path().as_bytes()),
            Policy::HashUri => hash(target.as_str().as_bytes()),
        };
        Sender {
            affinity,
            client: settings.proxy_protocol.map(|_| client),
        }
    }

    /// How many servers there are now.
    pub fn count(&self) -> usize {
        self.servers.borrow().len()
    }

    /// The name of the server that is wanted.
    pub fn find(&self, wanted: impl Fn(&str) -> bool) -> Option<Rc<str>> {
        let servers = self.servers.borrow();
        let found = servers.iter().find(|server| wanted(&server.name));
        found.map(|server| Rc::clone(&server.name))
    }

    fn tier(&self, servers: &[Rc<Server>], tried: u64, now_ns: u64) -> Option<Tier> {
        if servers.len() == 1 {
            return (tried == 0).then_some(Tier::Any);
        }
        let left = || {
            let each = servers.iter().enumerate();
            each.filter(|(i, _)| tried & (1 << i) == 0).map(|(_, s)| s)
        };
        let well = |server: &&Rc<Server>| server.member.health.is_usable(now_ns);
        if left().filter(well).any(|server| !server.member.backup) {
            return Some(Tier::Primary);
        }
        match left().any(|server| well(&server)) {
            true => Some(Tier::Backup),
            false => left().next().map(|_| Tier::Any),
        }
    }

    /// One server of the tier that has room, by the policy.
    fn choose(
        &self,
        servers: &[Rc<Server>],
        tier: Tier,
        affinity: u64,
        tried: u64,
        now_ns: u64,
    ) -> Option<usize> {
        let settings = &self.roster.settings;
        let weight = |i: usize| {
            let server = &servers[i];
            let asked = match tier {
                Tier::Any => true,
                tier => {
                    server.member.backup == (tier == Tier::Backup)
                        && server.member.health.is_usable(now_ns)
                }
            };
            if !asked || tried & (1 << i) != 0 || server.is_full(settings) {
                return 0;
            }
            server.member.weight * server.member.health.share(settings.slow_start, now_ns)
        };
        let count = servers.len();
        if count == 1 {
            return (weight(0) > 0).then_some(0);
        }
        match settings.policy {
            Policy::LeastOfTwo => {
                let load = |i: usize| servers[i].in_flight.get();
                least_of_two(count, weight, load, || self.next_random())
            }
            Policy::RoundRobin => round_robin(
                count,
                weight,
                |i| servers[i].credit.get(),
                |i, credit| servers[i].credit.set(credit),
            ),
            Policy::HashAddress
            | Policy::HashField(_)
            | Policy::HashCookie(_)
            | Policy::HashPath
            | Policy::HashUri => rendezvous(count, weight, |i| servers[i].identity, affinity),
        }
    }

    fn next_random(&self) -> u64 {
        self.random.set(next_random(self.random.get()));
        self.random.get()
    }

    pub(super) fn servers(&self) -> Rc<[Rc<Server>]> {
        Rc::clone(&self.servers.borrow())
    }

    /// Upkeep: another list of servers if there is one, idle connections that have expired.
    pub(super) fn sweep(&self, now_ns: u64) {
        let generation = self.roster.generation();
        if self.generation.replace(generation) != generation {
            self.adopt();
        }
        for server in self.servers().iter() {
            server.sweep(now_ns);
        }
    }

    /// Takes over the roster's list; servers known before keep their connections.
    fn adopt(&self) {
        let known = self.servers();
        let settings = &self.roster.settings;
        // More than the set of those tried can hold would be more than the file may name.
        let members = self.roster.members().into_iter().take(SERVERS_MAX);
        let servers = members.map(|member| {
            let same = known.iter().find(|known| {
                known.member.addr == member.addr && known.member.server_name == member.server_name
            });
            match same {
                Some(same) if Arc::ptr_eq(&same.member, &member) => Rc::clone(same),
                same => Rc::new(Server::new(member, settings, same.map(|same| &**same))),
            }
        });
        let servers: Rc<[Rc<Server>]> = servers.collect();
        *self.servers.borrow_mut() = servers;
    }
}
