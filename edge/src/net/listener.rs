//! Listening sockets: one per worker and address.

use std::future::Future as _;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use socket2::SockRef;

use super::op;
use super::socket::Socket;

/// A connection as it came in.
pub struct Accepted {
    /// The connection.
    pub socket: Socket,
    /// The client's address; an IPv4 client of an IPv6 socket shows as IPv4.
    pub client: SocketAddr,
}

/// A listening socket of one worker.
pub struct Listener {
    fd: Rc<OwnedFd>,
    accepting: Option<op::Accept>,
}

impl Listener {
    /// Takes over a bound, listening socket.
    pub fn new(listener: TcpListener) -> Listener {
        Listener {
            fd: Rc::new(listener.into()),
            accepting: None,
        }
    }

    /// The next connection. An error concerns one connection or a lack of resources, not the
    /// listener: the caller waits a little and goes on.
    pub fn poll_accept(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<Accepted>> {
        let operation = self.accepting.get_or_insert_with(|| op::accept(&self.fd));
        let outcome = ready!(Pin::new(operation).poll(cx));
        self.accepting = None;
        let (fd, addr) = outcome?;
        let client = addr
            .as_socket()
            .ok_or_else(|| io::Error::other("accepted a socket that is not IP"))?;
        // A slow small write must not wait for the acknowledgement of the one before.
        SockRef::from(&fd).set_tcp_nodelay(true)?;
        Poll::Ready(Ok(Accepted {
            socket: Socket::new(fd),
            client: SocketAddr::new(client.ip().to_canonical(), client.port()),
        }))
    }
}

impl Drop for Listener {
    fn drop(&mut self) {
        // Completes the accept in flight, which holds the descriptor.
        let _ = SockRef::from(&*self.fd).shutdown(Shutdown::Both);
    }
}
