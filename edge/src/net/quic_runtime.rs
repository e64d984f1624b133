//! What `quinn` asks of a runtime, on a worker.

use std::future::Future;
use std::io;
use std::net::UdpSocket;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Instant;

use quinn::{AsyncTimer, AsyncUdpSocket, Runtime};

use super::ring::Alarm;
use super::runtime::spawn;
use crate::clock::monotonic_ns;

/// The worker that runs on the calling thread.
#[derive(Debug)]
pub struct QuicRuntime {
    /// The same moment by both clocks, which are one (std::time::Instant, "Underlying System calls").
    epoch: Instant,
    epoch_ns: u64,
}

impl Default for QuicRuntime {
    fn default() -> QuicRuntime {
        QuicRuntime {
            epoch: now(),
            epoch_ns: monotonic_ns(),
        }
    }
}

impl Runtime for QuicRuntime {
    fn new_timer(&self, at: Instant) -> Pin<Box<dyn AsyncTimer>> {
        let (epoch, epoch_ns) = (self.epoch, self.epoch_ns);
        let mut timer = QuicTimer {
            epoch,
            epoch_ns,
            alarm: Alarm::at(0),
        };
        timer.set_at(at);
        Box::pin(timer)
    }

    fn spawn(&self, future: Pin<Box<dyn Future<Output = ()> + Send>>) {
        spawn(future);
    }

    fn wrap_udp_socket(&self, _: UdpSocket) -> io::Result<Arc<dyn AsyncUdpSocket>> {
        // Endpoints get theirs from `UdpSocket::new`.
        Err(io::ErrorKind::Unsupported.into())
    }
}

#[derive(Debug)]
struct QuicTimer {
    epoch: Instant,
    epoch_ns: u64,
    alarm: Alarm,
}

impl QuicTimer {
    fn set_at(&mut self, at: Instant) {
        let since = at.saturating_duration_since(self.epoch);
        let since_ns = u64::try_from(since.as_nanos()).unwrap_or(u64::MAX);
        self.alarm.reset(self.epoch_ns.saturating_add(since_ns));
    }
}

impl AsyncTimer for QuicTimer {
    fn reset(mut self: Pin<&mut Self>, at: Instant) {
        self.set_at(at);
    }

    fn poll(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<()> {
        Pin::new(&mut self.alarm).poll(cx)
    }
}

#[allow(
    clippy::disallowed_methods,
    reason = "`quinn` counts time in the standard library's instants"
)]
fn now() -> Instant {
    Instant::now()
}
