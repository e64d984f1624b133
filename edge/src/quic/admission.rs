//! Whom to let in: what a worker does about a connection attempt. Pure.
//!
//! The source of an attempt can be forged until it has answered from there. So while few handshakes
//! are under way everybody is let in at once, and beyond that a client is first asked to come back
//! with a token (Retry, RFC 9000 §8.1.2), which costs it a round trip and us no memory.

use std::collections::HashMap;
use std::net::IpAddr;

use crate::config::{Quic, RetryPolicy};
use crate::limit::ClientKey;

/// Handshakes under way at once per worker; see the bound of TLS over TCP.
const HANDSHAKES_MAX: usize = 1024;

/// What to do about an attempt.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Decision {
    /// Begin the handshake.
    Accept,
    /// Ask for proof of the address.
    Retry,
    /// Say no.
    Refuse,
    /// Say nothing: the address may be forged.
    Ignore,
}

/// What a decision rests on.
#[derive(Clone, Copy, Debug)]
pub struct Load {
    /// Handshakes under way.
    pub handshakes: usize,
    /// The client has proved its address.
    pub is_validated: bool,
    /// There is room for one more connection.
    pub has_room: bool,
}

/// The open connections of one worker by client, and its rules.
pub struct Admission {
    open: HashMap<ClientKey, u32>,
    ipv6_prefix: u8,
}

impl Admission {
    /// Without connections; clients with IPv6 are told apart by a prefix of this length.
    pub fn new(ipv6_prefix: u8) -> Admission {
        Admission {
            open: HashMap::new(),
            ipv6_prefix,
        }
    }

    /// What to do about an attempt.
    pub fn decide(&self, quic: &Quic, addr: IpAddr, load: Load) -> Decision {
        let Load {
            handshakes,
            is_validated,
            has_room,
        } = load;
        if handshakes >= HANDSHAKES_MAX || !has_room {
            return match is_validated {
                true => Decision::Refuse,
                false => Decision::Ignore,
            };
        }
        let must_prove = match quic.retry {
            RetryPolicy::Always => true,
            RetryPolicy::Auto => handshakes >= quic.retry_above as usize,
            RetryPolicy::Off => false,
        };
        if must_prove && !is_validated {
            return Decision::Retry;
        }
        match self.open.get(&self.key(addr)) {
            // An address that somebody else's packets only pretend to come from keeps nobody out.
            Some(&open) if open >= quic.connections_per_address => match is_validated {
                true => Decision::Refuse,
                false => Decision::Retry,
            },
            _ => Decision::Accept,
        }
    }

    /// A connection of this client has begun.
    pub fn opened(&mut self, addr: IpAddr) {
        *self.open.entry(self.key(addr)).or_default() += 1;
    }

    /// It has ended.
    pub fn closed(&mut self, addr: IpAddr) {
        let key = self.key(addr);
        if let Some(open) = self.open.get_mut(&key) {
            *open -= 1;
            if *open == 0 {
                self.open.remove(&key);
            }
        }
    }

    fn key(&self, addr: IpAddr) -> ClientKey {
        ClientKey::from_ip(addr, self.ipv6_prefix)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn quic(retry: RetryPolicy) -> Quic {
        Quic {
            retry,
            retry_above: 10,
            connections_per_address: 2,
            idle_timeout: Duration::from_secs(60),
            keep_alive: None,
            early_data: false,
            alt_svc: None,
            alt_svc_port: None,
        }
    }

    fn load(handshakes: usize, is_validated: bool) -> Load {
        Load {
            handshakes,
            is_validated,
            has_room: true,
        }
    }

    const ADDR: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[test]
    fn retry_comes_with_load() {
        let admission = Admission::new(64);
        let auto = quic(RetryPolicy::Auto);
        let decide = |quic: &Quic, load| admission.decide(quic, ADDR, load);
        assert_eq!(decide(&auto, load(9, false)), Decision::Accept);
        assert_eq!(decide(&auto, load(10, false)), Decision::Retry);
        assert_eq!(decide(&auto, load(10, true)), Decision::Accept);
        assert_eq!(
            decide(&quic(RetryPolicy::Always), load(0, false)),
            Decision::Retry
        );
        assert_eq!(
            decide(&quic(RetryPolicy::Off), load(500, false)),
            Decision::Accept
        );
        assert_eq!(decide(&auto, load(HANDSHAKES_MAX, false)), Decision::Ignore);
        assert_eq!(decide(&auto, load(HANDSHAKES_MAX, true)), Decision::Refuse);
        let full = Load {
            has_room: false,
            ..load(0, true)
        };
        assert_eq!(decide(&auto, full), Decision::Refuse);
    }

    #[test]
    fn connections_of_one_address_are_bounded_once_it_is_proven() {
        let mut admission = Admission::new(64);
        let quic = quic(RetryPolicy::Auto);
        let neighbour: IpAddr = "2001:db8::1".parse().expect("valid");
        let same_net: IpAddr = "2001:db8::ffff".parse().expect("valid");
        admission.opened(neighbour);
        admission.opened(same_net);
        assert_eq!(
            admission.decide(&quic, same_net, load(0, true)),
            Decision::Refuse
        );
        assert_eq!(
            admission.decide(&quic, same_net, load(0, false)),
            Decision::Retry
        );
        assert_eq!(
            admission.decide(&quic, ADDR, load(0, true)),
            Decision::Accept
        );
        admission.closed(neighbour);
        assert_eq!(
            admission.decide(&quic, same_net, load(0, true)),
            Decision::Accept
        );
        admission.closed(same_net);
        assert!(admission.open.is_empty());
    }
}
