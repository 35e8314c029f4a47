//! The binary's allocator: mimalloc, with large blocks kept for the next tensor of their size.
//!
//! Training makes and drops the same large tensors at every step. Allocators give such blocks back to the operating
//! system, which has to clear every page of the next one; on large feature maps that costs as much as the operators.

use std::alloc::{GlobalAlloc, Layout};
use std::ptr::null_mut;
use std::sync::Mutex;

use mimalloc::MiMalloc;

/// Blocks of this size and more are kept.
const LARGE: usize = 1 << 16;

/// Alignment of kept blocks, enough for any vector.
const ALIGN: usize = 4096;

/// Sizes are rounded up to one of eight steps between powers of two.
const STEPS: usize = 8;

/// Size classes, up to 2^47 bytes.
const CLASSES: usize = STEPS * 32;

/// Blocks kept in one class.
const PER_CLASS: usize = 64;

/// Bytes that are kept while nobody uses them, at most.
const KEPT: usize = 128 << 20;

/// mimalloc behind a store of large blocks.
pub struct Recycling {
    store: Mutex<Store>,
}

struct Store {
    blocks: [[*mut u8; PER_CLASS]; CLASSES],
    counts: [u8; CLASSES],
    bytes: usize,
}

// SAFETY: the pointers are to blocks that the store owns alone.
unsafe impl Send for Store {}

impl Recycling {
    /// With nothing kept yet.
    pub const fn new() -> Self {
        Self {
            store: Mutex::new(Store {
                blocks: [[null_mut(); PER_CLASS]; CLASSES],
                counts: [0; CLASSES],
                bytes: 0,
            }),
        }
    }

    fn kept(&self, class: usize, bytes: usize) -> Option<*mut u8> {
        self.store.lock().ok()?.take(class, bytes)
    }
}

impl Store {
    /// A kept block of a class.
    fn take(&mut self, class: usize, bytes: usize) -> Option<*mut u8> {
        let count = usize::from(self.counts[class]);
        let last = count.checked_sub(1)?;
        self.counts[class] -= 1;
        self.bytes -= bytes;
        Some(self.blocks[class][last])
    }

    /// Keeps a block; false when its class is full.
    fn put(&mut self, class: usize, bytes: usize, ptr: *mut u8) -> bool {
        let count = usize::from(self.counts[class]);
        if count == PER_CLASS {
            return false;
        }
        self.blocks[class][count] = ptr;
        self.counts[class] += 1;
        self.bytes += bytes;
        true
    }

    /// Gives blocks of other classes back until the limit holds: sizes of an earlier stage make room for today's.
    fn trim(&mut self, keep: usize) {
        for class in (0..CLASSES).rev().filter(|&class| class != keep) {
            while self.bytes > KEPT {
                let Some(ptr) = self.take(class, class_bytes(class)) else { break };
                // SAFETY: the store's own block, made with the layout of its class.
                unsafe { MiMalloc.dealloc(ptr, block(class_bytes(class))) };
            }
        }
    }
}

/// The bytes of a class's blocks.
fn class_bytes(class: usize) -> usize {
    (STEPS + class % STEPS) * (LARGE << (class / STEPS)) / STEPS
}

/// The class that holds blocks of `size` bytes, and the bytes of its blocks; `None` for what is not kept.
fn class(layout: Layout) -> Option<(usize, usize)> {
    if layout.size() < LARGE || layout.align() > ALIGN {
        return None;
    }
    let power = layout.size().ilog2() as usize;
    let step = (1 << power) / STEPS;
    let steps = layout.size().div_ceil(step) - STEPS;
    let index = (power - LARGE.ilog2() as usize) * STEPS + steps;
    (index < CLASSES).then_some((index, (STEPS + steps) * step))
}

/// The layout of a class's blocks.
///
/// # Safety
/// `bytes` comes from [`class`].
unsafe fn block(bytes: usize) -> Layout {
    // SAFETY: ALIGN is a power of two, and sizes up to 2^47 do not overflow when rounded up to it.
    unsafe { Layout::from_size_align_unchecked(bytes, ALIGN) }
}

