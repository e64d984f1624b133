//! What goes through a UDP socket, and in how many calls.

use std::sync::atomic::{AtomicU64, Ordering};

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

/// Written by the worker's thread only: the trait that asks for atomics knows of more.
#[derive(Debug, Default)]
pub(super) struct Counters {
    received: AtomicU64,
    receive_calls: AtomicU64,
    sent: AtomicU64,
    send_calls: AtomicU64,
}

impl Counters {
    pub(super) fn read(&self) -> UdpCounts {
        let read = |counter: &AtomicU64| counter.load(Ordering::Relaxed);
        UdpCounts {
            received: read(&self.received),
            receive_calls: read(&self.receive_calls),
            sent: read(&self.sent),
            send_calls: read(&self.send_calls),
        }
    }

    /// A call has taken so many datagrams.
    pub(super) fn sent(&self, datagrams: usize) {
        add(&self.sent, datagrams);
        add(&self.send_calls, 1);
    }

    /// A call has brought so many datagrams.
    pub(super) fn received(&self, datagrams: usize) {
        add(&self.received, datagrams);
        add(&self.receive_calls, 1);
    }
}

fn add(counter: &AtomicU64, count: usize) {
    counter.store(
        counter.load(Ordering::Relaxed).wrapping_add(count as u64),
        Ordering::Relaxed,
    );
}

/// How many datagrams of a size so many bytes are.
pub(super) fn datagrams(bytes: usize, size: usize) -> usize {
    bytes.div_ceil(size.max(1))
}
