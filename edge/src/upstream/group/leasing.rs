//! The way to a connection for one exchange: waiting for a place, passing over servers that refuse.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::{Group, Sender};
use crate::clock::{coarse_ns, monotonic_ns};
use crate::config::{Multiplexing, Protocol};
use crate::net;
use crate::upstream::UpstreamError;
use crate::upstream::conn::Conn;
use crate::upstream::h1::H1;
use crate::upstream::h2::{self, Hold, Stream};
use crate::upstream::lease::{Lease, Slot};
use crate::upstream::server::Server;

/// How soon a waiting request notices that another worker has given a connection back; its own
/// worker wakes it at once.
const QUEUE_TICK: Duration = Duration::from_millis(10);

impl Group {
    /// A connection for one exchange: a warm one if there is one, else a new one. Servers that
    /// refuse are passed over: no byte of the request has been sent yet.
    pub async fn lease(&self, sender: &Sender) -> Result<Lease, UpstreamError> {
        let servers = self.servers();
        let now_ns = coarse_ns();
        let first = self
            .tier(&servers, 0, now_ns)
            .and_then(|tier| self.choose(&servers, tier, sender.affinity, 0, now_ns));
        if let Some(index) = first
            && let Ok(slot) = self.slot(&servers[index])
        {
            match self.pooled(&servers[index], sender, slot) {
                Ok(warm) => return Ok(warm),
                Err(slot) => drop(slot),
            }
        }
        // Apart, so that a request on a warm connection holds nothing of it.
        Box::pin(self.lease_from(sender, first, 0, None)).await
    }

    /// A connection that nobody has used before, instead of one that turned out to be closed: to
    /// the same server if it still accepts any.
    pub async fn lease_new(&self, stale: &Lease, sender: &Sender) -> Result<Lease, UpstreamError> {
        let servers = self.servers();
        let same = servers.iter().position(|s| Rc::ptr_eq(s, stale.server()));
        match same {
            Some(index) => match self.connect_when_free(&servers[index], sender).await {
                Ok(lease) => Ok(lease),
                Err(error) => self.lease_from(sender, None, 1 << index, Some(error)).await,
            },
            None => self.lease_from(sender, None, 0, None).await,
        }
    }

    /// A connection that nobody has used before, to the same server and no other.
    pub async fn lease_again(
        &self,
        stale: &Lease,
        sender: &Sender,
    ) -> Result<Lease, UpstreamError> {
        self.connect_when_free(stale.server(), sender).await
    }

    /// A connection to the server of this name ([`Lease::name`]) and no other.
    pub async fn lease_on(&self, name: &str, sender: &Sender) -> Result<Lease, UpstreamError> {
        let servers = self.servers();
        let Some(server) = servers.iter().find(|server| &*server.name == name) else {
            return Err(UpstreamError::Gone);
        };
        let slot = self.wait_for_slot(server).await?;
        match self.pooled(server, sender, slot) {
            Ok(lease) => Ok(lease),
            Err(slot) => self.connect(server, sender, slot).await,
        }
    }

    async fn connect_when_free(
        &self,
        server: &Rc<Server>,
        sender: &Sender,
    ) -> Result<Lease, UpstreamError> {
        let slot = self.wait_for_slot(server).await?;
        match self.roster.settings.protocol {
            Protocol::H1 => self.connect(server, sender, slot).await,
            // What has turned out to be closing gives no place any more.
            Protocol::H2(_) => match self.pooled(server, sender, slot) {
                Ok(lease) => Ok(lease),
                Err(slot) => self.connect(server, sender, slot).await,
            },
        }
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
        let settings = &self.roster.settings;
        if let Protocol::H2(bounds) = settings.protocol
            && !server.links.has_room(bounds)
        {
            return Err(());
        }
        let max = settings.max_connections;
        max.map(|max| Slot::take(&server.member, max, &self.freed))
            .transpose()
    }

