//! A connection lent for one exchange.

use std::net::SocketAddr;
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use tokio::sync::Notify;

use super::UpstreamError;
use super::conn::Conn;
use super::fleet::Member;
use super::group::Group;
use super::server::Server;
use crate::clock::coarse_ns;

/// A connection lent for one exchange.
pub struct Lease {
    conn: Option<Conn>,
    /// It has carried an exchange before.
    pub reused: bool,
    /// Whom the connection speaks for, where it speaks for one client.
    client: Option<SocketAddr>,
    server: Rc<Server>,
    freed: Rc<Notify>,
    _slot: Option<Slot>,
}

/// A place among the connections that may be in use, where their number is limited.
pub(super) struct Slot {
    member: Arc<Member>,
    /// Whom to tell that there is room again.
    freed: Rc<Notify>,
}

impl Slot {
    /// Takes a place; fails when all are taken.
    pub(super) fn take(member: &Arc<Member>, max: usize, freed: &Rc<Notify>) -> Result<Slot, ()> {
        member
            .used
            .fetch_update(Relaxed, Relaxed, |used| (used < max).then_some(used + 1))
            .map_err(drop)?;
        Ok(Slot {
            member: Arc::clone(member),
            freed: Rc::clone(freed),
        })
    }
}

impl Drop for Slot {
    fn drop(&mut self) {
        self.member.used.fetch_sub(1, Relaxed);
        self.freed.notify_one();
    }
}

impl Lease {
    pub(super) fn new(
        conn: Conn,
        reused: bool,
        client: Option<SocketAddr>,
        server: &Rc<Server>,
        freed: &Rc<Notify>,
        slot: Option<Slot>,
    ) -> Lease {
        server.in_flight.set(server.in_flight.get() + 1);
        Lease {
            conn: Some(conn),
            reused,
            client,
            server: Rc::clone(server),
            freed: Rc::clone(freed),
            _slot: slot,
        }
    }

    pub(super) fn server(&self) -> &Rc<Server> {
        &self.server
    }

    /// The server's name: its address as logs show it, and what [`Group::lease_on`] knows it by.
    pub fn name(&self) -> &Rc<str> {
        &self.server.name
    }

    /// The connection.
    pub fn conn(&mut self) -> &mut Conn {
        self.conn.as_mut().expect("held until the lease is dropped")
    }

    /// The server has answered.
    pub fn succeeded(&self) {
        self.server.member.health.succeeded();
    }

    /// The server has failed the request.
    pub fn failed(&self, group: &Group, error: &UpstreamError) {
        match (&self.conn, error) {
            // It may be the connection that is dead; what comes next does not wait for that too.
            (Some(Conn::H2(stream)), UpstreamError::Timeout) => stream.retire(),
            (Some(Conn::H2(stream)), error) if stream.was_blamed(error) => return,
            _ => {}
        }
        self.server.failed(&group.roster.settings, false, error);
    }
}

impl Drop for Lease {
    /// Gives the connection back: kept if it can carry another exchange, closed if not.
    fn drop(&mut self) {
        match self.conn.take() {
            Some(Conn::H1(conn)) if conn.is_reusable() => {
                let mut pool = self.server.pool.borrow_mut();
                pool.put(conn, self.client, coarse_ns());
            }
            Some(Conn::H2(stream)) => {
                drop(stream);
                self.freed.notify_one();
            }
            _ => {}
        }
        self.server.in_flight.set(self.server.in_flight.get() - 1);
    }
}
