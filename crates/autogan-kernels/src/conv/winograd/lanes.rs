//! This module lays planes out for vectors: sixteen side by side, one in each lane, `[pixel][plane]`.
//!
//! A tile of a small image has few neighbours to share a vector with, but there are many images, or many channels. Laid
//! out like this, every load, store and sum uses whole vectors, however small the planes are.

use std::mem::MaybeUninit;
use std::ops::Range;

use pulp::Simd;

use super::algebra::{both_sides, gradient_same, gradient_up, source_pool, source_same, source_up};
use super::form::{Form, LANES};
use super::tiles::Grid;
use super::transform::Pixel;
use crate::memory::Unwritten;
use crate::vectors::load;

/// Elements that are turned at a time.
const BLOCK: usize = LANES * LANES;

/// The places of some lines of sixteen planes, with zeros around each plane as far as its tiles reach.
#[derive(Clone, Copy)]
pub(super) struct Layout {
    /// Height and width of a plane.
    size: (usize, usize),
    /// The first line that is laid out; line 0 is the line of zeros before the plane.
    first: usize,
    /// Lines and columns.
    rows: usize,
    cols: usize,
}

impl Layout {
    /// The layout of the source pixels of some lines of tiles.
    pub fn source(grid: &Grid, tiles: Range<usize>) -> Self {
        Self::new(grid.source, grid.cols, tiles, grid.form == Form::Up)
    }

    /// The layout of the output pixels of some lines of tiles.
    pub fn output(grid: &Grid, tiles: Range<usize>) -> Self {
        Self::new(grid.output, grid.cols, tiles, grid.form == Form::Pool)
    }

    /// The layout for tiles of three pixels that are one pixel apart, or of four that are two apart.
    fn new(size: (usize, usize), cols: usize, tiles: Range<usize>, near: bool) -> Self {
        let per = if near { 1 } else { 2 };
        Self { size, first: per * tiles.start, rows: per * tiles.len() + 2, cols: per * cols + 2 }
    }

    /// Elements of sixteen planes.
    pub fn len(&self) -> usize {
        self.rows * self.cols * LANES
    }

    /// Lays planes out, [`Self::len`] elements; `plane` gives each with the function of its pixels, and none where
    /// there are fewer.
    #[inline(always)]
    pub fn gather<'a, 'b>(
        &self,
        plane: impl Fn(usize) -> Option<(&'a [f32], Pixel)>,
        out: &'b mut Unwritten<f32>,
    ) -> &'b [f32] {
        let (h, w) = self.size;
        let out = &mut out[..self.len()];
        let lines = self.first.saturating_sub(1)..(self.first + self.rows - 1).min(h);
        self.clear_border(out, &lines);
        let (mut a, mut b) = ([0.0; BLOCK], [0.0; BLOCK]);
        let mut planes = [None; LANES];
        for (l, found) in planes.iter_mut().enumerate() {
            *found = plane(l);
        }
        for at in (lines.start * w..lines.end * w).step_by(LANES) {
            let count = LANES.min(lines.end * w - at);
            for (a, plane) in a.chunks_exact_mut(LANES).zip(&planes) {
                match plane {
                    Some((plane, pixel)) if count == LANES => {
                        let line: &[f32] = &plane[at..][..LANES];
                        a.iter_mut().zip(line).for_each(
                            #[inline(always)]
                            |(a, &v)| *a = pixel.apply(v),
                        );
                    }
                    Some((plane, pixel)) => {
                        a.iter_mut().zip(&plane[at..][..count]).for_each(
                            #[inline(always)]
                            |(a, &v)| *a = pixel.apply(v),
                        );
                    }
                    None => a.fill(0.0),
                }
            }
            transpose(&mut a, &mut b);
            for (i, pixel) in a.chunks_exact(LANES).take(count).enumerate() {
                let (y, x) = ((at + i) / w, (at + i) % w);
                let place = (y + 1 - self.first) * self.cols + x + 1;
                out[place * LANES..][..LANES].write_copy_of_slice(pixel);
            }
        }
        // SAFETY: `clear_border` wrote the lines outside of the plane, and what is left and right of its pixels in the
        // others; each pixel was written in between.
        unsafe { out.assume_init_ref() }
    }

    /// Writes zeros around the lines of the plane.
    #[inline(always)]
    fn clear_border(&self, out: &mut Unwritten<f32>, lines: &Range<usize>) {
        let zero = MaybeUninit::new(0.0);
        let w = self.size.1;
        for (r, line) in out.chunks_exact_mut(self.cols * LANES).enumerate() {
            let y = r + self.first;
            if y == 0 || !lines.contains(&(y - 1)) {
                line.fill(zero);
            } else {
                line[..LANES].fill(zero);
                line[(w + 1) * LANES..].fill(zero);
            }
        }
    }

    /// A vector of the pixel at a line and a column, counted from the first that is there.
    #[inline(always)]
    fn at<S: Simd>(
        &self,
        simd: S,
        data: &[f32],
        (row, column): (usize, usize),
        lane: usize,
    ) -> S::f32s {
        load(simd, data, (row * self.cols + column) * LANES + lane)
    }
}

