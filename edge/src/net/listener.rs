//! Listening sockets: one per worker and address.

use std::future::Future as _;
use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use socket2::{SockAddr, SockRef};

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
        Poll::Ready(accepted(fd, &addr))
    }

    /// Stops listening. Clients whose connection the kernel has set up already are not turned away:
    /// they are returned.
    pub async fn close(mut self) -> Vec<Accepted> {
        let mut waiting = Vec::new();
        let socket = SockRef::from(&*self.fd);
        if socket.set_nonblocking(true).is_ok() {
            while let Ok((socket, addr)) = socket.accept() {
                waiting.extend(accepted(socket.into(), &addr));
            }
        }
        // Completes the accept in flight, which may have taken a connection before that.
        let _ = socket.shutdown(Shutdown::Both);
        if let Some(operation) = self.accepting.take()
            && let Ok((fd, addr)) = operation.await
        {
            waiting.extend(accepted(fd, &addr));
        }
        waiting
    }
}

fn accepted(fd: OwnedFd, addr: &SockAddr) -> io::Result<Accepted> {
    let client = addr
        .as_socket()
        .ok_or_else(|| io::Error::other("accepted a socket that is not IP"))?;
    // A slow small write must not wait for the acknowledgement of the one before.
    SockRef::from(&fd).set_tcp_nodelay(true)?;
    Ok(Accepted {
        socket: Socket::new(fd),
        client: SocketAddr::new(client.ip().to_canonical(), client.port()),
    })
}

impl Drop for Listener {
    fn drop(&mut self) {
        // A worker that fails takes its ring along, which ends the accept in flight. Its successor goes
        // on with the same socket, in its place among those of other workers.
        if std::thread::panicking() {
            return;
        }
        // Completes the accept in flight, which holds the descriptor.
        let _ = SockRef::from(&*self.fd).shutdown(Shutdown::Both);
    }
}
