//! Who wants to be woken when. Pure.

use std::collections::BTreeMap;
use std::task::Waker;

/// Deadlines are rounded up to this, so that many have the same: never early, and hardly late.
const GRAIN_NS: u64 = 1_000_000;

/// An entry: its deadline, and a number that no other has.
pub(super) type Key = (u64, u64);

/// The alarms of one worker that have not gone off.
#[derive(Default)]
pub(super) struct Alarms {
    wakers: BTreeMap<Key, Waker>,
    set: u64,
}

impl Alarms {
    /// Sets an alarm.
    pub(super) fn set(&mut self, deadline_ns: u64, waker: Waker) -> Key {
        self.set += 1;
        let deadline_ns = deadline_ns.div_ceil(GRAIN_NS).saturating_mul(GRAIN_NS);
        let key = (deadline_ns, self.set);
        self.wakers.insert(key, waker);
        key
    }

    /// The waker of an alarm that has not gone off.
    pub(super) fn waker(&mut self, key: Key) -> Option<&mut Waker> {
        self.wakers.get_mut(&key)
    }

    /// Takes an alarm back.
    pub(super) fn cancel(&mut self, key: Key) -> Option<Waker> {
        self.wakers.remove(&key)
    }

    /// When the next one goes off.
    pub(super) fn next_ns(&self) -> Option<u64> {
        self.wakers.first_key_value().map(|(key, _)| key.0)
    }

    /// One that is due.
    pub(super) fn due(&mut self, now_ns: u64) -> Option<Waker> {
        match self.wakers.first_entry() {
            Some(first) if first.key().0 <= now_ns => Some(first.remove()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn alarms_go_off_in_order_and_never_early() {
        let mut alarms = Alarms::default();
        let noop = || Waker::noop().clone();
        let late = alarms.set(9_000_000, noop());
        let early = alarms.set(1_000_001, noop());
        let taken_back = alarms.set(1_500_000, noop());
        assert_ne!(early, taken_back, "two may have the same deadline");
        assert_eq!(alarms.next_ns(), Some(2_000_000));
        assert!(alarms.cancel(taken_back).is_some());
        assert!(alarms.due(1_999_999).is_none());
        assert!(alarms.due(2_000_000).is_some() && alarms.due(2_000_000).is_none());
        assert!(alarms.waker(early).is_none() && alarms.waker(late).is_some());
        assert!(alarms.cancel(early).is_none(), "it has gone off");
        alarms.set(u64::MAX, noop());
        assert!(alarms.due(9_000_000).is_some() && alarms.due(u64::MAX - 1).is_none());
    }
}
