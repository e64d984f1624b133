//! Every configured server and what is known of it, shared by all workers.
//!
//! A name stands for as many servers as it has addresses, so a group's servers can change while it
//! is served. Workers look at a number and take the new list when it has grown.

use std::net::{SocketAddr, ToSocketAddrs as _};
use std::sync::atomic::{AtomicBool, AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use rustls_pki_types::ServerName;

use super::UpstreamError;
use super::channel::Channel;
use super::health::Health;
use crate::clock::monotonic_ns;
use crate::config::{Upstream, UpstreamAddr, UpstreamServer, usable_addresses};
use crate::message::write_proxy_header;
use crate::net::{self, Transport as _};
use crate::observe::metrics::ServerSample;
use crate::tls::Client;

/// The servers of a whole configuration.
#[derive(Debug)]
pub struct Fleet {
    rosters: Vec<Arc<Roster>>,
    /// Another configuration is in force; what still runs under this one is no reason to go on
    /// asking servers.
    retired: AtomicBool,
}

/// The servers of one group.
#[derive(Debug)]
pub(super) struct Roster {
    pub(super) settings: Upstream,
    /// How connections are secured, where they are.
    pub(super) tls: Option<Client>,
    generation: AtomicU64,
    /// In the order of the file, each with the number of its entry there.
    members: Mutex<Vec<(usize, Arc<Member>)>>,
}

/// One server.
#[derive(Debug)]
pub(super) struct Member {
    pub(super) addr: UpstreamAddr,
    /// Whom its certificate must be for, where it speaks TLS.
    pub(super) server_name: Option<ServerName<'static>>,
    pub(super) weight: u32,
    pub(super) backup: bool,
    pub(super) health: Arc<Health>,
    /// Connections in use where their number is limited.
    pub(super) used: Arc<AtomicUsize>,
    /// Requests under way, as the workers have last told.
    pub(super) in_flight: Arc<AtomicUsize>,
}

impl Fleet {
    /// The servers of a configuration; what is known of those that the one before had as well is
    /// kept.
    pub fn new(configured: &[Upstream], previous: Option<&Fleet>) -> Fleet {
        let known = previous.map_or(&[][..], |previous| &previous.rosters);
        let rosters = configured.iter().map(|upstream| {
            let same = known.iter().find(|old| old.settings.name == upstream.name);
            Arc::new(Roster::new(upstream, same.map(|old| &**old), known))
        });
        Fleet {
            rosters: rosters.collect(),
            retired: AtomicBool::new(false),
        }
    }

    pub(super) fn rosters(&self) -> &[Arc<Roster>] {
        &self.rosters
    }

    pub(super) fn retire(&self) {
        self.retired.store(true, Relaxed);
    }

    pub(super) fn is_retired(&self) -> bool {
        self.retired.load(Relaxed)
    }

    /// The state of every server now.
    pub fn states(&self) -> Vec<ServerSample> {
        let now_ns = monotonic_ns();
        let of = |roster: &Arc<Roster>| {
            let upstream = roster.settings.name.clone();
            let state = move |member: Arc<Member>| {
                let (checks_passed, checks_failed) = member.health.checks();
                ServerSample {
                    upstream: upstream.clone(),
                    server: member.addr.to_string(),
                    up: member.health.is_usable(now_ns),
                    ejected: member.health.is_ejected(now_ns),
                    checks_passed,
                    checks_failed,
                    in_flight: member.in_flight.load(Relaxed),
                }
            };
            roster.members().into_iter().map(state)
        };
        self.rosters.iter().flat_map(of).collect()
    }
}

impl Roster {
    /// `all` are those of the configuration before, where a name that cannot be looked up now may have
    /// an address.
    fn new(settings: &Upstream, previous: Option<&Roster>, all: &[Arc<Roster>]) -> Roster {
        let known = previous.map(Roster::members).unwrap_or_default();
        let addresses = |server: &UpstreamServer| match server.addresses.is_empty() {
            true => all.iter().find_map(|old| old.addresses_of(server)),
            false => Some(server.addresses.clone()),
        };
        let members = settings
            .servers
            .iter()
            .enumerate()
            .flat_map(|(entry, server)| {
                let addresses = addresses(server).unwrap_or_default();
                let members = members_of(settings, server, &addresses, &known);
                members.into_iter().map(move |member| (entry, member))
            });
        let kept = previous.filter(|previous| previous.settings.connects_like(settings));
        let tls = settings.tls.as_ref().and_then(|tls| match kept {
            Some(previous) => previous.tls.clone(),
            // It has been made before, when the configuration was checked.
            None => Client::new(tls, settings.protocol.is_h2()).ok(),
        });
        Roster {
            tls,
            members: Mutex::new(members.collect()),
            generation: AtomicU64::new(0),
            settings: settings.clone(),
        }
    }

    /// Opens a connection to one of its servers, which is told of `client` where it wants to know.
    pub(super) async fn open(
        &self,
        member: &Member,
        client: Option<SocketAddr>,
    ) -> Result<Channel, UpstreamError> {
        let mut socket = net::connect(&member.addr)
            .await
            .map_err(UpstreamError::Connect)?;
        if let Some(version) = self.settings.proxy_protocol {
            // Before TLS, as the first bytes of all.
            write_proxy_header(version, client, socket.out());
        }
        if self.settings.tls.is_none() {
            return Ok(Channel::Plain(socket));
        }
        let (Some(tls), Some(name)) = (&self.tls, &member.server_name) else {
            // Never in the clear instead.
            return Err(UpstreamError::Tls(std::io::ErrorKind::Unsupported.into()));
        };
        // Apart: what a handshake needs is not held by requests that need none.
        let connecting = Box::pin(tls.connect(socket, name.clone()));
        let stream = connecting.await.map_err(UpstreamError::Tls)?;
        Ok(Channel::Tls(stream))
    }

    /// Changes whenever the list does.
    pub(super) fn generation(&self) -> u64 {
        self.generation.load(Relaxed)
    }

    /// The servers now.
    pub(super) fn members(&self) -> Vec<Arc<Member>> {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        members
            .iter()
            .map(|(_, member)| Arc::clone(member))
            .collect()
    }

    /// The addresses of a name now, if it is looked up here and has any.
    fn addresses_of(&self, server: &UpstreamServer) -> Option<Vec<UpstreamAddr>> {
        let mut servers = self.settings.servers.iter();
        let entry = servers.position(|known| known.name.is_some() && known.name == server.name)?;
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let of_entry = members.iter().filter(|(of, _)| *of == entry);
        let addresses: Vec<_> = of_entry.map(|(_, member)| member.addr.clone()).collect();
        (!addresses.is_empty()).then_some(addresses)
    }

    /// Whether a name has no address yet.
    pub(super) fn is_waiting(&self) -> bool {
        let members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let mut entries = self.settings.servers.iter().enumerate();
        entries.any(|(entry, server)| {
            server.name.is_some() && members.iter().all(|(of, _)| *of != entry)
        })
    }

    /// Whether there is a name to look up again.
    pub(super) fn has_names(&self) -> bool {
        self.settings
            .servers
            .iter()
            .any(|server| server.name.is_some())
    }

    /// Looks every name up again; blocks until the resolver has answered. A name that cannot be
    /// looked up keeps the addresses it had: a resolver that is down must not take servers along.
    /// Of one that never had any, the reading of the file has told.
    pub(super) fn resolve(&self) {
        for (entry, server) in self.settings.servers.iter().enumerate() {
            let Some((name, port)) = &server.name else {
                continue;
            };
            match (name.as_str(), *port).to_socket_addrs() {
                Ok(found) => {
                    let found: Vec<_> = found.collect();
                    self.replace(entry, server, &usable_addresses(&found));
                }
                Err(error) if self.addresses_of(server).is_none() => {
                    tracing::debug!(name, %error, "cannot look a server up yet");
                }
                Err(error) => {
                    let upstream = &self.settings.name;
                    tracing::warn!(upstream, name, %error, "cannot look a server up again");
                }
            }
        }
    }

    fn replace(&self, entry: usize, server: &UpstreamServer, addresses: &[UpstreamAddr]) {
        let mut members = self.members.lock().unwrap_or_else(PoisonError::into_inner);
        let before: Vec<_> = members
            .iter()
            .filter(|(of, _)| *of == entry)
            .map(|(_, member)| Arc::clone(member))
            .collect();
        // The resolver turns the order round to spread clients, which is no change.
        let same = before.len() == addresses.len()
            && before.iter().all(|member| addresses.contains(&member.addr));
        // An address that another entry has already is not a second server.
        let taken = |addr: &UpstreamAddr| {
            let mut others = members.iter().filter(|(of, _)| *of != entry);
            others.any(|(_, member)| member.addr == *addr)
        };
        let free: Vec<_> = addresses
            .iter()
            .filter(|addr| !taken(addr))
            .cloned()
            .collect();
        if same || free.is_empty() {
            return;
        }
        let now = members_of(&self.settings, server, &free, &before);
        members.retain(|(of, _)| *of != entry);
        members.extend(now.into_iter().map(|member| (entry, member)));
        members.sort_by_key(|(entry, _)| *entry);
        self.generation.fetch_add(1, Relaxed);
        let shown: Vec<String> = free.iter().map(ToString::to_string).collect();
        let name = server.name.as_ref().map(|(name, _)| name);
        let upstream = &self.settings.name;
        let addresses = shown.join(" ");
        match before.is_empty() {
            true => tracing::info!(upstream, name, addresses, "a name has addresses now"),
            false => tracing::info!(upstream, name, addresses, "a name has moved"),
        }
    }
}

fn members_of(
    settings: &Upstream,
    server: &UpstreamServer,
    addresses: &[UpstreamAddr],
    known: &[Arc<Member>],
) -> Vec<Arc<Member>> {
    let member = |addr: &UpstreamAddr| {
        let same = known.iter().find(|known| known.addr == *addr);
        Arc::new(Member {
            addr: addr.clone(),
            server_name: server_name(settings, server, addr),
            weight: server.weight,
            backup: server.backup,
            health: same
                .map(|same| Arc::clone(&same.health))
                .unwrap_or_default(),
            used: same.map(|same| Arc::clone(&same.used)).unwrap_or_default(),
            in_flight: same
                .map(|same| Arc::clone(&same.in_flight))
                .unwrap_or_default(),
        })
    };
    addresses.iter().map(member).collect()
}

fn server_name(
    settings: &Upstream,
    server: &UpstreamServer,
    addr: &UpstreamAddr,
) -> Option<ServerName<'static>> {
    let tls = settings.tls.as_ref()?;
    let name = tls
        .name
        .as_ref()
        .or(server.name.as_ref().map(|(name, _)| name));
    match (name, addr) {
        (Some(name), _) => ServerName::try_from(name.clone()).ok(),
        (None, UpstreamAddr::Tcp(addr)) => Some(addr.ip().into()),
        (None, UpstreamAddr::Unix(_)) => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::testing;

    fn addresses(lasts: &[u8]) -> Vec<UpstreamAddr> {
        let one = |last: &u8| UpstreamAddr::Tcp(([127, 0, 0, *last], 80).into());
        lasts.iter().map(one).collect()
    }

    #[test]
    fn a_name_that_moves_keeps_what_is_known_of_the_rest() {
        let mut settings = testing::config().upstreams.remove(0);
        settings.servers = vec![UpstreamServer {
            name: Some(("name".into(), 80)),
            addresses: addresses(&[1, 2]),
            weight: 3,
            backup: false,
            tls: false,
        }];
        let fleet = Fleet::new(&[settings.clone()], None);
        let roster = &fleet.rosters()[0];
        let before = roster.members();
        let server = &settings.servers[0];
        roster.replace(0, server, &addresses(&[2, 1]));
        assert_eq!(roster.generation(), 0, "another order is no change");
        roster.replace(0, server, &addresses(&[2, 3]));
        assert_eq!(roster.generation(), 1);
        let after = roster.members();
        let shown: Vec<_> = after.iter().map(|member| member.addr.to_string()).collect();
        assert_eq!(shown, ["127.0.0.2:80", "127.0.0.3:80"]);
        assert!(Arc::ptr_eq(&before[1].health, &after[0].health));
        roster.replace(0, server, &[]);
        assert_eq!(
            roster.members().len(),
            2,
            "a name without address changes nothing"
        );
        // One that cannot be looked up when the file is read again has those it had, as the server of
        // another upstream too.
        let mut unknown = settings.clone();
        unknown.servers[0].addresses.clear();
        unknown.name = "another".to_owned();
        let roster = &Fleet::new(std::slice::from_ref(&unknown), Some(&fleet)).rosters[0];
        assert_eq!((roster.members().len(), roster.is_waiting()), (2, false));
        let roster = &Fleet::new(&[unknown], None).rosters[0];
        assert_eq!((roster.members().len(), roster.is_waiting()), (0, true));
        // A reload keeps it too.
        let next = Fleet::new(&[settings], Some(&fleet));
        let health = Arc::clone(&next.rosters()[0].members()[1].health);
        assert!(Arc::ptr_eq(&health, &after[0].health));
    }
}
