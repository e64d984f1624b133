//! UDP sockets for QUIC: one per worker and address.
//!
//! Several datagrams go to the kernel and come from it in one call (UDP_SEGMENT and UDP_GRO, udp(7)),
//! with their ECN marks; `quinn-udp` knows how. The worker's ring says when to call, and the socket
//! counts what the calls carried. Where a network card does it wrong, `offload = false` in `[quic]`
//! lets each datagram go and come by itself.

mod batch;
mod bind;
mod counts;

use std::fmt;
use std::future::Future as _;
use std::io::{self, IoSliceMut};
use std::net::{SocketAddr, UdpSocket as StdSocket};
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::task::{Context, Poll, ready};

use nix::sys::socket::{setsockopt, sockopt};
use quinn::udp::{BATCH_SIZE, RecvMeta, Transmit, UdpSocketState};
use quinn::{AsyncUdpSocket, UdpPoller};
use tokio::sync::Notify;

use self::batch::Batch;
pub use self::bind::bind_udp;
pub use self::counts::UdpCounts;
use self::counts::{Counters, datagrams};
use super::op::{self, Readiness, Ready};
use super::runtime::{spawn, turn};

/// A bound socket of a worker.
pub struct UdpSocket {
    socket: Arc<StdSocket>,
    state: UdpSocketState,
    /// Until something has arrived.
    receiving: Mutex<Option<Ready>>,
    /// The last send found no room.
    is_full: AtomicBool,
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
        socket.set_nonblocking(true)?;
        let socket = Arc::new(socket);
        let socket = Arc::new(UdpSocket {
            state: UdpSocketState::new((&*socket).into())?,
            receiving: Mutex::new(Some(op::ready(&socket, Readiness::Readable))),
            socket,
            is_full: AtomicBool::new(false),
            counters: Counters::default(),
            offload: AtomicBool::new(true),
            batch: Mutex::default(),
            waiting: Arc::default(),
        });
        // Among the tasks that `quinn` starts, so that it comes round when they have.
        spawn(send_what_waits(
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
            let _ = setsockopt(&*self.socket, sockopt::UdpGroSegment, &offload);
        }
    }

    fn segments_max(&self) -> usize {
        match self.offload.load(Ordering::Relaxed) {
            true => self.state.max_gso_segments(),
            false => 1,
        }
    }

    /// Waits until something has arrived, if the last call has left nothing.
    fn poll_arrival(&self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut receiving = locked(&self.receiving);
        if let Some(ready) = receiving.as_mut() {
            let outcome = ready!(Pin::new(ready).poll(cx));
            *receiving = None;
            outcome?;
        }
        Poll::Ready(Ok(()))
    }

    /// Nothing was left to receive: the next call would be in vain.
    fn is_drained(&self) {
        *locked(&self.receiving) = Some(op::ready(&self.socket, Readiness::Readable));
    }

    async fn writable(&self) -> io::Result<()> {
        op::ready(&self.socket, Readiness::Writable).await
    }

    fn batch(&self) -> MutexGuard<'_, Batch> {
        locked(&self.batch)
    }

    fn send_now(&self, transmit: &Transmit<'_>) -> io::Result<()> {
        let outcome = self.state.send((&*self.socket).into(), transmit);
        let is_full = matches!(&outcome, Err(error) if error.kind() == io::ErrorKind::WouldBlock);
        self.is_full.store(is_full, Ordering::Relaxed);
        outcome?;
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
            waiting: Mutex::default(),
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
            ready!(self.poll_arrival(cx))?;
            match self.state.recv((&*self.socket).into(), bufs, meta) {
                Ok(messages) => {
                    let taken = meta[..messages].iter();
                    let count = taken.map(|meta| datagrams(meta.len, meta.stride)).sum();
                    self.counters.received(count);
                    if messages < bufs.len().min(BATCH_SIZE) {
                        self.is_drained();
                    }
                    return Poll::Ready(Ok(messages));
                }
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => self.is_drained(),
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
                    if socket.writable().await.is_err() {
                        return;
                    }
                }
                Some(_) => break,
            }
        }
    }
}

/// Only the worker's thread takes it; a panic has left nothing half done.
fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Waits for room in the socket's buffer; each connection has its own.
struct Writable {
    socket: Arc<UdpSocket>,
    waiting: Mutex<Option<Ready>>,
}

impl fmt::Debug for Writable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Writable").finish_non_exhaustive()
    }
}

impl UdpPoller for Writable {
    fn poll_writable(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let socket = &self.socket;
        let mut waiting = locked(&self.waiting);
        // Nearly always there is room, as far as is known.
        if waiting.is_none() && !socket.is_full.load(Ordering::Relaxed) {
            return Poll::Ready(Ok(()));
        }
        let ready = waiting.get_or_insert_with(|| op::ready(&socket.socket, Readiness::Writable));
        let outcome = ready!(Pin::new(ready).poll(cx));
        *waiting = None;
        socket.is_full.store(false, Ordering::Relaxed);
        Poll::Ready(outcome)
    }
}
