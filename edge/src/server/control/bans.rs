//! The way of a ban from a worker to the control thread: a bounded queue that never blocks.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::sync::mpsc;

/// Bans waiting to be entered. A worker asks once per address, so this many clients would have to
/// cross the limit within the time of one map update.
const QUEUE_MAX: usize = 1024;

/// A client to shut out.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BanRequest {
    /// Its address.
    pub addr: IpAddr,
    /// For how long.
    pub duration: Duration,
    /// For the log, a short token such as `limit`.
    pub reason: &'static str,
}

/// A worker's end of the queue; clones share it.
#[derive(Clone, Debug)]
pub struct BanSender {
    queue: mpsc::Sender<BanRequest>,
    dropped: Arc<AtomicU64>,
}

impl BanSender {
    /// Asks for a ban. When the queue is full the request is dropped and counted; the client stays
    /// limited and crosses the threshold again.
    pub fn send(&self, request: BanRequest) {
        if self.queue.try_send(request).is_err() {
            self.dropped.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub(super) fn dropped(&self) -> u64 {
        self.dropped.load(Ordering::Relaxed)
    }
}

pub(super) fn queue() -> (BanSender, mpsc::Receiver<BanRequest>) {
    let (queue, requests) = mpsc::channel(QUEUE_MAX);
    let sender = BanSender {
        queue,
        dropped: Arc::default(),
    };
    (sender, requests)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let (sender, mut requests) = queue();
        let request = BanRequest {
            addr: [192, 0, 2, 1].into(),
            duration: Duration::from_secs(1),
            reason: "limit",
        };
        for _ in 0..QUEUE_MAX + 3 {
            sender.clone().send(request);
        }
        assert_eq!(sender.dropped(), 3);
        assert_eq!(requests.try_recv(), Ok(request));
        drop(requests);
        sender.send(request);
        assert_eq!(sender.dropped(), 4);
    }
}
