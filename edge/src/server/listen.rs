//! Binding the configured addresses, one socket per worker.

use std::io;
use std::net::{SocketAddr, TcpListener};

use super::Error;
use super::update::{Endpoint, ListenSocket};
use crate::net::bind_listener;

/// Sockets of every worker: `result[worker]` has one per endpoint.
pub(super) fn bind_all(
    endpoints: &[Endpoint],
    workers: usize,
) -> Result<Vec<Vec<ListenSocket>>, Error> {
    let mut sockets = Vec::new();
    for &Endpoint { addr, .. } in endpoints {
        let bound = bind(addr, workers, &[]).map_err(|source| Error::Bind { addr, source })?;
        sockets.extend(bound.into_iter().map(|socket| (addr, socket)));
    }
    Ok(deal(endpoints, sockets, workers))
}

/// As many sockets for one address. `own_ports` are those that this edge listens on already.
pub(super) fn bind(
    addr: SocketAddr,
    sockets: usize,
    own_ports: &[u16],
) -> io::Result<Vec<TcpListener>> {
    if !own_ports.contains(&addr.port()) {
        refuse_shared(addr)?;
    }
    (0..sockets).map(|_| bind_listener(addr)).collect()
}

/// Gives every worker one socket of each endpoint.
pub(super) fn deal(
    endpoints: &[Endpoint],
    sockets: Vec<(SocketAddr, TcpListener)>,
    workers: usize,
) -> Vec<Vec<ListenSocket>> {
    let mut hands: Vec<Vec<ListenSocket>> = (0..workers).map(|_| Vec::new()).collect();
    for (addr, socket) in sockets {
        let Some(&endpoint) = endpoints.iter().find(|endpoint| endpoint.addr == addr) else {
            continue;
        };
        let lacks =
            |hand: &&mut Vec<ListenSocket>| hand.iter().all(|socket| socket.endpoint != endpoint);
        if let Some(hand) = hands.iter_mut().find(lacks) {
            hand.push(ListenSocket { endpoint, socket });
        }
    }
    hands
}

/// With `SO_REUSEPORT` a second process of the same account could bind the same address and take
/// a share of the connections unnoticed. A bind without it fails if anybody listens there.
fn refuse_shared(addr: SocketAddr) -> io::Result<()> {
    use socket2::{Domain, Socket, Type};
    let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    socket.set_reuse_address(true)?;
    socket.bind(&addr.into())
}
