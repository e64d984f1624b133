//! UDP sockets for QUIC: one per worker and address.
//!
//! Several datagrams go to the kernel and come from it in one call (UDP_SEGMENT and UDP_GRO, udp(7)),
//! with their ECN marks; `quinn-udp` knows how. The socket lives on the worker's own event loop, and
//! counts what the calls carried. Where a network card does it wrong, `offload = false` in `[quic]`
//! lets each datagram go and come by itself.

mod batch;
mod bind;
mod counts;

use std::fmt;
use std::future::poll_fn;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use nix::sys::socket::{setsockopt, sockopt};
use quinn::udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::io::Interest;
use tokio::sync::Notify;

use self::batch::Batch;
pub use self::bind::bind_udp;
pub use self::counts::UdpCounts;
use self::counts::{Counters, datagrams};

/// A bound socket on the worker's event loop.
pub struct UdpSocket {
    socket: tokio::net::UdpSocket,
    state: UdpSocketState,
    counters: Counters,
    offload: AtomicBool,
    /// Of one connection, until it has no more or there is a call's worth.
    batch: Mutex<Batch>,
    /// Something waits in the batch.
    waiting: Arc<Notify>,
}

impl UdpSocket {
    /// Takes over a bound socket; must be called on a worker.
    pub fn new(socket: StdSocket) -> io::Result<Arc<UdpSocket>> {
        let socket = Arc::new(UdpSocket {
            state: UdpSocketState::new((&socket).into())?,
            socket: tokio::net::UdpSocket::from_std(socket)?,
            counters: Counters::default(),
            offload: AtomicBool::new(true),
            batch: Mutex::default(),
            waiting: Arc::default(),
        });
        // Among the tasks that `quinn` starts, so that it comes round when they have.
        tokio::spawn(send_what_waits(
            Arc::downgrade(&socket),
            Arc::clone(&socket.waiting),
        ));
        Ok(socket)
    }

    /// What it has moved so far.
    pub fn counts(&self) -> UdpCounts {
        self.counters.read()
    }

    /// Whether several datagrams may go and come as one.
    pub fn set_offload(&self, offload: bool) {
        if self.offload.swap(offload, Ordering::Relaxed) != offload {
            // A kernel that knows nothing of it does not do it either.
            let _ = setsockopt(&self.socket, sockopt::UdpGroSegment, &offload);
        }
    }

    fn segments_max(&self) -> usize {
        match self.offload.load(Ordering::Relaxed) {
            true => self.state.max_gso_segments(),
            false => 1,
        }
    }

    /// Nothing was left to receive: the next call would be in vain, and what comes from now on is
    /// announced once more (EPOLLET, epoll(7)). Before the event loop looks again, or what it has
    /// seen would be forgotten.
    fn is_drained(&self) {
        let _: io::Result<()> = self
            .socket
            .try_io(Interest::READABLE, || Err(io::ErrorKind::WouldBlock.into()));
    }

    fn batch(&self) -> MutexGuard<'_, Batch> {
        // Only this thread takes it; a panic has left nothing half done.
        self.batch.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn send_now(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        self.socket.try_io(Interest::WRITABLE, || {
            self.state.send((&self.socket).into(), transmit)
        })?;
        let size = transmit.segment_size.unwrap_or(usize::MAX);
        self.counters.sent(datagrams(transmit.contents.len(), size));
        Ok(())
    }

    /// Sends what waits, all of it or only full calls.
    fn send_batch(&self, batch: &mut Batch, only_full: bool) -> io::Result<()> {
        let segments_max = self.segments_max();
        while !only_full || batch.is_full(segments_max) {
            let Some(call) = batch.next(segments_max) else {
                break;
            };
            self.send_now(&call)?;
            let bytes = call.contents.len();
            batch.sent(bytes);
        }
        Ok(())
    }
}

impl Drop for UdpSocket {
    fn drop(&mut self) {
        self.waiting.notify_one();
    }
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
        let mut batch = self.batch();
        let segments_max = self.segments_max();
        if !batch.is_empty() && !batch.fits(transmit, segments_max) {
            self.send_batch(&mut batch, false)?;
        }
        if batch.is_empty() && !Batch::is_worth(transmit) {
            return self.send_now(transmit);
        }
        if batch.is_empty() {
            self.waiting.notify_one();
        }
        batch.push(transmit);
        match self.send_batch(&mut batch, true) {
            // It was taken: the task below goes on once there is room.
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(()),
            outcome => outcome,
        }
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
                    let taken = meta[..messages].iter();
                    let count = taken.map(|meta| datagrams(meta.len, meta.stride)).sum();
                    self.counters.received(count);
                    if messages < bufs.len().min(BATCH_SIZE) {
                        self.is_drained();
                    }
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
        self.segments_max()
    }

    fn max_receive_segments(&self) -> usize {
        self.state.gro_segments()
    }

    fn may_fragment(&self) -> bool {
        self.state.may_fragment()
    }
}

/// Sends what waits as soon as nothing is added to it any more, for as long as the socket is there.
async fn send_what_waits(socket: Weak<UdpSocket>, waiting: Arc<Notify>) {
    let mut taken = 0;
    loop {
        waiting.notified().await;
        loop {
            let Some(socket) = socket.upgrade() else {
                return;
            };
            let outcome = {
                let mut batch = socket.batch();
                // Whoever was ready to send has had its turn, and may have another.
                let has_grown = std::mem::replace(&mut taken, batch.taken()) != batch.taken();
                match has_grown && !batch.is_empty() {
                    true => None,
                    false => Some(socket.send_batch(&mut batch, false)),
                }
            };
            match outcome {
                None => turn().await,
                Some(Err(error)) if error.kind() == io::ErrorKind::WouldBlock => {
                    if socket.socket.writable().await.is_err() {
                        return;
                    }
                }
                Some(_) => break,
            }
        }
    }
}

/// Lets every other task that is ready go first.
async fn turn() {
    let mut has_waited = false;
    poll_fn(|cx| {
        if std::mem::replace(&mut has_waited, true) {
            return Poll::Ready(());
        }
        cx.waker().wake_by_ref();
        Poll::Pending
    })
    .await;
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
        // Nearly always there is room, as far as is known.
        let room = self.socket.socket.try_io(Interest::WRITABLE, || Ok(()));
        if room.is_ok() {
            self.waiting = None;
            return Poll::Ready(Ok(()));
        }
        let socket = Arc::clone(&self.socket);
        let waiting = self
            .waiting
            .get_or_insert_with(|| Box::pin(async move { socket.socket.writable().await }));
        let outcome = ready!(waiting.as_mut().poll(cx));
        self.waiting = None;
        Poll::Ready(outcome)
    }
}
