//! Binding the configured addresses, one socket per worker.

use std::io;
use std::time::Duration;

use super::Error;
use super::update::{BoundSocket, Carrier, Endpoint, ListenSocket};
use crate::net::{bind_listener, bind_udp};

/// How long a port that is in use may still be that of a process that was killed: the kernel ends
/// what its ring had under way before it closes the sockets, and a successor can be faster.
const LEFTOVER: Duration = Duration::from_secs(1);
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// Sockets of every worker: `result[worker]` has one per endpoint.
pub(super) fn bind_all(
    endpoints: &[Endpoint],
    workers: usize,
) -> Result<Vec<Vec<ListenSocket>>, Error> {
    let mut sockets = Vec::new();
    let mut patience = LEFTOVER;
    for &endpoint in endpoints {
        let addr = endpoint.addr;
        let bound = loop {
            match bind(endpoint, workers, &[]) {
                Err(error) if error.kind() == io::ErrorKind::AddrInUse && !patience.is_zero() => {
                    patience = patience.saturating_sub(LOOK_EVERY);
                    pause();
                }
                bound => break bound.map_err(|source| Error::Bind { addr, source })?,
            }
        };
        sockets.extend(bound);
    }
    Ok(deal(sockets, workers))
}

#[allow(
    clippy::disallowed_methods,
    reason = "workers are started when all sockets are bound"
)]
fn pause() {
    std::thread::sleep(LOOK_EVERY);
}

/// As many sockets for one endpoint. `own` are those that this edge listens on already.
pub(super) fn bind(
    endpoint: Endpoint,
    sockets: usize,
    own: &[Endpoint],
) -> io::Result<Vec<ListenSocket>> {
    let shares_port = |other: &Endpoint| {
        other.addr.port() == endpoint.addr.port() && other.is_udp() == endpoint.is_udp()
    };
    // Where this edge listens on the same port already, the probe would find itself.
    if !own.iter().any(shares_port) {
        refuse_shared(endpoint)?;
    }
    let bind = || {
        Ok(match endpoint.carrier {
            Carrier::Tls | Carrier::Plain => BoundSocket::Stream(bind_listener(endpoint.addr)?),
            Carrier::Quic => BoundSocket::Datagram(bind_udp(endpoint.addr)?),
        })
    };
    (0..sockets)
        .map(|_| bind().map(|socket| ListenSocket { endpoint, socket }))
        .collect()
}

/// Gives every worker one socket of each endpoint.
pub(super) fn deal(sockets: Vec<ListenSocket>, workers: usize) -> Vec<Vec<ListenSocket>> {
    let mut hands: Vec<Vec<ListenSocket>> = (0..workers).map(|_| Vec::new()).collect();
    for socket in sockets {
        let lacks =
            |hand: &&mut Vec<ListenSocket>| hand.iter().all(|it| it.endpoint != socket.endpoint);
        if let Some(hand) = hands.iter_mut().find(lacks) {
            hand.push(socket);
        }
    }
    hands
}

/// With `SO_REUSEPORT` a second process of the same account could bind the same address and take
/// a share of the connections unnoticed. A bind without it fails if anybody listens there.
fn refuse_shared(endpoint: Endpoint) -> io::Result<()> {
    use socket2::{Domain, Socket, Type};
    let addr = endpoint.addr;
    let kind = match endpoint.is_udp() {
        true => Type::DGRAM,
        false => Type::STREAM,
    };
    let socket = Socket::new(Domain::for_address(addr), kind, None)?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    // Past connections must not be in the way; for UDP it would let two sockets share the address.
    socket.set_reuse_address(!endpoint.is_udp())?;
    socket.bind(&addr.into())
}