    /// Tries servers one after the other, `first` before all, without those in the set `tried`.
    async fn lease_from(
        &self,
        sender: &Sender,
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
            let next = || self.choose(&servers, tier, sender.affinity, tried, now_ns);
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
            let slot = match self.pooled(&servers[index], sender, slot) {
                Ok(lease) => return Ok(lease),
                Err(slot) => slot,
            };
            match self.connect(&servers[index], sender, slot).await {
                Ok(lease) => return Ok(lease),
                Err(error) => last = Some(error),
            }
            tried |= 1 << index;
        }
        Err(last.unwrap_or(match servers.is_empty() {
            true => UpstreamError::Unresolved,
            false => UpstreamError::Gone,
        }))
    }

    /// A connection that is open already, or the place back.
    fn pooled(
        &self,
        server: &Rc<Server>,
        sender: &Sender,
        slot: Option<Slot>,
    ) -> Result<Lease, Option<Slot>> {
        let settings = &self.roster.settings;
        let conn = match settings.protocol {
            Protocol::H1 => {
                let idle = server.pool.borrow_mut().take(sender.client, coarse_ns());
                idle.map(|conn| (Conn::H1(conn), true))
            }
            Protocol::H2(bounds) => server.links.take(bounds).map(|hold| self.stream(hold)),
        };
        match conn {
            Some((conn, reused)) => Ok(self.lend(conn, reused, server, sender, slot)),
            None => Err(slot),
        }
    }

    fn stream(&self, hold: Hold) -> (Conn, bool) {
        let reused = hold.is_reused();
        let secure = self.roster.settings.tls.is_some();
        let stream = Stream::new(hold, secure, &self.bounds);
        (Conn::H2(Box::new(stream)), reused)
    }

    fn lend(
        &self,
        conn: Conn,
        reused: bool,
        server: &Rc<Server>,
        sender: &Sender,
        slot: Option<Slot>,
    ) -> Lease {
        Lease::new(conn, reused, sender.client, server, &self.freed, slot)
    }

    async fn connect(
        &self,
        server: &Rc<Server>,
        sender: &Sender,
        slot: Option<Slot>,
    ) -> Result<Lease, UpstreamError> {
        let settings = &self.roster.settings;
        if let Protocol::H2(bounds) = settings.protocol {
            let (conn, reused) = self.stream(self.hold(server, bounds).await?);
            return Ok(self.lend(conn, reused, server, sender, slot));
        }
        let connecting = self.roster.open(&server.member, sender.client);
        let error = match net::timeout(settings.connect_timeout, connecting).await {
            Ok(Ok(channel)) => {
                let conn = Conn::H1(Box::new(H1::new(channel, &self.bounds)));
                return Ok(self.lend(conn, false, server, sender, slot));
            }
            Ok(Err(error)) => error,
            Err(_) => UpstreamError::ConnectTimeout,
        };
        server.failed(settings, true, &error);
        Err(error)
    }

    /// Waits for a connection to come back; an error once the deadline has passed.
    async fn wait(&self, deadline_ns: u64) -> Result<(), UpstreamError> {
        if monotonic_ns() >= deadline_ns {
            return Err(UpstreamError::Full);
        }
        // Running out of the tick is as good as being told.
        let _ = net::timeout(QUEUE_TICK, self.freed.notified()).await;
        Ok(())
    }

    /// A place on a connection of HTTP/2, which is opened if there is none with room.
    async fn hold(&self, server: &Rc<Server>, bounds: Multiplexing) -> Result<Hold, UpstreamError> {
        let queue_ns = self.roster.settings.queue_timeout.as_nanos() as u64;
        let deadline_ns = monotonic_ns() + queue_ns;
        loop {
            let Some((hold, new)) = server.links.wait(bounds) else {
                self.wait(deadline_ns).await?;
                continue;
            };
            if let Some(link) = new {
                // Apart: who waits for it may leave, and the others still want it.
                let (server, roster) = (Rc::clone(server), Arc::clone(&self.roster));
                net::spawn(h2::connect(link, server, roster, self.bounds, bounds));
            }
            hold.opened().await?;
            // The server may let in fewer than have waited.
            if hold.fits(bounds.streams) {
                return Ok(hold);
            }
        }
    }
}
