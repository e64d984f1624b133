//! Sockets as `edge` wants them: listening and connecting.

use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::path::Path;
use std::pin::Pin;
use std::time::Duration;

use socket2::{Domain, Protocol, SockAddr, SockRef, Socket as RawSocket, TcpKeepalive, Type};

use super::op;
use super::socket::Socket;
use crate::config::UpstreamAddr;

/// The kernel caps it at `net.core.somaxconn`.
const BACKLOG: i32 = 4096;
/// A dead client on a quiet stream is noticed within about two minutes.
const KEEPALIVE: TcpKeepalive = TcpKeepalive::new()
    .with_time(Duration::from_secs(60))
    .with_interval(Duration::from_secs(15))
    .with_retries(4);

/// Binds a listening socket that shares its address with those of the other workers
/// (`SO_REUSEPORT`, socket(7)). `[::]` accepts IPv4 too.
pub fn bind_listener(addr: SocketAddr) -> io::Result<TcpListener> {
    let socket = RawSocket::new(Domain::for_address(addr), Type::STREAM, Some(Protocol::TCP))?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    // Accepted sockets inherit it.
    socket.set_tcp_keepalive(&KEEPALIVE)?;
    socket.bind(&addr.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Connects to an upstream server.
pub async fn connect(addr: &UpstreamAddr) -> io::Result<Socket> {
    let is_local = matches!(addr, UpstreamAddr::Tcp(addr) if addr.ip().is_loopback());
    let (domain, addr) = match addr {
        UpstreamAddr::Tcp(addr) => (Domain::for_address(*addr), SockAddr::from(*addr)),
        UpstreamAddr::Unix(path) => (Domain::UNIX, unix_addr(path)?),
    };
    let socket = RawSocket::new(domain, Type::STREAM, None)?;
    if domain != Domain::UNIX {
        socket.set_tcp_nodelay(true)?;
        SockRef::from(&socket).set_tcp_keepalive(&KEEPALIVE)?;
    }
    if is_local {
        // Loopback has no path to be gentle to: what BBR computes and paces there is CPU for nothing.
        // Not a loss where the kernel lets nobody choose.
        let _ = socket.set_tcp_congestion(b"reno");
    }
    let socket = Socket::new(OwnedFd::from(socket));
    let mut connecting = op::connect(socket.fd(), addr);
    Pin::new(&mut connecting).await?;
    Ok(socket)
}

fn unix_addr(path: &Path) -> io::Result<SockAddr> {
    SockAddr::unix(path)
}
