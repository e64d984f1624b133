//! Idle connections of one worker to one server.

use std::collections::VecDeque;
use std::net::SocketAddr;

use super::h1::H1;

/// Idle connections, most recently used last.
pub(super) struct Pool {
    idle: VecDeque<Idle>,
    idle_max: usize,
    idle_timeout_ns: u64,
}

struct Idle {
    conn: Box<H1>,
    /// Whom it speaks for, where the server was told so when it was opened.
    client: Option<SocketAddr>,
    since_ns: u64,
}

impl Pool {
    pub(super) fn new(idle_max: usize, idle_timeout_ns: u64) -> Pool {
        Pool {
            idle: VecDeque::new(),
            idle_max,
            idle_timeout_ns,
        }
    }

    /// The warmest connection that still stands, of those that speak for `client`. The server may have
    /// closed it in this very moment; nothing short of sending on it can tell.
    pub(super) fn take(&mut self, client: Option<SocketAddr>, now_ns: u64) -> Option<Box<H1>> {
        let fits = |idle: &Idle| idle.client == client;
        while let Some(at) = self.idle.iter().rposition(fits) {
            let mut idle = self.idle.remove(at).expect("found there");
            let expired = now_ns.saturating_sub(idle.since_ns) > self.idle_timeout_ns;
            if !expired && !idle.conn.is_stale() {
                return Some(idle.conn);
            }
        }
        None
    }

    pub(super) fn put(&mut self, mut conn: Box<H1>, client: Option<SocketAddr>, now_ns: u64) {
        if self.idle_max == 0 {
            return;
        }
        conn.rest();
        if conn.is_stale() {
            return;
        }
        if self.idle.len() == self.idle_max {
            self.idle.pop_front();
        }
        self.idle.push_back(Idle {
            conn,
            client,
            since_ns: now_ns,
        });
    }

    /// Closes what has expired or was closed by the server, so that it does not linger half-open.
    pub(super) fn sweep(&mut self, now_ns: u64) {
        self.idle.retain_mut(|idle| {
            now_ns.saturating_sub(idle.since_ns) <= self.idle_timeout_ns && !idle.conn.is_stale()
        });
    }

    /// Takes the connections of a pool that had other settings.
    pub(super) fn take_over(&mut self, before: &mut Pool) {
        self.idle = std::mem::take(&mut before.idle);
        let surplus = self.idle.len().saturating_sub(self.idle_max);
        self.idle.drain(..surplus);
    }

    pub(super) fn len(&self) -> usize {
        self.idle.len()
    }
}
