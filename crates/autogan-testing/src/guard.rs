//! [`Guarded`] is an allocator that puts each buffer of a program between two pages that nobody may touch.
//!
//! A test program takes it as its global allocator. While [`between_pages`] runs, every buffer that any thread asks for
//! ends exactly where a forbidden page begins, or begins exactly where one ends. So to read or write one byte beyond it
//! is a fault, which kills the program with SIGSEGV, and so is a use after it was freed. Other memory works as usual.
//!
//! What a program asks for without saying that it be zero is filled with [`UNWRITTEN`]. As `f32` and `f64` that is no
//! number, so a result that was not written is seen in any comparison.

use std::alloc::{GlobalAlloc, Layout, System};
use std::ffi::c_void;
use std::ptr::null_mut;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU8, AtomicUsize, Ordering};

use rustix::mm::{MapFlags, MprotectFlags, ProtFlags, mmap_anonymous, mprotect};
use rustix::param::page_size;

/// The byte that memory holds which nobody has written.
pub const UNWRITTEN: u8 = 0xff;

/// Addresses that are set aside for guarded buffers. None is used twice, so that a freed buffer stays forbidden.
const ROOM: usize = 1 << 39;

/// The side of a buffer that touches a forbidden page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Edge {
    /// The byte behind the buffer is forbidden.
    End,
    /// The byte before the buffer is forbidden.
    Start,
}

impl Edge {
    /// Both sides.
    pub const BOTH: [Self; 2] = [Self::End, Self::Start];
}

/// 0, or 1 and the number of the side that new buffers touch a forbidden page with.
static EDGE: AtomicU8 = AtomicU8::new(0);

/// Bytes of the room that are taken.
static TAKEN: AtomicUsize = AtomicUsize::new(0);

/// Runs `run`. Every buffer that the program asks for meanwhile is guarded, if [`Guarded`] is its allocator.
///
/// One call at a time: the side is that of the whole program.
pub fn between_pages<R>(edge: Edge, run: impl FnOnce() -> R) -> R {
    /// Ends the guard also when `run` panics.
    struct Off;
    impl Drop for Off {
        fn drop(&mut self) {
            EDGE.store(0, Ordering::SeqCst);
        }
    }
    EDGE.store(1 + edge as u8, Ordering::SeqCst);
    let _off = Off;
    run()
}

/// The allocator: `#[global_allocator] static MEMORY: Guarded = Guarded;`.
#[derive(Debug)]
pub struct Guarded;

// SAFETY: a guarded buffer lies in pages of its own, which no other call ever gets; all others are those of `System`.
// Which of the two a buffer is follows from its address.
unsafe impl GlobalAlloc for Guarded {
    unsafe fn alloc(&self, layout: Layout) -> *mut u8 {
        match edge(layout) {
            // SAFETY: the caller keeps the promises of `alloc`.
            None => unsafe { System.alloc(layout) },
            Some(edge) => guarded(layout, edge, true),
        }
    }

    unsafe fn alloc_zeroed(&self, layout: Layout) -> *mut u8 {
        match edge(layout) {
            // SAFETY: the caller keeps the promises of `alloc_zeroed`.
            None => unsafe { System.alloc_zeroed(layout) },
            Some(edge) => guarded(layout, edge, false),
        }
    }

    unsafe fn dealloc(&self, at: *mut u8, layout: Layout) {
        if in_room(at) {
            retire(at, layout.size());
        } else {
            // SAFETY: the caller keeps the promises of `dealloc`, and what is not in the room is from `System`.
            unsafe { System.dealloc(at, layout) }
        }
    }

    unsafe fn realloc(&self, at: *mut u8, layout: Layout, size: usize) -> *mut u8 {
        if !in_room(at) && edge(layout).is_none() {
            // SAFETY: the caller keeps the promises of `realloc`, and what is not in the room is from `System`.
            return unsafe { System.realloc(at, layout, size) };
        }
        // SAFETY: the caller promises that `size` is above 0 and fits the alignment; the new buffer is another one than
        // the old one, and both hold the bytes that are copied.
        unsafe {
            let to = self.alloc(Layout::from_size_align_unchecked(size, layout.align()));
            if !to.is_null() {
                to.copy_from_nonoverlapping(at, size.min(layout.size()));
                self.dealloc(at, layout);
            }
            to
        }
    }
}

/// The side that a buffer is guarded at, if it is at all.
fn edge(layout: Layout) -> Option<Edge> {
    match EDGE.load(Ordering::Relaxed) {
        0 => None,
        _ if layout.align() > page_size() => None,
        1 => Some(Edge::End),
        _ => Some(Edge::Start),
    }
}

/// Where the room begins: addresses without memory, which are all forbidden; 0 where the system has none.
fn room() -> usize {
    static ROOM_AT: OnceLock<usize> = OnceLock::new();
    *ROOM_AT.get_or_init(|| {
        // SAFETY: new addresses, which replace nothing.
        let at = unsafe {
            mmap_anonymous(
                null_mut(),
                ROOM,
                ProtFlags::empty(),
                MapFlags::PRIVATE | MapFlags::NORESERVE,
            )
        };
        at.map_or(0, |at| at.addr())
    })
}

fn in_room(at: *const u8) -> bool {
    // While nothing was taken, nothing is in the room, and it is not made.
    TAKEN.load(Ordering::Relaxed) > 0 && room() > 0 && (room()..room() + ROOM).contains(&at.addr())
}

/// A buffer between two forbidden pages; null where the system gives none.
fn guarded(layout: Layout, edge: Edge, fill: bool) -> *mut u8 {
    let (page, room) = (page_size(), room());
    let inside = layout.size().next_multiple_of(page);
    // Behind it lies one forbidden page, and before it that of the buffer before.
    let taken = TAKEN.fetch_add(inside + page, Ordering::Relaxed);
    if room == 0 || taken + inside + 2 * page > ROOM {
        return null_mut();
    }
    let first = (room + page + taken) as *mut u8;
    // SAFETY: these pages are in the room, and no other call took them.
    let open = unsafe {
        mprotect(first.cast::<c_void>(), inside, MprotectFlags::READ | MprotectFlags::WRITE)
    };
    if open.is_err() {
        return null_mut();
    }
    if fill {
        // SAFETY: the pages were just opened, and nobody else knows of them.
        unsafe { first.write_bytes(UNWRITTEN, inside) };
    }
    match edge {
        Edge::Start => first,
        // As near to the end as the alignment allows, which is at the end for whole elements.
        Edge::End => {
            let before = (inside - layout.size()) & !(layout.align() - 1);
            // SAFETY: within the pages.
            unsafe { first.add(before) }
        }
    }
}

/// Forbids the pages of a buffer for ever, and gives their memory back.
fn retire(at: *mut u8, size: usize) {
    let page = page_size();
    let first = at.addr() & !(page - 1);
    let inside = (at.addr() + size).next_multiple_of(page) - first;
    // SAFETY: the pages are those of this buffer alone, which its owner gives up.
    let forbidden = unsafe {
        mmap_anonymous(
            first as *mut c_void,
            inside,
            ProtFlags::empty(),
            MapFlags::PRIVATE | MapFlags::NORESERVE | MapFlags::FIXED,
        )
    };
    // Were they left open, a use after free would pass unseen; a panic is not possible here.
    if forbidden.is_err() {
        std::process::abort();
    }
}
