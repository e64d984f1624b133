//! Whom to let in: what a worker does about a connection attempt. Pure.
//!
//! The source of an attempt can be forged until it has answered from there. So while few handshakes
//! are under way everybody is let in at once, and beyond that a client is first asked to come back
//! with a token (Retry, RFC 9000 §8.1.2), which costs it a round trip and us no memory.

use std::net::IpAddr;

use crate::config::{PerAddress, Quic, RetryPolicy};
use crate::limit::{Connections, Full, Held};

/// Handshakes under way at once per worker; see the bound of TLS over TCP.
const HANDSHAKES_MAX: usize = 1024;
/// Those of one client at all workers: whoever begins them and does not go on keeps nobody else out. It is
/// enough for an address with many clients behind it, for a handshake takes a round trip.
const HANDSHAKES_OF_ONE: u32 = 256;

/// What to do about an attempt.
pub enum Decision {
    /// Begin the handshake.
    Accept(Accepted),
    /// Ask for proof of the address.
    Retry,
    /// Say no.
    Refuse,
    /// Say nothing: the address may be forged.
    Ignore,
}

/// What counts for a client until it is dropped.
pub struct Accepted {
    /// The connection.
    pub connection: Option<Held>,
    /// Its handshake.
    pub handshake: Option<Held>,
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

/// Who may come in. How many connections a client has is known to all workers, for which of them it
/// comes to is chance.
pub struct Admission {
    open: Connections,
    begun: Connections,
    ipv6_prefix: u8,
}

impl Admission {
    /// With the connections and the handshakes of all workers; clients with IPv6 are told apart by a
    /// prefix of this length.
    pub fn new(open: Connections, begun: Connections, ipv6_prefix: u8) -> Admission {
        Admission {
            open,
            begun,
            ipv6_prefix,
        }
    }

    /// What to do about an attempt.
    pub fn decide(&self, quic: &Quic, bound: &PerAddress, addr: IpAddr, load: Load) -> Decision {
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
        match self.open.hold(bound, addr, self.ipv6_prefix) {
            // Those that prove nothing are few anyway, and may not be whose address they bear.
            Ok(connection) if !is_validated && quic.retry != RetryPolicy::Off => {
                Decision::Accept(Accepted {
                    connection,
                    handshake: None,
                })
            }
            Ok(connection) => self.begin(connection, bound, addr),
            // An address that somebody else's packets only pretend to come from keeps nobody out.
            Err(_) => match is_validated {
                true => Decision::Refuse,
                false => Decision::Retry,
            },
        }
    }

    /// Begins a handshake. Where its client has too many, the packet may as well have been lost: many
    /// clients behind one address that come at once ask again within a second, and find room.
    fn begin(&self, connection: Option<Held>, bound: &PerAddress, addr: IpAddr) -> Decision {
        let of_one = self
            .begun
            .hold_of(HANDSHAKES_OF_ONE, bound, addr, self.ipv6_prefix);
        match of_one {
            Ok(handshake) => Decision::Accept(Accepted {
                connection,
                handshake,
            }),
            Err(Full) => Decision::Ignore,
        }
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
            idle_timeout: Duration::from_secs(60),
            keep_alive: None,
            early_data: false,
            alt_svc: None,
            alt_svc_port: None,
            offload: true,
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

    const TWO: PerAddress = PerAddress {
        connections: Some(2),
        exempt: Vec::new(),
    };

    fn admission(open: &Connections) -> Admission {
        Admission::new(open.clone(), Connections::default(), 64)
    }

    #[test]
    fn retry_comes_with_load() {
        let open = Connections::default();
        let auto = quic(RetryPolicy::Auto);
        let decide = |quic: &Quic, load| admission(&open).decide(quic, &TWO, ADDR, load);
        assert!(matches!(decide(&auto, load(9, false)), Decision::Accept(_)));
        assert!(matches!(decide(&auto, load(10, false)), Decision::Retry));
        assert!(matches!(decide(&auto, load(10, true)), Decision::Accept(_)));
        let always = quic(RetryPolicy::Always);
        assert!(matches!(decide(&always, load(0, false)), Decision::Retry));
        let off = quic(RetryPolicy::Off);
        assert!(matches!(
            decide(&off, load(500, false)),
            Decision::Accept(_)
        ));
        let flooded = |is_validated| decide(&auto, load(HANDSHAKES_MAX, is_validated));
        assert!(matches!(flooded(false), Decision::Ignore));
        assert!(matches!(flooded(true), Decision::Refuse));
        let full = Load {
            has_room: false,
            ..load(0, true)
        };
        assert!(matches!(decide(&auto, full), Decision::Refuse));
    }

    #[test]
    fn connections_of_one_address_are_bounded_over_all_workers_once_it_is_proven() {
        let open = Connections::default();
        let (one, other) = (admission(&open), admission(&open));
        let quic = quic(RetryPolicy::Auto);
        let neighbour: IpAddr = "2001:db8::1".parse().expect("valid");
        let same_net: IpAddr = "2001:db8::ffff".parse().expect("valid");
        let first = one.decide(&quic, &TWO, neighbour, load(0, true));
        let second = other.decide(&quic, &TWO, same_net, load(0, true));
        assert!(matches!(
            (&first, &second),
            (Decision::Accept(_), Decision::Accept(_))
        ));
        for worker in [&one, &other] {
            let decide =
                |addr, is_validated| worker.decide(&quic, &TWO, addr, load(0, is_validated));
            assert!(matches!(decide(same_net, true), Decision::Refuse));
            assert!(matches!(decide(same_net, false), Decision::Retry));
            assert!(matches!(decide(ADDR, true), Decision::Accept(_)));
        }
        drop(first);
        let third = one.decide(&quic, &TWO, same_net, load(0, true));
        assert!(matches!(third, Decision::Accept(_)));
    }

    #[test]
    fn handshakes_of_one_client_leave_room_for_others() {
        let admission = admission(&Connections::default());
        let quic = quic(RetryPolicy::Auto);
        let unbounded = PerAddress {
            connections: None,
            exempt: Vec::new(),
        };
        let decide = |addr| admission.decide(&quic, &unbounded, addr, load(0, true));
        let mut under_way: Vec<_> = (0..HANDSHAKES_OF_ONE).map(|_| decide(ADDR)).collect();
        let all = under_way.iter();
        assert!(all.clone().all(|one| matches!(one, Decision::Accept(_))));
        assert!(matches!(decide(ADDR), Decision::Ignore));
        let other: IpAddr = "192.0.2.2".parse().expect("valid");
        assert!(matches!(decide(other), Decision::Accept(_)));
        under_way.pop();
        assert!(matches!(decide(ADDR), Decision::Accept(_)), "one is over");
    }
}
