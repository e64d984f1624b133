//! The way of addresses that have completed a handshake from a worker to the control thread.
//!
//! A worker gathers them for a tick and hands them on in one go. An address is reported again only
//! after a while: most connections are from clients that are known already.

use std::cell::RefCell;
use std::hash::{BuildHasher, RandomState};
use std::net::IpAddr;
use std::time::Duration;

use tokio::sync::mpsc;

/// Addresses gathered between two ticks; those beyond are reported with their next connection.
const BATCH_MAX: usize = 256;

/// Batches on their way; a control thread that is busy must not be waited for.
const QUEUE_MAX: usize = 16;

/// Addresses of which the last report is remembered: a power of two.
const RECENT: usize = 4096;

/// How long an address is not reported again. The kernel's table forgets the least recently used.
const AGAIN: Duration = Duration::from_secs(60);

/// A worker's end.
pub struct KnownSender {
    batches: mpsc::Sender<Vec<IpAddr>>,
    state: RefCell<State>,
    seed: RandomState,
}

struct State {
    batch: Vec<IpAddr>,
    /// A hash of the address and when it was reported; zero for none.
    recent: Box<[(u64, u64)]>,
}

impl KnownSender {
    /// One that sends there.
    pub fn new(batches: mpsc::Sender<Vec<IpAddr>>) -> KnownSender {
        KnownSender {
            batches,
            state: RefCell::new(State {
                batch: Vec::new(),
                recent: vec![(0, 0); RECENT].into(),
            }),
            seed: RandomState::new(),
        }
    }

    /// One more worker's.
    pub fn again(&self) -> KnownSender {
        KnownSender::new(self.batches.clone())
    }

    /// An address has completed a handshake.
    pub fn note(&self, addr: IpAddr, now_ns: u64) {
        let id = self.seed.hash_one(addr).max(1);
        let mut state = self.state.borrow_mut();
        let State { batch, recent } = &mut *state;
        let place = &mut recent[id as usize % RECENT];
        let is_recent = place.0 == id && now_ns.saturating_sub(place.1) < AGAIN.as_nanos() as u64;
        if !is_recent && batch.len() < BATCH_MAX {
            *place = (id, now_ns);
            batch.push(addr);
        }
    }

    /// Hands on what was gathered. When the control thread does not keep up it is kept.
    pub fn flush(&self) {
        let mut state = self.state.borrow_mut();
        if !state.batch.is_empty()
            && let Ok(permit) = self.batches.try_reserve()
        {
            permit.send(std::mem::take(&mut state.batch));
        }
    }
}

pub(super) fn queue() -> (mpsc::Sender<Vec<IpAddr>>, mpsc::Receiver<Vec<IpAddr>>) {
    mpsc::channel(QUEUE_MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_reported_once_a_minute() {
        let (sender, mut batches) = queue();
        let known = KnownSender::new(sender);
        let addr = IpAddr::from([192, 0, 2, 1]);
        let second = 1_000_000_000;
        known.flush();
        assert!(batches.try_recv().is_err(), "there is nothing to say");
        for now in [second, 2 * second, 60 * second] {
            known.note(addr, now);
        }
        known.note([192, 0, 2, 2].into(), second);
        known.flush();
        assert_eq!(batches.try_recv().map(|batch| batch.len()), Ok(2));
        known.note(addr, 61 * second);
        known.flush();
        assert_eq!(batches.try_recv(), Ok(vec![addr]));
    }

    #[test]
    fn nothing_grows_when_nobody_listens() {
        let (sender, _batches) = queue();
        let known = KnownSender::new(sender);
        for round in 0..QUEUE_MAX as u32 + 10 {
            for n in 0..2 * BATCH_MAX as u32 {
                let addr = std::net::Ipv4Addr::from_bits(round << 16 | n);
                known.note(addr.into(), 1);
            }
            known.flush();
        }
        assert_eq!(known.state.borrow().batch.len(), BATCH_MAX);
    }
}
