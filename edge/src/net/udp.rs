//! UDP sockets for QUIC: one per worker and address.
//!
//! Several datagrams go to the kernel and come from it in one call (UDP_SEGMENT and UDP_GRO, udp(7)),
//! with their ECN marks; `quinn-udp` knows how. The socket lives on the worker's own event loop, and
//! counts what the calls carried.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::os::fd::AsFd as _;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::task::{Context, Poll, ready};

use nix::sys::socket::{setsockopt, sockopt};
use quinn::udp::{RecvMeta, Transmit, UdpSocketState};
use quinn::{AsyncUdpSocket, UdpPoller};
use socket2::{Domain, Protocol, Socket as RawSocket, Type};
use tokio::io::Interest;

/// What the kernel holds for a worker that is busy: 2 MiB are about 15 ms at 1 Gbit/s.
const BUFFER_BYTES: usize = 2 * 1024 * 1024;

/// Binds a socket that shares its address with those of the other workers. `[::]` takes IPv4 too.
pub fn bind_udp(addr: SocketAddr) -> io::Result<StdSocket> {
    let socket = RawSocket::new(
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

/// What a socket has moved, and in how many calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct UdpCounts {
    /// Datagrams received.
    pub received: u64,
    /// Calls that brought them.
    pub receive_calls: u64,
    /// Datagrams sent.
    pub sent: u64,
    /// Calls that took them.
    pub send_calls: u64,
}

#[derive(Debug, Default)]
struct Counters {
    received: AtomicU64,
    receive_calls: AtomicU64,
    sent: AtomicU64,
    send_calls: AtomicU64,
}

/// A bound socket on the worker's event loop.
pub struct UdpSocket {
    socket: tokio::net::UdpSocket,
    state: UdpSocketState,
    counters: Counters,
}

impl UdpSocket {
    /// Takes over a bound socket; must be called on a worker.
    pub fn new(socket: StdSocket) -> io::Result<Arc<UdpSocket>> {
        Ok(Arc::new(UdpSocket {
            state: UdpSocketState::new((&socket).into())?,
            socket: tokio::net::UdpSocket::from_std(socket)?,
            counters: Counters::default(),
        }))
    }

    /// What it has moved so far.
    pub fn counts(&self) -> UdpCounts {
        // Written by this thread only: the trait that asks for atomics knows of more.
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        UdpCounts {
            received: read(&self.counters.received),
            receive_calls: read(&self.counters.receive_calls),
            sent: read(&self.counters.sent),
            send_calls: read(&self.counters.send_calls),
        }
    }
}

fn add(counter: &AtomicU64, count: usize) {
    counter.store(
        counter.load(Ordering::Relaxed).wrapping_add(count as u64),
        Ordering::Relaxed,
    );
}

impl fmt::Debug for UdpSocket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("UdpSocket").finish_non_exhaustive()
    }
}

impl AsyncUdpSocket for UdpSocket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Writable {
            socket: self,
            waiting: None,
        })
    }

    fn try_send(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_io(Interest::WRITABLE, || {
            self.state.send((&self.socket).into(), transmit)
        })?;
        let datagrams = match transmit.segment_size {
            Some(size) => transmit.contents.len().div_ceil(size.max(1)),
            None => 1,
        };
        add(&self.counters.sent, datagrams);
        add(&self.counters.send_calls, 1);
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        loop {
            ready!(self.socket.poll_recv_ready(cx))?;
            let received = self.socket.try_io(Interest::READABLE, || {
                self.state.recv((&self.socket).into(), bufs, meta)
            });
            match received {
                Ok(messages) => {
                    let datagrams = meta[..messages]
                        .iter()
                        .map(|meta| meta.len.div_ceil(meta.stride.max(1)))
                        .sum();
                    add(&self.counters.received, datagrams);
                    add(&self.counters.receive_calls, 1);
                    return Poll::Ready(Ok(messages));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
                // An error that an earlier datagram left behind, or a lack of memory: it must not
                // end the endpoint, which would take every connection along.
                Err(error) => tracing::debug!(%error, "cannot receive a datagram"),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    fn max_transmit_segments(&self) -> usize {
        self.state.max_gso_segments()
    }

    fn max_receive_segments(&self) -> usize {
        self.state.gro_segments()
    }

    fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }
}

/// Waits for room in the socket's buffer; each connection has its own.
struct Writable {
    socket: Arc<UdpSocket>,
    waiting: Option<Pin<Box<dyn Future<Output = io::Result<()>> + Send + Sync>>>,
}

impl fmt::Debug for Writable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writable").finish_non_exhaustive()
    }
}

impl UdpPoller for Writable {
    fn poll_writable(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = Arc::clone(&self.socket);
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(async move { socket.socket.writable().await }));
        let outcome = ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        Poll::Ready(outcome)
    }
}
