//! A [`Bound`] says how much memory a reader may take; [`peak_of`] measures how much it took.

use peak_alloc::PeakAlloc;

/// Counts every byte that Rust code asks for in this process.
#[global_allocator]
static COUNTED: PeakAlloc = PeakAlloc;

/// The memory that a reader may take for an input: a part that is always free, and a multiple of the input's length.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bound {
    /// Bytes that are free.
    pub base: usize,
    /// Bytes for each byte of the input.
    pub each: usize,
}

impl Bound {
    /// The bytes that an input of `length` bytes may take.
    pub const fn bytes(self, length: usize) -> usize {
        self.base.saturating_add(self.each.saturating_mul(length))
    }
}

/// What `work` gives, and the most bytes that were held at a time during it, beyond those that were held before.
pub(crate) fn peak_of<T>(work: impl FnOnce() -> T) -> (T, usize) {
    let before = COUNTED.current_usage();
    COUNTED.reset_peak_usage();
    let made = work();
    (made, COUNTED.peak_usage().saturating_sub(before))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_moment_counts() {
        let ((), taken) = peak_of(|| {
            for _ in 0..3 {
                let held = std::hint::black_box(vec![1u8; 3 << 20]);
                drop(held);
            }
            drop(std::hint::black_box(vec![1u8; 1 << 20]));
        });
        assert!((3 << 20..5 << 20).contains(&taken), "{taken}");
    }

    #[test]
    fn a_bound_grows_with_the_input_and_never_overflows() {
        let bound = Bound { base: 10, each: 3 };
        assert_eq!(bound.bytes(4), 22);
        assert_eq!(bound.bytes(usize::MAX), usize::MAX);
    }
}
