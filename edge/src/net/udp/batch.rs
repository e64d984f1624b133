//! Datagrams that leave together. Pure.
//!
//! `quinn` hands over ten datagrams at most, one connection's. What it hands over next mostly goes the
//! same way, and the kernel takes as many as fill 64 KiB in one call: it looks up the route once for
//! all of them, and loopback and many network cards carry them as one. Copying them once more costs
//! a tenth of what a call does.

use std::net::{IpAddr, SocketAddr};

use quinn::udp::{EcnCodepoint, Transmit};

/// The most that the kernel takes in one call: what an IPv4 packet holds (UDP_SEGMENT, udp(7)).
const CALL_BYTES_MAX: usize = 65_507;

/// What datagrams of one call have in common.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Way {
    destination: SocketAddr,
    src_ip: Option<IpAddr>,
    ecn: Option<EcnCodepoint>,
    /// Each is this long but the last, which may be shorter.
    segment: usize,
}

/// Datagrams that wait for others of the same way: a call's worth, and at most ten more.
#[derive(Default)]
pub(super) struct Batch {
    bytes: Vec<u8>,
    /// Of them, those that have left.
    left: usize,
    way: Option<Way>,
    /// The last one is short.
    is_closed: bool,
    /// Of all that were ever taken.
    taken: u64,
}

impl Batch {
    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.way.is_none()
    }

    /// A number that grows with every datagram.
    pub(super) fn taken(&self) -> u64 {
        self.taken
    }

    /// Whether datagrams are worth waiting with: several, for there may be more where they come from.
    pub(super) fn is_worth(transmit: &Transmit<'_>) -> bool {
        let size = transmit.segment_size.unwrap_or_default();
        size > 0 && transmit.contents.len() > size && transmit.contents.len().is_multiple_of(size)
    }

    /// Whether datagrams may go behind those that wait.
    pub(super) fn fits(&self, transmit: &Transmit<'_>, segments_max: usize) -> bool {
        let Some(way) = self.way else { return true };
        let size = transmit.segment_size.unwrap_or(way.segment);
        !self.is_closed
            && self.bytes.len() - self.left < call_bytes(way.segment, segments_max)
            && size == way.segment
            && (transmit.segment_size.is_some() || transmit.contents.len() <= size)
            && transmit.destination == way.destination
            && transmit.src_ip == way.src_ip
            && transmit.ecn == way.ecn
    }

    /// Takes datagrams that fit; the first say what is to fit.
    pub(super) fn push(&mut self, transmit: &Transmit<'_>) {
        let way = self.way.get_or_insert_with(|| Way {
            destination: transmit.destination,
            src_ip: transmit.src_ip,
            ecn: transmit.ecn,
            segment: transmit
                .segment_size
                .unwrap_or(transmit.contents.len())
                .max(1),
        });
        // Once and for all: a call's worth, and what comes on top.
        let room = CALL_BYTES_MAX + transmit.contents.len();
        if self.bytes.capacity() < room {
            self.bytes.reserve_exact(room - self.bytes.len());
        }
        self.bytes.extend_from_slice(transmit.contents);
        self.is_closed = !transmit.contents.len().is_multiple_of(way.segment);
        self.taken += 1;
    }

    /// Whether there is as much as one call takes, or nothing can be added.
    pub(super) fn is_full(&self, segments_max: usize) -> bool {
        self.way.is_some_and(|way| {
            self.is_closed || self.bytes.len() - self.left >= call_bytes(way.segment, segments_max)
        })
    }

    /// What the next call takes.
    pub(super) fn next(&self, segments_max: usize) -> Option<Transmit<'_>> {
        let way = self.way?;
        let waiting = &self.bytes[self.left..];
        let bytes = waiting.len().min(call_bytes(way.segment, segments_max));
        Some(Transmit {
            destination: way.destination,
            ecn: way.ecn,
            contents: &waiting[..bytes],
            segment_size: (bytes > way.segment).then_some(way.segment),
            src_ip: way.src_ip,
        })
    }

    /// So many bytes have left.
    pub(super) fn sent(&mut self, bytes: usize) {
        self.left += bytes;
        if self.left >= self.bytes.len() {
            self.bytes.clear();
            self.left = 0;
            self.way = None;
            self.is_closed = false;
        }
    }
}

