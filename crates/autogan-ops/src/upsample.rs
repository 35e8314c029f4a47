//! This module holds nearest and bilinear upsampling by any integer factor, with gradients that add up (candle's own do
//! not: bilinear has none, and nearest overwrites what its input already holds).

use std::mem::MaybeUninit;

use autogan_kernels::memory::{Unwritten, filled, filled_by, write, write_pieces};
use candle_core::{Result, Tensor, bail};

use crate::cuda::{Floats, Gpu, int, over_planes};
use crate::host::{for_pieces, zeros};
use crate::operator::{Basis, Gradients, Keep, Operator, apply};
use crate::real::Real;

/// Nearest upsampling: `[N, C, H, W]` → `[N, C, H·factor, W·factor]`.
///
/// # Errors
/// When the input is not 4-dimensional or the factor is 0.
pub fn upsample_nearest(x: &Tensor, factor: usize) -> Result<Tensor> {
    let g = Grid::new("upsample_nearest", x, factor)?;
    if factor == 1 { Ok(x.clone()) } else { apply([x], g.shape(), Nearest(g)) }
}

/// Bilinear upsampling with half-pixel centres (`align_corners=False`): `[N, C, H, W]` → `[N, C, H·factor, W·factor]`.
///
/// # Errors
/// When the input is not 4-dimensional or the factor is 0.
pub fn upsample_bilinear(x: &Tensor, factor: usize) -> Result<Tensor> {
    let g = Grid::new("upsample_bilinear", x, factor)?;
    if factor == 1 {
        return Ok(x.clone());
    }
    let (rows, cols) = (taps(g.h, factor), taps(g.w, factor));
    apply([x], g.shape(), Bilinear { g, rows, cols })
}

#[derive(Clone, Copy)]
struct Grid {
    n: usize,
    c: usize,
    h: usize,
    w: usize,
    factor: usize,
}

impl Grid {
    fn new(op: &str, x: &Tensor, factor: usize) -> Result<Self> {
        let (n, c, h, w) = x.dims4()?;
        if factor == 0 || h * w == 0 {
            bail!(
                "{op}: expected a factor of at least 1 and a non-empty image, found {factor} and {h}x{w}"
            );
        }
        Ok(Self { n, c, h, w, factor })
    }

    /// The shape of the output.
    fn shape(&self) -> (usize, usize, usize, usize) {
        (self.n, self.c, self.h * self.factor, self.w * self.factor)
    }

    /// A kernel that writes planes of `pixels` pixels.
    fn launch(
        &self,
        gpu: &dyn Gpu,
        kernel: &'static str,
        from: Floats,
        to: Floats,
        pixels: usize,
    ) -> Result<()> {
        let planes = self.n * self.c;
        let sizes = [int(planes)?, int(self.h)?, int(self.w)?, int(self.factor)?];
        over_planes(gpu, kernel, (planes, pixels), &[&[from.read(), to.write()], &sizes])
    }

    fn small(&self) -> usize {
        self.h * self.w
    }

    fn large(&self) -> usize {
        self.small() * self.factor * self.factor
    }
}

struct Nearest(Grid);

impl Operator<1> for Nearest {
    const NAME: &'static str = "upsample_nearest";
    const KEEP: Keep = Keep::Nothing;

    fn forward<T: Real>(&self, [x]: [&[T]; 1]) -> Result<Vec<T>> {
        let g = self.0;
        let fill = |plane: usize, out: &mut Unwritten<T>| {
            let x = &x[plane * g.small()..][..g.small()];
            let wide = g.w * g.factor;
            for (line, block) in x.chunks_exact(g.w).zip(out.chunks_exact_mut(wide * g.factor)) {
                let (first, rest) = block.split_at_mut(wide);
                for (o, &v) in first.chunks_exact_mut(g.factor).zip(line) {
                    o.fill(MaybeUninit::new(v));
                }
                rest.chunks_exact_mut(wide).for_each(|copy| copy.copy_from_slice(first));
            }
        };
        // SAFETY: each line of `x` gives a block of lines: the first has `factor` copies of each pixel, the rest are copies
        // of it. The blocks are the whole plane.
        Ok(unsafe { filled_by(g.n * g.c * g.large(), |y| for_pieces(y, g.large(), fill)) })
    }

