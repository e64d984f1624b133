//! Binding the configured addresses, one socket per worker.

use std::net::SocketAddr;

use super::Error;
use super::update::{Endpoint, ListenSocket};
use crate::net::bind_listener;

/// Sockets of every worker: `result[worker]` has one per endpoint.
pub(super) fn bind_all(
    endpoints: &[Endpoint],
    workers: usize,
) -> Result<Vec<Vec<ListenSocket>>, Error> {
    bind_more(endpoints, &[], workers)
}

fn bind_each(endpoints: &[Endpoint], workers: usize) -> Result<Vec<Vec<ListenSocket>>, Error> {
    let bind = |&endpoint: &Endpoint| {
        let addr = endpoint.addr;
        let socket = bind_listener(addr).map_err(|source| Error::Bind { addr, source })?;
        Ok(ListenSocket { endpoint, socket })
    };
    (0..workers)
        .map(|_| endpoints.iter().map(bind).collect())
        .collect()
}

/// Sockets for the endpoints that are wanted beyond those there are.
pub(super) fn bind_more(
    wanted: &[Endpoint],
    there: &[Endpoint],
    workers: usize,
) -> Result<Vec<Vec<ListenSocket>>, Error> {
    let new: Vec<Endpoint> = wanted
        .iter()
        .filter(|endpoint| !there.contains(endpoint))
        .copied()
        .collect();
    let ports_there: Vec<u16> = there.iter().map(|endpoint| endpoint.addr.port()).collect();
    for endpoint in &new {
        // Where this process listens on the same port already, the probe would find itself.
        if !ports_there.contains(&endpoint.addr.port()) {
            refuse_shared(endpoint.addr)?;
        }
    }
    bind_each(&new, workers)
}

/// With `SO_REUSEPORT` a second process of the same account could bind the same address and take
/// a share of the connections unnoticed. A bind without it fails if anybody listens there.
fn refuse_shared(addr: SocketAddr) -> Result<(), Error> {
    use socket2::{Domain, Socket, Type};
    let probe = || {
        let socket = Socket::new(Domain::for_address(addr), Type::STREAM, None)?;
        if addr.is_ipv6() {
            socket.set_only_v6(!addr.ip().is_unspecified())?;
        }
        socket.set_reuse_address(true)?;
        socket.bind(&addr.into())
    };
    probe().map_err(|source| Error::Bind { addr, source })
}
