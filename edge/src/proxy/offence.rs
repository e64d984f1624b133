//! What clients do wrong, counted towards a ban.

use std::net::IpAddr;

use super::caller::is_in;
use super::configured::Proxy;
use super::exchange::Peer;
use crate::clock::{coarse_ns, monotonic_ns};
use crate::limit::{ClientKey, Offence};

impl Proxy {
    /// Counts an offence of the client at this address, which must be that of a finished TCP
    /// handshake. A client that does too much wrong is handed to the kernel, and then this is true:
    /// its connections are to be closed.
    ///
    /// A trusted proxy is never counted: what comes over its connections is its clients' doing. Nor
    /// is this machine or its gateway: its health checks and tests cannot be banned, so they are not
    /// cut off either.
    ///
    /// Cheap and without locks; nothing waits.
    pub fn offence(&self, addr: IpAddr, offence: Offence) -> bool {
        let Some(penalties) = &self.penalties else {
            return false;
        };
        let canonical = addr.to_canonical();
        if self.spared.has(canonical) || is_in(canonical, &self.forwarding.trusted) {
            return false;
        }
        let client = ClientKey::from_ip(addr, self.ipv6_prefix);
        let is_over = penalties.record(&client, offence, monotonic_ns());
        if is_over {
            (self.ban)(addr, offence, penalties.settings());
        }
        is_over
    }

    /// The same of a request. Behind a proxy nobody is counted: the packets are the proxy's, and a
    /// ban would meet everyone else behind it.
    pub fn offence_of(&self, peer: &Peer, offence: Offence) -> bool {
        peer.is_direct && self.offence(peer.addr.ip(), offence)
    }

    /// Whether the client was banned a moment ago, by whichever worker.
    pub fn is_banned(&self, peer: &Peer) -> bool {
        let penalties = self.penalties.as_ref().filter(|_| peer.is_direct);
        penalties.is_some_and(|penalties| {
            let client = ClientKey::from_ip(peer.addr.ip(), self.ipv6_prefix);
            penalties.is_banned(&client, coarse_ns())
        })
    }

    /// Whether an address is that of a proxy whose word is taken.
    pub fn trusts(&self, addr: IpAddr) -> bool {
        is_in(addr.to_canonical(), &self.forwarding.trusted)
    }
}
