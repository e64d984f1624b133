//! A named group of servers as one worker sees it: which server gets a request.

use std::cell::{Cell, RefCell};
use std::net::IpAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Notify;

use super::UpstreamError;
use super::channel::Channel;
use super::choice::{hash, least_of_two, next_random, rendezvous, round_robin};
use super::conn::Conn;
use super::fleet::Roster;
use super::lease::{Lease, Slot};
use super::server::Server;
use crate::clock::{coarse_ns, monotonic_ns};
use crate::config::{Bounds, Policy};
use crate::message::Fields;
use crate::net;

/// How soon a waiting request notices that another worker has given a connection back; its own
/// worker wakes it at once.
const QUEUE_TICK: Duration = Duration::from_millis(10);

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

    /// What keeps a client with one server, where the policy wants that.
    pub fn affinity(&self, client: IpAddr, fields: &Fields) -> u64 {
        let address = || match client.to_canonical() {
            IpAddr::V4(addr) => hash(&addr.octets()),
            IpAddr::V6(addr) => hash(&addr.octets()),
        };
        match &self.roster.settings.policy {
            Policy::LeastOfTwo | Policy::RoundRobin => 0,
            Policy::HashAddress => address(),
            Policy::HashField(wanted) => fields
                .iter()
                .find(|(_, name, _)| name.eq_ignore_ascii_case(wanted.as_bytes()))
                .map_or_else(address, |(_, _, value)| hash(value)),
        }
    }

    /// A connection for one exchange: a warm one if there is one, else a new one. Servers that
    /// refuse are passed over: no byte of the request has been sent yet.
    pub async fn lease(&self, affinity: u64) -> Result<Lease, UpstreamError> {
        let servers = self.servers();
        let now_ns = coarse_ns();
        let first = self
            .tier(&servers, 0, now_ns)
            .and_then(|tier| self.choose(&servers, tier, affinity, 0, now_ns));
        if let Some(index) = first
            && let Ok(slot) = self.slot(&servers[index])
        {
            match Self::pooled(&servers[index], slot) {
                Ok(warm) => return Ok(warm),
                Err(slot) => drop(slot),
            }
        }
        // Apart, so that a request on a warm connection holds nothing of it.
        Box::pin(self.lease_from(affinity, first, 0, None)).await
    }

    /// A connection that nobody has used before, instead of one that turned out to be closed: to
    /// the same server if it still accepts any.
    pub async fn lease_new(&self, stale: &Lease, affinity: u64) -> Result<Lease, UpstreamError> {
        let servers = self.servers();
        let same = servers.iter().position(|s| Rc::ptr_eq(s, stale.server()));
        match same {
            Some(index) => match self.connect_when_free(&servers[index]).await {
                Ok(lease) => Ok(lease),
                Err(error) => {
                    self.lease_from(affinity, None, 1 << index, Some(error))
                        .await
                }
            },
            None => self.lease_from(affinity, None, 0, None).await,
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

    /// A connection that nobody has used before, to the same server and no other.
    pub async fn lease_again(&self, stale: &Lease) -> Result<Lease, UpstreamError> {
        self.connect_when_free(stale.server()).await
    }

    /// A connection to the server of this name ([`Lease::name`]) and no other.
    pub async fn lease_on(&self, name: &str) -> Result<Lease, UpstreamError> {
        let servers = self.servers();
        let Some(server) = servers.iter().find(|server| &*server.name == name) else {
            return Err(UpstreamError::Gone);
        };
        let slot = self.wait_for_slot(server).await?;
        match Self::pooled(server, slot) {
            Ok(lease) => Ok(lease),
            Err(slot) => self.connect(server, slot).await,
        }
    }

    async fn connect_when_free(&self, server: &Rc<Server>) -> Result<Lease, UpstreamError> {
        let slot = self.wait_for_slot(server).await?;
        self.connect(server, slot).await
    }

    async fn wait_for_slot(&self, server: &Rc<Server>) -> Result<Option<Slot>, UpstreamError> {
        let queue_ns = self.roster.settings.queue_timeout.as_nanos() as u64;
        let deadline_ns = monotonic_ns() + queue_ns;
        loop {
            match self.slot(server) {
                Ok(slot) => return Ok(slot),
                Err(()) => self.wait(deadline_ns).await?,
            }
        }
    }

    /// A place for one more connection, if there is one; `None` where they are not counted.
    fn slot(&self, server: &Rc<Server>) -> Result<Option<Slot>, ()> {
        let max = self.roster.settings.max_connections;
        max.map(|max| Slot::take(&server.member, max, &self.freed))
            .transpose()
    }

    /// Tries servers one after the other, `first` before all, without those in the set `tried`.
    async fn lease_from(
        &self,
        affinity: u64,
        mut first: Option<usize>,
        mut tried: u64,
        mut last: Option<UpstreamError>,
    ) -> Result<Lease, UpstreamError> {
        let settings = &self.roster.settings;
        let servers = self.servers();
        let mut deadline_ns = None;
        while tried.count_ones() < settings.tries {
            let now_ns = monotonic_ns();
            let Some(tier) = self.tier(&servers, tried, now_ns) else {
                break;
            };
            let next = || self.choose(&servers, tier, affinity, tried, now_ns);
            let Some(index) = first.take().or_else(next) else {
                // All that could be asked are busy to their limit.
                let queue_ns = settings.queue_timeout.as_nanos() as u64;
                self.wait(*deadline_ns.get_or_insert(now_ns + queue_ns))
                    .await?;
                continue;
            };
            let Ok(slot) = self.slot(&servers[index]) else {
                continue; // Another worker was faster.
            };
            let slot = match Self::pooled(&servers[index], slot) {
                Ok(lease) => return Ok(lease),
                Err(slot) => slot,
            };
            match self.connect(&servers[index], slot).await {
                Ok(lease) => return Ok(lease),
                Err(error) => last = Some(error),
            }
            tried |= 1 << index;
        }
        Err(last.unwrap_or(UpstreamError::Gone))
    }

    /// A warm connection, or the place back.
    fn pooled(server: &Rc<Server>, slot: Option<Slot>) -> Result<Lease, Option<Slot>> {
        match server.pool.borrow_mut().take(coarse_ns()) {
            Some(conn) => Ok(Lease::new(conn, true, server, slot)),
            None => Err(slot),
        }
    }

    async fn connect(
        &self,
        server: &Rc<Server>,
        slot: Option<Slot>,
    ) -> Result<Lease, UpstreamError> {
        let connecting = self.open(server);
        let timeout = self.roster.settings.connect_timeout;
        let error = match tokio::time::timeout(timeout, connecting).await {
            Ok(Ok(channel)) => {
                let conn = Conn::new(channel, &self.bounds);
                return Ok(Lease::new(conn, false, server, slot));
            }
            Ok(Err(error)) => error,
            Err(_) => UpstreamError::ConnectTimeout,
        };
        server.failed(&self.roster.settings, true, &error);
        Err(error)
    }

    async fn open(&self, server: &Server) -> Result<Channel, UpstreamError> {
        let socket = net::connect(&server.member.addr)
            .await
            .map_err(UpstreamError::Connect)?;
        if self.roster.settings.tls.is_none() {
            return Ok(Channel::Plain(socket));
        }
        let (Some(client), Some(name)) = (&self.roster.tls, &server.member.server_name) else {
            // Never in the clear instead.
            return Err(UpstreamError::Tls(std::io::ErrorKind::Unsupported.into()));
        };
        // Apart: what a handshake needs is not held by requests that need none.
        let connecting = Box::pin(client.connect(socket, name.clone()));
        let stream = connecting.await.map_err(UpstreamError::Tls)?;
        Ok(Channel::Tls(stream))
    }

    /// Waits for a connection to come back; an error once the deadline has passed.
    async fn wait(&self, deadline_ns: u64) -> Result<(), UpstreamError> {
        if monotonic_ns() >= deadline_ns {
            return Err(UpstreamError::Full);
        }
        // Running out of the tick is as good as being told.
        let _ = tokio::time::timeout(QUEUE_TICK, self.freed.notified()).await;
        Ok(())
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
            if !asked || tried & (1 << i) != 0 || server.is_full(settings.max_connections) {
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
            Policy::HashAddress | Policy::HashField(_) => {
                rendezvous(count, weight, |i| servers[i].identity, affinity)
            }
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
            server.pool.borrow_mut().sweep(now_ns);
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
