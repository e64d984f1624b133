//! How large bodies are copied.
//!
//! Beyond a few KiB `memcpy` leaves it to `rep movsb`, which AMD's Zen 3 and Zen 4 perform at a twentieth of the
//! speed where the destination begins up to 48 bytes behind the source within a page: as it does
//! wherever both begin with a page and a header goes in front of the copy. (glibc before 2.39 knows no better;
//! 2 instead of 45 GB/s.) So large pieces go in small ones.

use std::slice::Chunks;

/// Copied without `rep movsb` on every processor.
pub const PIECE_BYTES: usize = 1024;

/// The pieces in which to copy `bytes`, to where there is room for all of them.
pub fn pieces(bytes: &[u8]) -> Chunks<'_, u8> {
    bytes.chunks(PIECE_BYTES)
}
