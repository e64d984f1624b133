//! How many connections each client has: one count for all workers, over TCP and QUIC together.

use std::net::IpAddr;
use std::sync::Arc;

use super::counts::{Counts, Full, Held};
use super::key::ClientKey;
use crate::config::PerAddress;

/// The connections of every client.
#[derive(Clone, Default)]
pub struct Connections(Arc<Counts>);

impl Connections {
    /// Counts one more until it is dropped; `None` for one that is not counted.
    pub fn hold(
        &self,
        bound: &PerAddress,
        addr: IpAddr,
        ipv6_prefix: u8,
    ) -> Result<Option<Held>, Full> {
        match bound.connections {
            Some(most) => self.hold_of(most, bound, addr, ipv6_prefix),
            None => Ok(None),
        }
    }

    /// The same with another number than that of connections.
    pub fn hold_of(
        &self,
        most: u32,
        bound: &PerAddress,
        addr: IpAddr,
        ipv6_prefix: u8,
    ) -> Result<Option<Held>, Full> {
        let client = self.0.key(ClientKey::from_ip(addr, ipv6_prefix));
        // Whom the bound is not for matters only to those who have reached it: lists may be long.
        self.0.hold(client, most).map(Some).or_else(|full| {
            let addr = addr.to_canonical();
            let is_exempt = bound.exempt.iter().any(|network| network.contains(addr));
            is_exempt.then_some(None).ok_or(full)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cidr::Parsed;

    #[test]
    fn clients_are_bounded_apart_and_some_not_at_all() {
        let connections = Connections::default();
        let mut bound = PerAddress {
            connections: Some(2),
            exempt: vec!["10.0.0.0/8".parse::<Parsed>().expect("a network").cidr],
        };
        let hold = |bound: &PerAddress, addr: &str| {
            connections.hold(bound, addr.parse().expect("an address"), 64)
        };
        let held = [hold(&bound, "192.0.2.1"), hold(&bound, "::ffff:192.0.2.1")];
        assert!(held.iter().all(|held| matches!(held, Ok(Some(_)))));
        assert!(hold(&bound, "192.0.2.1").is_err());
        assert!(hold(&bound, "192.0.2.2").is_ok(), "somebody else");
        let net = [hold(&bound, "2001:db8::1"), hold(&bound, "2001:db8::2")];
        assert!(hold(&bound, "2001:db8::3").is_err(), "one network");
        let proxies: Vec<_> = (0..5).map(|_| hold(&bound, "10.1.2.3")).collect();
        assert!(proxies.iter().all(Result::is_ok));
        drop(held);
        assert!(hold(&bound, "192.0.2.1").is_ok(), "given back");
        bound.connections = None;
        assert!(matches!(hold(&bound, "2001:db8::3"), Ok(None)));
        drop(net);
    }
}