// SAFETY: large blocks are handed to one owner at a time, with at least the size and alignment that were asked for, and
// the class of a block follows from its layout alone, which is the same when it is freed; all else is mimalloc's.
unsafe impl GlobalAlloc for Recycling {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        let Some((class, bytes)) = class(layout) else {
            // SAFETY: the caller's layout.
            return unsafe { MiMalloc.alloc(layout) };
        };
        if let Some(ptr) = self.kept(class, bytes) {
            return ptr;
        }
        // SAFETY: `bytes` comes from `class`, and is not zero.
        unsafe { MiMalloc.alloc(block(bytes)) }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        let Some((class, bytes)) = class(layout) else {
            // SAFETY: the caller's layout.
            return unsafe { MiMalloc.alloc_zeroed(layout) };
        };
        if let Some(ptr) = self.kept(class, bytes) {
            // SAFETY: the block holds at least the layout's bytes.
            unsafe { ptr.write_bytes(0, layout.size()) };
            return ptr;
        }
        // SAFETY: `bytes` comes from `class`, and is not zero.
        unsafe { MiMalloc.alloc_zeroed(block(bytes)) }
    }

    unsafe fn dealloc(&self, ptr: *mut u8, layout: Layout) {
        let Some((class, bytes)) = class(layout) else {
            // SAFETY: the caller's block and layout.
            return unsafe { MiMalloc.dealloc(ptr, layout) };
        };
        if let Ok(mut store) = self.store.lock()
            && store.put(class, bytes, ptr)
        {
            store.trim(class);
            return;
        }
        // SAFETY: large blocks were made with the layout of their class.
        unsafe { MiMalloc.dealloc(ptr, block(bytes)) }
    }

    unsafe fn realloc(&self, ptr: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        // SAFETY: the caller promises that `size` does not overflow when rounded up to the alignment.
        let wanted = unsafe { Layout::from_size_align_unchecked(size, layout.align()) };
        match (class(layout), class(wanted)) {
            // SAFETY: small before and after: mimalloc's.
            (None, None) => unsafe { MiMalloc.realloc(ptr, layout, size) },
            (Some(a), Some(b)) if a == b => ptr,
            _ => {
                // SAFETY: a new block for the layout; both blocks hold the bytes that are copied; they do not overlap.
                unsafe {
                    let new = self.alloc(wanted);
                    if !new.is_null() {
                        ptr.copy_to_nonoverlapping(new, layout.size().min(size));
                        self.dealloc(ptr, layout);
                    }
                    new
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn classes_hold_what_they_are_asked_for_and_waste_little() {
        let mut last = 0;
        for size in (LARGE..LARGE * 40).step_by(12_345).chain([1 << 30, (1 << 30) + 1]) {
            let layout = Layout::from_size_align(size, 16).unwrap();
            let (index, bytes) = class(layout).unwrap();
            assert!(bytes >= size && bytes <= size + size / STEPS + 1, "{size}: {bytes}");
            assert!(index >= last || size == LARGE, "{size}");
            last = index;
            assert_eq!(class_bytes(index), bytes);
            // A block of the class is in the class.
            assert_eq!(class(Layout::from_size_align(bytes, 16).unwrap()), Some((index, bytes)));
        }
        assert_eq!(class(Layout::from_size_align(LARGE - 1, 16).unwrap()), None);
        assert_eq!(class(Layout::from_size_align(LARGE, 2 * ALIGN).unwrap()), None);
    }

    #[test]
    fn blocks_are_reused_grown_and_shrunk_without_losing_bytes() {
        let store = Recycling::new();
        let layout = Layout::from_size_align(3 * LARGE, 64).unwrap();
        // SAFETY: blocks are used within their size and freed with their layout, once.
        unsafe {
            let first = store.alloc(layout);
            store.dealloc(first, layout);
            let block = store.alloc(layout);
            assert_eq!(block, first);
            block.write_bytes(7, layout.size());
            let grown = store.realloc(block, layout, 9 * LARGE);
            let large = Layout::from_size_align(9 * LARGE, 64).unwrap();
            assert_eq!((*grown, *grown.add(layout.size() - 1)), (7, 7));
            let small = store.realloc(grown, large, 100);
            assert_eq!((*small, *small.add(99)), (7, 7));
            store.dealloc(small, Layout::from_size_align(100, 64).unwrap());
        }
    }

    #[test]
    fn blocks_of_earlier_sizes_make_room() {
        let store = Recycling::new();
        let (old, new) = (KEPT / 8, KEPT / 2);
        let layout = |bytes| Layout::from_size_align(bytes, 64).unwrap();
        // SAFETY: blocks are freed with their layout, once; none is written.
        unsafe {
            let blocks: Vec<*mut u8> = (0..8).map(|_| store.alloc(layout(old))).collect();
            blocks.into_iter().for_each(|b| store.dealloc(b, layout(old)));
            let block = store.alloc(layout(new));
            store.dealloc(block, layout(new));
            assert!(store.store.lock().unwrap().bytes <= KEPT);
            assert_eq!(store.alloc(layout(new)), block);
            store.dealloc(block, layout(new));
        }
    }

    #[test]
    fn zeroed_blocks_are_zero_when_they_were_used_before() {
        let store = Recycling::new();
        let layout = Layout::from_size_align(2 * LARGE, 64).unwrap();
        // SAFETY: as above.
        unsafe {
            let block = store.alloc(layout);
            block.write_bytes(7, layout.size());
            store.dealloc(block, layout);
            let zeroed = store.alloc_zeroed(layout);
            assert!((0..layout.size()).step_by(997).all(|i| *zeroed.add(i) == 0));
            store.dealloc(zeroed, layout);
        }
    }
}
