//! The way of a ban from a worker to the control thread: a bounded queue that never blocks.

use std::net::IpAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::mpsc;

use crate::config::Penalty;
use crate::limit::Offence;

/// Bans waiting to be entered. A worker asks once per offence, so this many clients would have to
/// cross the limit within the time of one map update.
const QUEUE_MAX: usize = 1024;

/// A client to shut out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct BanRequest {
    /// Its address.
    pub addr: IpAddr,
    /// What was one time too many.
    pub offence: Offence,
    /// The settings in force.
    pub penalty: Penalty,
}

/// A worker's end of the queue; clones share it.
#[derive(Clone, Debug)]
pub struct BanSender {
    queue: mpsc::Sender<BanRequest>,
    dropped: Arc<AtomicU64>,
}

impl BanSender {
    /// Asks for a ban. When the queue is full the request is dropped and counted; the client stays
    /// over the threshold and asks for it again with its next offence.
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
    use crate::server::control::testing::penalty;

    #[test]
    fn what_does_not_fit_is_dropped_and_counted() {
        let (sender, mut requests) = queue();
        let request = BanRequest {
            addr: [192, 0, 2, 1].into(),
            offence: Offence::Refused,
            penalty: penalty(),
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