/// Whole datagrams only.
fn call_bytes(segment: usize, segments_max: usize) -> usize {
    let most = (CALL_BYTES_MAX / segment).clamp(1, segments_max.max(1));
    most * segment
}

#[cfg(test)]
mod tests {
    use super::*;

    const SEGMENTS: usize = 64;

    fn transmit(contents: &[u8], segment_size: Option<usize>, port: u16) -> Transmit<'_> {
        Transmit {
            destination: SocketAddr::from(([192, 0, 2, 1], port)),
            ecn: Some(EcnCodepoint::Ect0),
            contents,
            segment_size,
            src_ip: None,
        }
    }

    #[test]
    fn calls_are_filled_with_whole_datagrams_of_one_way() {
        let ten: Vec<u8> = (0..14_520u32).map(|n| (n / 1452) as u8).collect();
        let mut batch = Batch::default();
        let piece = transmit(&ten, Some(1452), 1);
        assert!(Batch::is_worth(&piece));
        for _ in 0..4 {
            assert!(batch.fits(&piece, SEGMENTS) && !batch.is_full(SEGMENTS));
            batch.push(&piece);
        }
        let other = transmit(&ten, Some(1452), 2);
        assert!(!batch.fits(&other, SEGMENTS), "another client");
        let shorter = transmit(&ten[..2400], Some(1200), 1);
        assert!(!batch.fits(&shorter, SEGMENTS), "shorter datagrams");
        batch.push(&piece);
        assert!(batch.is_full(SEGMENTS) && !batch.fits(&piece, SEGMENTS));
        let call = batch.next(SEGMENTS).expect("there is enough");
        assert_eq!(
            (call.contents.len(), call.segment_size),
            (45 * 1452, Some(1452))
        );
        assert!(call.contents.len() <= CALL_BYTES_MAX);
        batch.sent(45 * 1452);
        let rest = batch.next(SEGMENTS).expect("five are left");
        assert_eq!(rest.contents, &ten[5 * 1452..]);
        batch.sent(5 * 1452);
        assert!(batch.is_empty() && batch.next(SEGMENTS).is_none());
        assert!(batch.bytes.capacity() < 100_000, "what it holds is bounded");
    }

    #[test]
    fn a_short_datagram_is_the_last() {
        let bytes = [7; 3000];
        let mut batch = Batch::default();
        batch.push(&transmit(&bytes, Some(1000), 1));
        let tail = transmit(&bytes[..400], None, 1);
        assert!(batch.fits(&tail, SEGMENTS) && !Batch::is_worth(&tail));
        batch.push(&tail);
        assert!(batch.is_full(SEGMENTS) && !batch.fits(&tail, SEGMENTS));
        assert!(!batch.fits(&transmit(&bytes, Some(1000), 1), SEGMENTS));
        let call = batch.next(SEGMENTS).expect("four");
        assert_eq!((call.contents.len(), call.segment_size), (3400, Some(1000)));
        batch.sent(3400);
        assert!(batch.fits(&tail, SEGMENTS), "anything fits into nothing");
    }

    #[test]
    fn without_offload_datagrams_leave_one_by_one() {
        let bytes = [7; 3000];
        let mut batch = Batch::default();
        batch.push(&transmit(&bytes, Some(1000), 1));
        for _ in 0..3 {
            let call = batch.next(1).expect("one more");
            assert_eq!((call.contents.len(), call.segment_size), (1000, None));
            batch.sent(1000);
        }
        assert!(batch.is_empty());
    }
}
