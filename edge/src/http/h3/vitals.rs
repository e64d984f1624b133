//! What is read off a connection from time to time: where the client is, and what got lost.

use std::net::SocketAddr;
use std::time::Duration;

use quinn::Connection;

use crate::observe::metrics::QuicMetrics;

/// How often a connection that is open for long is looked at.
pub(super) const EVERY: Duration = Duration::from_secs(10);

pub(super) struct Vitals {
    addr: SocketAddr,
    lost: u64,
}

impl Vitals {
    pub(super) fn new(connection: &Connection) -> Vitals {
        Vitals {
            addr: connection.remote_address(),
            lost: 0,
        }
    }

    /// Counts a client that is somewhere else than it was.
    pub(super) fn look(&mut self, connection: &Connection, metrics: &QuicMetrics) {
        let addr = connection.remote_address();
        if addr != self.addr {
            self.addr = addr;
            metrics.migrated();
        }
    }

    /// Counts losses too, which takes longer to read.
    pub(super) fn examine(&mut self, connection: &Connection, metrics: &QuicMetrics) {
        self.look(connection, metrics);
        let lost = connection.stats().path.lost_packets;
        // A new path counts from nothing.
        metrics.lost(lost.checked_sub(self.lost).unwrap_or(lost));
        self.lost = lost;
    }
}
