//! This module transforms whole runs of tiles: pixels to components, and products to pixels.
//!
//! A run of tile lines is cut out of its plane once, padded, and split into even and odd columns where tiles are two
//! pixels apart; after that, vectors of neighbouring tiles are loaded without gathering.

use pulp::Simd;

use super::algebra::{
    both_sides, finish, output_same, output_up, source_pool, source_same, source_up,
};
use super::form::Form;
use super::tiles::{Grid, PANEL, Run};
use crate::Activation;
use crate::memory::Unwritten;
use crate::vectors::{load, store};

/// Elements from one row of a window to the next: the columns of a panel's tiles, their neighbours, and what a vector
/// may read beyond them.
const ROW: usize = PANEL + 16;

/// Pairs of columns that are split or woven at a time.
const STEP: usize = 16;

/// Elements of a row before it is split.
const LINE: usize = 2 * ROW;

/// Elements that a vector may write beyond the last tile.
pub(super) const SLACK: usize = 16;

/// The function of a pixel that precedes the convolution: `max(a · v + b, floor)`.
#[derive(Clone, Copy, Debug)]
pub struct Pixel {
    /// Factor.
    pub a: f32,
    /// Shift.
    pub b: f32,
    /// The least result.
    pub floor: f32,
}

impl Pixel {
    /// The function that leaves the pixel as it is.
    pub const PLAIN: Self = Self { a: 1.0, b: 0.0, floor: f32::NEG_INFINITY };

    #[inline(always)]
    pub(super) fn apply(self, v: f32) -> f32 {
        let z = v * self.a + self.b;
        // Written so that NaN passes.
        if z < self.floor { self.floor } else { z }
    }
}

/// The place of a run's components: element `plane · component + at + tile`.
#[derive(Clone, Copy)]
pub(super) struct Place {
    pub at: usize,
    pub plane: usize,
}

/// A window of a plane around a run, one pixel wider on each side.
#[derive(Default)]
pub(super) struct Window {
    data: Vec<f32>,
    lines: Vec<f32>,
}

impl Window {
    /// Copies pixels from `2·row − 1` on as rows of even and of odd columns: for tiles that are two pixels apart.
    #[inline(always)]
    fn split(&mut self, (h, w): (usize, usize), run: &Run, plane: &[f32], pixel: Pixel) {
        let rows = 2 * run.rows + 2;
        self.data.resize((rows * 2 * ROW).max(self.data.len()), 0.0);
        let first = (2 * run.col).saturating_sub(1);
        let end = (2 * (run.col + run.cols) + 1).min(w);
        let at = first + 1 - 2 * run.col;
        // All rows are copied before the first is split: a load must not wait for parts of two stores.
        self.lines.resize((rows * LINE).max(self.lines.len()), 0.0);
        for (r, line) in self.lines.chunks_exact_mut(LINE).take(rows).enumerate() {
            let y = 2 * run.row + r;
            line[0] = 0.0;
            if y == 0 || y > h {
                line.fill(0.0);
                continue;
            }
            let src = &plane[(y - 1) * w + first..(y - 1) * w + end];
            for (o, &v) in line[at..].iter_mut().zip(src) {
                *o = pixel.apply(v);
            }
            line[at + src.len()..].fill(0.0);
        }
        let lines = self.lines.chunks_exact(LINE);
        for (line, out) in lines.zip(self.data.chunks_exact_mut(2 * ROW)).take(rows) {
            let (even, odd) = out.split_at_mut(ROW);
            let steps = run.cols / STEP + 1;
            for ((line, even), odd) in line
                .chunks_exact(2 * STEP)
                .zip(even.chunks_exact_mut(STEP))
                .zip(odd.chunks_exact_mut(STEP))
                .take(steps)
            {
                for i in 0..STEP {
                    (even[i], odd[i]) = (line[2 * i], line[2 * i + 1]);
                }
            }
        }
    }

    /// Copies pixels from `row − 1` on in their order: for tiles that are one pixel apart.
    #[inline(always)]
    fn plain(&mut self, (h, w): (usize, usize), run: &Run, plane: &[f32], pixel: Pixel) {
        let rows = run.rows + 2;
        self.data.resize((rows * ROW).max(self.data.len()), 0.0);
        let first = run.col.saturating_sub(1);
        let end = (run.col + run.cols + 1).min(w);
        let at = first + 1 - run.col;
        for (r, out) in self.data.chunks_exact_mut(ROW).take(rows).enumerate() {
            let out = &mut out[..run.cols + 2];
            let y = run.row + r;
            out.fill(0.0);
            if y == 0 || y > h {
                continue;
            }
            for (o, &v) in out[at..].iter_mut().zip(&plane[(y - 1) * w + first..(y - 1) * w + end])
            {
                *o = pixel.apply(v);
            }
        }
    }

