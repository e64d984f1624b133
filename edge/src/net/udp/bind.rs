//! Opening a UDP socket.

use std::io;
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsFd as _;

use nix::sys::socket::{setsockopt, sockopt};
use socket2::{Domain, Protocol, Socket, Type};

/// What the kernel holds for a worker that is busy: 2 MiB are about 15 ms at 1 Gbit/s.
const BUFFER_BYTES: usize = 2 * 1024 * 1024;

/// Binds a socket that shares its address with those of the other workers. `[::]` takes IPv4 too.
pub fn bind_udp(addr: SocketAddr) -> io::Result<UdpSocket> {
    let socket = Socket::new(
        Domain::for_address(addr),
        Type::DGRAM.nonblocking(),
        Some(Protocol::UDP),
    )?;
    if addr.is_ipv6() {
        socket.set_only_v6(!addr.ip().is_unspecified())?;
    }
    socket.set_reuse_port(true)?;
    // Beyond the system's limit while there is still the right to; below it otherwise (socket(7)).
    if setsockopt(&socket.as_fd(), sockopt::RcvBufForce, &BUFFER_BYTES).is_err() {
        socket.set_recv_buffer_size(BUFFER_BYTES)?;
    }
    if setsockopt(&socket.as_fd(), sockopt::SndBufForce, &BUFFER_BYTES).is_err() {
        socket.set_send_buffer_size(BUFFER_BYTES)?;
    }
    socket.bind(&addr.into())?;
    Ok(socket.into())
}
