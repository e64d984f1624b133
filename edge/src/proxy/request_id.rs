//! A name for each request that sorts by time: UUID version 7 (RFC 9562 §5.7).

use std::cell::Cell;
use std::hash::{BuildHasher as _, RandomState};
use std::time::{SystemTime, UNIX_EPOCH};

/// The text of an ID.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub(super) enum RequestId {
    Made([u8; 36]),
    Kept(Box<[u8]>),
}

impl RequestId {
    /// A new ID.
    pub(super) fn new() -> RequestId {
        let since_epoch = SystemTime::now().duration_since(UNIX_EPOCH);
        let ms = since_epoch.map_or(0, |since| since.as_millis() as u64);
        let (high, low) = unguessable();
        RequestId::of(ms, high, low)
    }

    fn of(ms: u64, high: u64, low: u64) -> RequestId {
        let first = ms << 16 | 0x7000 | high & 0xfff;
        let second = 1 << 63 | low >> 2;
        let mut text = [b'-'; 36];
        let mut at = 0;
        for byte in first.to_be_bytes().into_iter().chain(second.to_be_bytes()) {
            if matches!(at, 8 | 13 | 18 | 23) {
                at += 1;
            }
            text[at] = HEX[usize::from(byte >> 4)];
            text[at + 1] = HEX[usize::from(byte & 15)];
            at += 2;
        }
        RequestId::Made(text)
    }

    /// An ID that a trusted proxy gave the request.
    pub(super) fn kept(id: &[u8]) -> RequestId {
        RequestId::Kept(id.into())
    }

    pub(super) fn as_bytes(&self) -> &[u8] {
        match self {
            RequestId::Made(text) => text,
            RequestId::Kept(text) => text,
        }
    }
}

/// Two numbers from a keyed hash of a counter: nobody can guess the next ones, which is all that is
/// asked of names.
pub(super) fn unguessable() -> (u64, u64) {
    thread_local! {
        static SEED: RandomState = RandomState::new();
        static COUNT: Cell<u64> = const { Cell::new(0) };
    }
    let count = COUNT.get().wrapping_add(2);
    COUNT.set(count);
    SEED.with(|seed| (seed.hash_one(count), seed.hash_one(count + 1)))
}

const HEX: &[u8; 16] = b"0123456789abcdef";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_form_is_that_of_the_rfc() {
        // The example of RFC 9562, appendix A.6.
        let id = RequestId::of(0x017f_22e2_79b0, 0xcc3, 0x18c4_dc0c_0c07_398f << 2);
        let text = str::from_utf8(id.as_bytes()).unwrap();
        assert_eq!(text, "017f22e2-79b0-7cc3-98c4-dc0c0c07398f");
    }

    #[test]
    fn every_one_is_another() {
        let ids: std::collections::HashSet<RequestId> =
            (0..10_000).map(|_| RequestId::new()).collect();
        assert_eq!(ids.len(), 10_000);
    }
}
