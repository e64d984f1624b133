//! Bounds-checked reading of a packet.
//!
//! The verifier accepts a read only behind a comparison with the packet's end that it can see, of
//! the very pointer that is then read. So every read goes through one inlined function, and what
//! walks through the packet is a pointer, not an offset the compiler could add up differently for
//! the comparison and the read.

use core::marker::PhantomData;

/// The rest of a packet, or of the linear part of one that spans several buffers: headers are there.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Packet<'a> {
    at: *const u8,
    end: *const u8,
    bytes: PhantomData<&'a [u8]>,
}

impl<'a> Packet<'a> {
    /// # Safety
    ///
    /// `at..end` is readable for `'a`.
    #[inline(always)]
    pub(crate) unsafe fn new(at: *const u8, end: *const u8) -> Packet<'a> {
        Packet {
            at,
            end,
            bytes: PhantomData,
        }
    }

    /// The next `N` bytes, or `None` if the packet ends before.
    #[inline(always)]
    pub(crate) fn peek<const N: usize>(&self) -> Option<&'a [u8; N]> {
        if self.at.wrapping_add(N) > self.end {
            return None;
        }
        // SAFETY: `at..at + N` is inside the packet; `at` never wraps, because no packet is skipped
        // by more than 64 KiB. Bytes have no alignment and no invalid value.
        Some(unsafe { &*self.at.cast() })
    }

    /// The packet from `count` bytes further on, which may be past its end.
    #[inline(always)]
    pub(crate) fn skip(&self, count: usize) -> Packet<'a> {
        Packet {
            at: self.at.wrapping_add(count),
            ..*self
        }
    }
}

#[cfg(test)]
impl<'a> From<&'a [u8]> for Packet<'a> {
    fn from(bytes: &'a [u8]) -> Packet<'a> {
        let range = bytes.as_ptr_range();
        // SAFETY: the range is that of a slice borrowed for 'a.
        unsafe { Packet::new(range.start, range.end) }
    }
}
