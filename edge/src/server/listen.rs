//! Binding the configured addresses, one socket per worker.

use std::net::{SocketAddr, TcpListener};

use super::Error;
use crate::net::bind_listener;

/// Sockets of every worker for a list of addresses: `result[worker]` has one per address.
pub(super) fn bind_all(
    addrs: &[SocketAddr],
    workers: usize,
) -> Result<Vec<Vec<TcpListener>>, Error> {
    for addr in addrs {
        refuse_shared(*addr)?;
    }
    (0..workers)
        .map(|_| {
            addrs
                .iter()
                .map(|&addr| bind_listener(addr).map_err(|source| Error::Bind { addr, source }))
                .collect()
        })
        .collect()
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