/// Computes the source components of the tile at a line and a column, in some lanes from `lane` on, and hands them to
/// `take(component, value)`.
#[inline(always)]
pub(super) fn source_tile<S: Simd>(
    simd: S,
    form: Form,
    (row, column, lane): (usize, usize, usize),
    (layout, data): (&Layout, &[f32]),
    take: impl FnMut(usize, S::f32s),
) {
    let far = |r, c| layout.at(simd, data, (2 * row + r, 2 * column + c), lane);
    let near = |r, c| layout.at(simd, data, (row + r, column + c), lane);
    match form {
        Form::Same => both_sides::<S, 4, 4>(simd, source_same::<S>, far, take),
        Form::Pool => both_sides::<S, 4, 3>(simd, source_pool::<S>, far, take),
        Form::Up => both_sides::<S, 3, 3>(simd, source_up::<S>, near, take),
    }
}

/// Computes the gradients of one tile's components as [`source_tile`] does the components; for pooled outputs it is the
/// output's gradient itself.
#[inline(always)]
pub(super) fn gradient_tile<S: Simd>(
    simd: S,
    form: Form,
    (row, column, lane): (usize, usize, usize),
    (layout, data): (&Layout, &[f32]),
    mut take: impl FnMut(usize, S::f32s),
) {
    let pixel = |r, c| layout.at(simd, data, (2 * row + r, 2 * column + c), lane);
    match form {
        Form::Pool => take(0, layout.at(simd, data, (row + 1, column + 1), lane)),
        Form::Up => both_sides::<S, 4, 3>(simd, gradient_up::<S>, pixel, take),
        Form::Same => both_sides::<S, 4, 4>(simd, gradient_same::<S>, pixel, take),
    }
}

/// The inverse of [`Layout::gather`], without a border: `from [pixel][plane]` to `count` planes, handed to
/// `plane(lane, first pixel, pixels)`.
#[inline(always)]
pub(super) fn scatter(from: &[f32], count: usize, mut plane: impl FnMut(usize, usize, &[f32])) {
    let (mut a, mut b) = ([0.0; BLOCK], [0.0; BLOCK]);
    for (i, from) in from.chunks(BLOCK).enumerate() {
        let pixels = from.len() / LANES;
        match from.first_chunk::<BLOCK>() {
            Some(from) => a = *from,
            None => a[..from.len()].copy_from_slice(from),
        }
        transpose(&mut a, &mut b);
        for (lane, line) in a.chunks_exact(LANES).take(count).enumerate() {
            // A length that the compiler knows, where it may.
            match line.first_chunk::<LANES>() {
                Some(line) if pixels == LANES => plane(lane, i * LANES, line),
                _ => plane(lane, i * LANES, &line[..pixels]),
            }
        }
    }
}

/// Transposes a square of sixteen by sixteen by four perfect shuffles.
#[inline(always)]
fn transpose(a: &mut [f32; BLOCK], b: &mut [f32; BLOCK]) {
    shuffle(a, b);
    shuffle(b, a);
    shuffle(a, b);
    shuffle(b, a);
}

/// Takes elements from the two halves in turn.
#[inline(always)]
fn shuffle(from: &[f32; BLOCK], to: &mut [f32; BLOCK]) {
    let (low, high) = from.split_at(BLOCK / 2);
    for ((pair, &l), &h) in to.chunks_exact_mut(2).zip(low).zip(high) {
        (pair[0], pair[1]) = (l, h);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn four_shuffles_transpose() {
        let mut a = std::array::from_fn(|i| i as f32);
        transpose(&mut a, &mut [0.0; BLOCK]);
        for (i, &v) in a.iter().enumerate() {
            assert_eq!(v as usize, i % LANES * LANES + i / LANES);
        }
    }

    #[test]
    fn planes_come_back_and_borders_are_zero() {
        for (h, w, count) in [(4, 4, 16), (3, 7, 5), (9, 9, 16), (1, 1, 1)] {
            let planes: Vec<f32> = (0..count * h * w).map(|i| i as f32 + 1.0).collect();
            let grid = Grid::new(Form::Same, (h, w));
            let layout = Layout::source(&grid, 0..grid.rows);
            let mut out = vec![MaybeUninit::new(f32::NAN); layout.len()];
            let plane = |l| (l < count).then(|| (&planes[l * h * w..][..h * w], Pixel::PLAIN));
            let out = layout.gather(plane, &mut out);
            let mut inner = Vec::new();
            for (r, line) in out.chunks_exact(layout.cols * LANES).enumerate() {
                for (c, pixel) in line.chunks_exact(LANES).enumerate() {
                    if (1..=h).contains(&r) && (1..=w).contains(&c) {
                        inner.extend_from_slice(pixel);
                    } else {
                        assert_eq!(pixel, [0.0; LANES], "{h}x{w}: line {r}, column {c}");
                    }
                }
            }
            let mut back = vec![0.0; planes.len()];
            scatter(&inner, count, |l, at, pixels| {
                back[l * h * w + at..][..pixels.len()].copy_from_slice(pixels);
            });
            assert_eq!(back, planes, "{h}x{w}");
        }
    }
}