    /// Computes the components of the source tiles of a run.
    #[inline(always)]
    pub fn source<S: Simd>(
        &mut self,
        simd: S,
        grid: &Grid,
        run: &Run,
        (plane, pixel): (&[f32], Pixel),
        out: &mut [f32],
        place: Place,
    ) {
        match grid.form {
            Form::Up => {
                self.plain(grid.source, run, plane, pixel);
                self.tiles::<S, 3, 3>(simd, run, out, place, source_up::<S>);
            }
            Form::Same => {
                self.split(grid.source, run, plane, pixel);
                self.tiles::<S, 4, 4>(simd, run, out, place, source_same::<S>);
            }
            Form::Pool => {
                self.split(grid.source, run, plane, pixel);
                self.tiles::<S, 4, 3>(simd, run, out, place, source_pool::<S>);
            }
        }
    }

    /// Applies `f` along both sides of the `TILE x TILE` pixels of each tile: `SIDE · SIDE` components.
    #[inline(always)]
    fn tiles<S: Simd, const TILE: usize, const SIDE: usize>(
        &self,
        simd: S,
        run: &Run,
        out: &mut [f32],
        place: Place,
        f: impl Fn(S, [S::f32s; TILE]) -> [S::f32s; SIDE],
    ) {
        // Tiles of four pixels lie in split rows, those of three in plain ones.
        let split = TILE == 4;
        let (row, step) = if split { (2 * ROW, 4 * ROW) } else { (ROW, ROW) };
        for l in 0..run.rows {
            for lane in (0..run.cols).step_by(S::F32_LANES) {
                let pixel = |r: usize, c: usize| {
                    let at = if split { c % 2 * ROW + c / 2 } else { c };
                    load(simd, &self.data, l * step + at + lane + r * row)
                };
                both_sides::<S, TILE, SIDE>(
                    simd,
                    &f,
                    pixel,
                    #[inline(always)]
                    |p, part| {
                        store(simd, out, p * place.plane + place.at + l * run.cols + lane, part);
                    },
                );
            }
        }
    }
}

/// Turns the products of one output channel in a panel, `[component][stride]`, into pixels, and writes all pixels of
/// the run.
#[inline(always)]
pub(super) fn output<S: Simd>(
    simd: S,
    grid: &Grid,
    run: &Run,
    (parts, stride): (&[f32], usize),
    after: (f32, Activation),
    plane: &mut Unwritten<f32>,
) {
    match grid.form {
        Form::Pool => {
            for l in 0..run.rows {
                let src = &parts[run.lane + l * run.cols..][..run.cols];
                let dst = &mut plane[(run.row + l) * grid.output.1 + run.col..][..run.cols];
                let relu = after.1 == Activation::Relu;
                for (d, &s) in dst.iter_mut().zip(src) {
                    let v = s + after.0;
                    d.write(if relu && v < 0.0 { 0.0 } else { v });
                }
            }
        }
        Form::Up => {
            blocks::<S, 3>(simd, grid, run, (parts, stride), after, plane, output_up::<S>);
        }
        Form::Same => {
            blocks::<S, 4>(simd, grid, run, (parts, stride), after, plane, output_same::<S>);
        }
    }
}

/// Computes 2x2 blocks of outputs.
#[inline(always)]
fn blocks<S: Simd, const SIDE: usize>(
    simd: S,
    grid: &Grid,
    run: &Run,
    (parts, stride): (&[f32], usize),
    after: (f32, Activation),
    plane: &mut Unwritten<f32>,
    f: impl Fn(S, [S::f32s; SIDE]) -> [S::f32s; 2],
) {
    let (h, w) = grid.output;
    let bias = simd.splat_f32s(after.0);
    let width = (w - 2 * run.col).min(2 * run.cols);
    let mut lines = [[0.0f32; PANEL + SLACK]; 4];
    for l in 0..run.rows {
        for lane in (0..run.cols).step_by(S::F32_LANES) {
            let at = run.lane + l * run.cols + lane;
            let part = |r: usize, c: usize| load(simd, parts, (r * SIDE + c) * stride + at);
            both_sides::<S, SIDE, 2>(
                simd,
                &f,
                part,
                #[inline(always)]
                |p, value| {
                    store(simd, &mut lines[p], lane, finish(simd, value, bias, after.1));
                },
            );
        }
        for (i, pair) in lines.chunks_exact(2).enumerate() {
            let y = 2 * (run.row + l) + i;
            if y < h {
                weave(&pair[0], &pair[1], &mut plane[y * w + 2 * run.col..][..width]);
            }
        }
    }
}

/// Alternates the elements of `even` and `odd`.
#[inline(always)]
fn weave(even: &[f32], odd: &[f32], out: &mut Unwritten<f32>) {
    let mut done = 0;
    for step in [STEP, STEP / 2, STEP / 4, 1] {
        while out.len() - 2 * done >= 2 * step {
            let (e, o) = (&even[done..][..step], &odd[done..][..step]);
            let out = &mut out[2 * done..][..2 * step];
            match step {
                STEP => pairs::<STEP>(e, o, out),
                8 => pairs::<8>(e, o, out),
                4 => pairs::<4>(e, o, out),
                _ => pairs::<1>(e, o, out),
            }
            done += step;
        }
    }
    if out.len() % 2 == 1 {
        out[2 * done].write(even[done]);
    }
}

#[inline(always)]
fn pairs<const N: usize>(even: &[f32], odd: &[f32], out: &mut Unwritten<f32>) {
    for i in 0..N {
        out[2 * i].write(even[i]);
        out[2 * i + 1].write(odd[i]);
    }
}
