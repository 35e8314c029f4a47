//! This module lets a result be written once, without zeroing its memory first.
//!
//! Zeroing a large result that is overwritten at once costs as much as many operators themselves. Here a result is
//! [`MaybeUninit`] until it is written: a function that fills a piece of it returns the piece as numbers, which safe
//! code can only do after it wrote all of them.

use std::mem::MaybeUninit;
use std::ops::Range;

use crate::slices::for_pieces;

/// Memory that is written before it is read.
pub type Unwritten<T> = [MaybeUninit<T>];

/// Writes `values` to `out`; what is left of them is dropped.
///
/// # Panics
/// When there are fewer values than elements: a bug of the caller.
#[inline(always)]
pub fn write<T: Copy>(out: &mut Unwritten<T>, values: impl IntoIterator<Item = T>) -> &mut [T] {
    let mut count = 0;
    for (o, value) in out.iter_mut().zip(values) {
        o.write(value);
        count += 1;
    }
    assert!(count == out.len(), "expected {} values, found {count}", out.len());
    // SAFETY: the first `count` elements were written, and that is all of them.
    unsafe { out.assume_init_mut() }
}

/// Writes `out` in pieces of `size` elements, one after the other: `f(piece index, piece)` gives the piece back,
/// written.
///
/// # Panics
/// When `f` gives back anything but its piece: a bug of the caller.
#[inline(always)]
pub fn write_pieces<T>(
    out: &mut Unwritten<T>,
    size: usize,
    mut f: impl FnMut(usize, &mut Unwritten<T>) -> &mut [T],
) -> &mut [T] {
    for (i, piece) in out.chunks_mut(size.max(1)).enumerate() {
        let place = piece.as_ptr_range();
        check(f(i, piece), place);
    }
    // SAFETY: `check` saw that each piece is written, and the pieces are all of `out`.
    unsafe { out.assume_init_mut() }
}

/// A vector of `len` elements, written in pieces of `size` on all threads: `f(piece index, piece)` gives the piece
/// back, written. Pieces are those of [`for_pieces`].
///
/// # Panics
/// As [`write_pieces`].
#[inline(always)]
pub fn filled<T: Send>(
    len: usize,
    size: usize,
    f: impl Fn(usize, &mut Unwritten<T>) -> &mut [T] + Sync + Send,
) -> Vec<T> {
    let fill = |out: &mut Unwritten<T>| {
        for_pieces(
            out,
            size,
            #[inline(always)]
            |i, piece| {
                let place = piece.as_ptr_range();
                check(f(i, piece), place);
            },
        );
    };
    // SAFETY: `check` saw that each piece is written, and the pieces are all of the vector.
    unsafe { filled_by(len, fill) }
}

/// A vector of `len` elements, all of which `fill` writes.
///
/// # Safety
/// Every element must be written when `fill` returns.
#[inline(always)]
pub unsafe fn filled_by<T>(len: usize, fill: impl FnOnce(&mut Unwritten<T>)) -> Vec<T> {
    let mut data = Vec::with_capacity(len);
    fill(&mut data.spare_capacity_mut()[..len]);
    // SAFETY: the capacity is there, and the caller promises that all elements are written.
    unsafe { data.set_len(len) };
    data
}

/// `len` elements of a buffer that is used again and again.
pub(crate) fn room<T>(buffer: &mut Box<Unwritten<T>>, len: usize) -> &mut Unwritten<T> {
    if buffer.len() < len {
        *buffer = Box::new_uninit_slice(len);
    }
    &mut buffer[..len]
}

/// Numbers as memory that need not be written.
pub(crate) fn unwritten<T>(numbers: &[T]) -> &Unwritten<T> {
    // SAFETY: `MaybeUninit<T>` lies in memory as `T` does, and nobody writes through a shared slice.
    unsafe { std::slice::from_raw_parts(numbers.as_ptr().cast(), numbers.len()) }
}

/// Panics unless `written` lies at `place`, the piece that was handed out. Then the piece is written, for it is numbers
/// now: nobody else borrows it, and safe code makes such a slice of it no other way.
#[inline(always)]
fn check<T>(written: &[T], place: Range<*const MaybeUninit<T>>) {
    let found = written.as_ptr_range();
    let place = place.start.cast()..place.end.cast();
    assert!(found == place, "expected the piece that was handed out");
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pieces_and_lines_fill_a_vector() {
        let line = |plane: usize, i: usize| (0..5).map(move |j| (plane * 15 + i * 5 + j) as f32);
        let found = filled(40_000 * 15, 15, |plane, out| {
            write_pieces(out, 5, |i, out| write(out, line(plane, i)))
        });
        assert!(found.iter().enumerate().all(|(i, &v)| v == i as f32));
    }

    #[test]
    #[should_panic(expected = "expected 3 values, found 2")]
    fn too_few_values_are_a_bug() {
        filled(3, 3, |_, out| write(out, [1.0f32, 2.0]));
    }

    #[test]
    #[should_panic(expected = "expected the piece")]
    fn a_part_of_a_piece_is_a_bug() {
        filled(4, 4, |_, out| write(&mut out[..2], [1.0f32, 2.0]));
    }
}