    fn backward<T: Real>(&self, Basis { dy, .. }: Basis<&[T], 1>) -> Gradients<T, 1> {
        let g = self.0;
        let mut dx = zeros(g.n * g.c * g.small());
        for_pieces(
            &mut dx,
            g.small(),
            #[inline(always)]
            |plane, out| {
                let dy = &dy[plane * g.large()..][..g.large()];
                for (i, line) in dy.chunks_exact(g.w * g.factor).enumerate() {
                    let row = &mut out[i / g.factor * g.w..][..g.w];
                    for (o, block) in row.iter_mut().zip(line.chunks_exact(g.factor)) {
                        for &v in block {
                            *o += v;
                        }
                    }
                }
            },
        );
        Ok([Some(dx)])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [x]: [Floats; 1], y: Floats) -> Result<()> {
        self.0.launch(gpu, "upsample_nearest_forward", x, y, self.0.large())
    }

    fn launch_backward(&self, gpu: &dyn Gpu, at: Basis<Floats, 1>, dx: [Floats; 1]) -> Result<()> {
        self.0.launch(gpu, "upsample_nearest_backward", at.dy, dx[0], self.0.small())
    }
}

/// The two inputs that an output reads, and the weight of the second.
#[derive(Clone, Copy)]
struct Tap {
    low: usize,
    high: usize,
    weight: f64,
}

fn taps(side: usize, factor: usize) -> Vec<Tap> {
    let last = side - 1;
    (0..side * factor)
        .map(|i| {
            let at = ((i as f64 + 0.5) / factor as f64 - 0.5).max(0.0);
            let low = (at as usize).min(last);
            Tap { low, high: (low + 1).min(last), weight: at - low as f64 }
        })
        .collect()
}

struct Bilinear {
    g: Grid,
    rows: Vec<Tap>,
    cols: Vec<Tap>,
}

impl Operator<1> for Bilinear {
    const NAME: &'static str = "upsample_bilinear";
    const KEEP: Keep = Keep::Nothing;

    fn forward<T: Real>(&self, [x]: [&[T]; 1]) -> Result<Vec<T>> {
        let g = self.g;
        Ok(filled(
            g.n * g.c * g.large(),
            g.large(),
            #[inline(always)]
            |plane, out| {
                let x = &x[plane * g.small()..][..g.small()];
                let mut mixed = zeros(g.w);
                write_pieces(
                    out,
                    g.w * g.factor,
                    #[inline(always)]
                    |i, line| {
                        let row = &self.rows[i];
                        let t = T::from_f64(row.weight);
                        let (a, b) = (&x[row.low * g.w..][..g.w], &x[row.high * g.w..][..g.w]);
                        for ((m, &a), &b) in mixed.iter_mut().zip(a).zip(b) {
                            *m = a + t * (b - a);
                        }
                        let pixel = |col: &Tap| {
                            let (a, b) = (mixed[col.low], mixed[col.high]);
                            a + T::from_f64(col.weight) * (b - a)
                        };
                        write(line, self.cols.iter().map(pixel))
                    },
                )
            },
        ))
    }

    fn backward<T: Real>(&self, Basis { dy, .. }: Basis<&[T], 1>) -> Gradients<T, 1> {
        let g = self.g;
        let mut dx = zeros(g.n * g.c * g.small());
        for_pieces(
            &mut dx,
            g.small(),
            #[inline(always)]
            |plane, out| {
                let dy = &dy[plane * g.large()..][..g.large()];
                let mut mixed = zeros(g.w);
                for (line, row) in dy.chunks_exact(g.w * g.factor).zip(&self.rows) {
                    mixed.fill(T::zero());
                    for (&d, col) in line.iter().zip(&self.cols) {
                        let t = T::from_f64(col.weight);
                        mixed[col.low] += d * (T::one() - t);
                        mixed[col.high] += d * t;
                    }
                    let t = T::from_f64(row.weight);
                    for (j, &m) in mixed.iter().enumerate() {
                        out[row.low * g.w + j] += m * (T::one() - t);
                        out[row.high * g.w + j] += m * t;
                    }
                }
            },
        );
        Ok([Some(dx)])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [x]: [Floats; 1], y: Floats) -> Result<()> {
        self.g.launch(gpu, "upsample_bilinear_forward", x, y, self.g.large())
    }

    fn launch_backward(&self, gpu: &dyn Gpu, at: Basis<Floats, 1>, dx: [Floats; 1]) -> Result<()> {
        self.g.launch(gpu, "upsample_bilinear_backward", at.dy, dx[0], self.g.small())
    }
}
