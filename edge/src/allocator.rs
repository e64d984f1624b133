//! The allocator: many small allocations of short life on many threads are what mimalloc is made for.
//!
//! The crate of that name asks for an alignment with every allocation. mimalloc then takes a slow path
//! for sizes above 1 KiB that are no power of two, and for smaller ones whose next free block is not
//! known: it asks for more and aligns within, which may be a size class higher. What it returns unasked
//! is aligned as nearly everything needs it.

use std::alloc::{GlobalAlloc, Layout};

use libmimalloc_sys::{
    mi_free, mi_malloc, mi_malloc_aligned, mi_realloc, mi_realloc_aligned, mi_zalloc,
    mi_zalloc_aligned,
};

/// The alignment of all blocks of this size and above (`MI_MAX_ALIGN_SIZE` of mimalloc).
const ALIGN: usize = 16;

/// mimalloc, asked for an alignment only where it matters.
pub struct Allocator;

/// Whether a block of `size` is aligned without asking: to [`ALIGN`], or to a word if it is smaller.
const fn is_aligned(size: usize, align: usize) -> bool {
    align <= ALIGN && align <= size
}

// SAFETY: mimalloc keeps what `GlobalAlloc` wants: it does not unwind, returns null where there is no
// memory, and blocks of at least the size, aligned as asked for or as of `is_aligned`. All functions
// share one heap, so that a block may come from either and go to any.
unsafe impl GlobalAlloc for Allocator {
    #[inline]
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        match is_aligned(size, align) {
            // SAFETY: any size may be asked for.
            true => unsafe { mi_malloc(size) }.cast(),
            // SAFETY: `Layout` has powers of two only.
            false => unsafe { mi_malloc_aligned(size, align) }.cast(),
        }
    }

    #[inline]
    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let (size, align) = (layout.size(), layout.align());
        match is_aligned(size, align) {
            // SAFETY: any size may be asked for.
            true => unsafe { mi_zalloc(size) }.cast(),
            // SAFETY: `Layout` has powers of two only.
            false => unsafe { mi_zalloc_aligned(size, align) }.cast(),
        }
    }

    #[inline]
    unsafe fn dealloc(&self, block: *mut u8, _: Layout) {
        // SAFETY: the caller's: it is a block of this allocator, and nobody has it any more.
        unsafe { mi_free(block.cast()) }
    }

    #[inline]
    unsafe fn realloc(&self, block: *mut u8, layout: Layout, new_size: usize) -> *mut u8 {
        let align = layout.align();
        match is_aligned(new_size, align) {
            // SAFETY: the caller's: it is a block of this allocator.
            true => unsafe { mi_realloc(block.cast(), new_size) }.cast(),
            // SAFETY: as above.
            false => unsafe { mi_realloc_aligned(block.cast(), new_size, align) }.cast(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_are_aligned_and_keep_their_content() {
        for align in [1, 2, 4, 8, 16, 32, 64, 4096] {
            // One or two of each size class.
            let sizes = std::iter::successors(Some(1), |size| Some(size + size / 9 + 1));
            for size in sizes.take_while(|&size| size < 100_000) {
                let layout = Layout::from_size_align(size, align).expect("small");
                // SAFETY: the sizes are not zero, the blocks are freed once, with their own layout.
                unsafe {
                    let block = Allocator.alloc(layout);
                    let zeroed = Allocator.alloc_zeroed(layout);
                    assert_eq!(block.addr() % align, 0, "{layout:?}");
                    assert_eq!(zeroed.addr() % align, 0, "{layout:?}");
                    assert!((0..size).all(|at| *zeroed.add(at) == 0), "{layout:?}");
                    (0..size).for_each(|at| *block.add(at) = at as u8);
                    let more = Allocator.realloc(block, layout, size * 3);
                    assert_eq!(more.addr() % align, 0, "{layout:?}");
                    assert!((0..size).all(|at| *more.add(at) == at as u8), "{layout:?}");
                    let grown = Layout::from_size_align(size * 3, align).expect("small");
                    let less = Allocator.realloc(more, grown, size.div_ceil(2));
                    assert_eq!(less.addr() % align, 0, "{layout:?}");
                    let shrunk = Layout::from_size_align(size.div_ceil(2), align).expect("small");
                    Allocator.dealloc(less, shrunk);
                    Allocator.dealloc(zeroed, layout);
                }
            }
        }
    }
}
