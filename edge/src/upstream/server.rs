//! One server as one worker sees it.

use std::cell::{Cell, RefCell};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::Ordering::Relaxed;

use super::UpstreamError;
use super::choice::hash;
use super::fleet::Member;
use super::h2::Links;
use super::pool::Pool;
use crate::clock::monotonic_ns;
use crate::config::{Protocol, Upstream};

/// One server, its idle connections and what this worker has under way on it.
pub(super) struct Server {
    pub(super) member: Arc<Member>,
    /// Its address, for logs.
    pub(super) name: Rc<str>,
    /// What hashing knows it by.
    pub(super) identity: u64,
    pub(super) pool: RefCell<Pool>,
    /// Of HTTP/2, in place of the pool.
    pub(super) links: Links,
    /// Connections of HTTP/2 that nobody uses are kept so long.
    link_idle_ns: u64,
    pub(super) in_flight: Cell<usize>,
    /// Of `in_flight`, what the other workers and the metrics have been told.
    told: Cell<usize>,
    /// Of round robin.
    pub(super) credit: Cell<i64>,
}

impl Server {
    /// A server, with the idle connections it had under other settings.
    pub(super) fn new(member: Arc<Member>, settings: &Upstream, before: Option<&Server>) -> Server {
        let idle_timeout_ns = settings.idle_timeout.as_nanos() as u64;
        let mut pool = Pool::new(settings.idle_max, idle_timeout_ns);
        let links = Links::default();
        if let Some(before) = before {
            links.take_over(&before.links);
            pool.take_over(&mut before.pool.borrow_mut());
        }
        let name = member.addr.to_string();
        Server {
            identity: hash(name.as_bytes()),
            name: name.into(),
            member,
            pool: RefCell::new(pool),
            links,
            link_idle_ns: match settings.idle_max {
                0 => 0,
                _ => idle_timeout_ns,
            },
            in_flight: Cell::new(0),
            told: Cell::new(0),
            credit: Cell::new(0),
        }
    }

    /// Whether as many connections are in use as may be, or as many streams.
    pub(super) fn is_full(&self, settings: &Upstream) -> bool {
        let all_used = settings
            .max_connections
            .is_some_and(|max| self.member.used.load(Relaxed) >= max);
        let no_room = match settings.protocol {
            Protocol::H1 => false,
            Protocol::H2(bounds) => !self.links.has_room(bounds),
        };
        all_used || no_room
    }

    /// Open connections of this worker: in use and idle.
    pub(super) fn open(&self, protocol: Protocol) -> usize {
        match protocol {
            Protocol::H1 => self.in_flight.get() + self.pool.borrow().len(),
            Protocol::H2(_) => self.links.len(),
        }
    }

    /// Closes what has been idle for too long.
    pub(super) fn sweep(&self, now_ns: u64) {
        self.pool.borrow_mut().sweep(now_ns);
        self.links.sweep(now_ns.saturating_sub(self.link_idle_ns));
    }

    /// A request has failed through this server's fault.
    pub(super) fn failed(&self, settings: &Upstream, settles: bool, error: &UpstreamError) {
        let health = &self.member.health;
        if let Some(time) = health.failed(settles, &settings.ejection, monotonic_ns()) {
            let alone = settings.servers.len() == 1;
            let (upstream, server) = (&settings.name, &*self.name);
            let seconds = time.as_secs_f64();
            match alone {
                // There is no other to go to, so it is asked all the same.
                true if !matches!(error, UpstreamError::Tls(_)) => {
                    tracing::debug!(upstream, server, %error, "a server fails");
                }
                // Somebody has to see to its certificate.
                true => tracing::warn!(upstream, server, %error, "a server fails"),
                false => {
                    tracing::warn!(upstream, server, %error, seconds, "a server is left alone")
                }
            }
        }
    }

    /// Adds what has changed since the last time to what everybody knows.
    pub(super) fn tell(&self) {
        let now = self.in_flight.get();
        let before = self.told.replace(now);
        match now.checked_sub(before) {
            Some(0) => {}
            Some(more) => {
                self.member.in_flight.fetch_add(more, Relaxed);
            }
            None => {
                self.member.in_flight.fetch_sub(before - now, Relaxed);
            }
        }
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.in_flight.set(0);
        self.tell();
    }
}
