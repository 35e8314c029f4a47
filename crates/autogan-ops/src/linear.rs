//! This module holds the matrix product and the fully connected layer. Large products are cut into pieces by their
//! sizes alone, so that bits never depend on threads.

use autogan_kernels::memory::{filled, write};
use candle_core::{Result, Tensor, bail};

use rayon::prelude::*;

use crate::cuda::{Floats, Gpu, flag, int, over_elements, over_tiles};
use crate::host::{for_pieces, zeros};
use crate::operator::{Basis, Gradients, Keep, Operator, apply};
use crate::real::{Mat, Real, gemm, same_dtype};

const OP: &str = "matmul";

/// About the number of multiplications in one piece of a product: a few microseconds at the least.
const PIECE: usize = 1 << 21;

/// Pieces have a multiple of this many rows or columns, or what is left.
const STEP: usize = 64;

/// Fully connected layer: `x [N, I]`, `w [O, I]`, `b [O]` → `x · wᵀ + b`, `[N, O]`.
///
/// # Errors
/// When the shapes or element types do not fit each other.
pub fn linear(x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Result<Tensor> {
    let y = product(x, w, true)?;
    match b {
        Some(b) => add_row(&y, b),
        None => Ok(y),
    }
}

/// Matrix product `a [M, K] · b [K, N]` → `[M, N]`.
///
/// # Errors
/// When the shapes or element types do not fit each other.
pub fn matmul(a: &Tensor, b: &Tensor) -> Result<Tensor> {
    product(a, b, false)
}

fn product(a: &Tensor, b: &Tensor, transposed: bool) -> Result<Tensor> {
    same_dtype(OP, &[a, b])?;
    let (m, k) = a.dims2()?;
    let (r, c) = b.dims2()?;
    let (kb, n) = if transposed { (c, r) } else { (r, c) };
    if k != kb {
        bail!("{OP}: inner sizes differ: {:?} by {:?}", a.dims(), b.dims());
    }
    apply([a, b], (m, n), Product { m, k, n, transposed })
}

struct Product {
    m: usize,
    k: usize,
    n: usize,
    /// `b` holds its transpose, `[N, K]`.
    transposed: bool,
}

impl Product {
    fn b(&self) -> Mat {
        if self.transposed { Mat::new(self.n, self.k).t() } else { Mat::new(self.k, self.n) }
    }

    /// `a · b`, `[dst.rows, dst.cols]`, in pieces along its longer side.
    fn run<T: Real>(dst: Mat, a: &[T], ma: Mat, b: &[T], mb: Mat) -> Vec<T> {
        let mut out = zeros(dst.rows * dst.cols);
        let wide = dst.cols > dst.rows;
        let (long, short) = if wide { (dst.cols, dst.rows) } else { (dst.rows, dst.cols) };
        // At least one step, however large the product of the other two sizes.
        let per = (PIECE / (short * ma.cols).max(1)).max(1).next_multiple_of(STEP);
        if per >= long {
            gemm(&mut out, dst, a, ma, b, mb, false);
        } else if wide {
            let parts: Vec<Vec<T>> = (0..long.div_ceil(per))
                .into_par_iter()
                .map(|i| {
                    let cols = per.min(long - i * per);
                    let mut part = zeros(dst.rows * cols);
                    let b = &b[i * per * mb.col_stride..];
                    gemm(&mut part, Mat::new(dst.rows, cols), a, ma, b, Mat { cols, ..mb }, false);
                    part
                })
                .collect();
            for (r, row) in out.chunks_exact_mut(dst.cols).enumerate() {
                for (row, part) in row.chunks_mut(per).zip(&parts) {
                    row.copy_from_slice(&part[r * row.len()..][..row.len()]);
                }
            }
        } else {
            out.par_chunks_mut(per * dst.cols).enumerate().for_each(|(i, out)| {
                let rows = out.len() / dst.cols;
                let a = &a[i * per * ma.row_stride..];
                gemm(out, Mat::new(rows, dst.cols), a, Mat { rows, ..ma }, b, mb, false);
            });
        }
        out
    }
}

/// `y [m, n] = a [m, k] · b [k, n]` on a GPU; an operand may hold its transpose.
fn launch_product(
    gpu: &dyn Gpu,
    (m, k, n): (usize, usize, usize),
    (a, a_transposed): (Floats, bool),
    (b, b_transposed): (Floats, bool),
    y: Floats,
) -> Result<()> {
    let sizes = [int(m)?, int(k)?, int(n)?, flag(a_transposed), flag(b_transposed)];
    over_tiles(gpu, "matmul", (m, n, 1), &[&[a.read(), b.read(), y.write()], &sizes])
}

impl Operator<2> for Product {
    const NAME: &'static str = OP;
    const KEEP: Keep = Keep::Inputs;

    fn forward<T: Real>(&self, [a, b]: [&[T]; 2]) -> Result<Vec<T>> {
        Ok(Self::run(Mat::new(self.m, self.n), a, Mat::new(self.m, self.k), b, self.b()))
    }

    fn backward<T: Real>(&self, given: Basis<&[T], 2>) -> Gradients<T, 2> {
        let Basis { x: [a, b], dy, wanted: [to_a, to_b], .. } = given;
        let (ma, md) = (Mat::new(self.m, self.k), Mat::new(self.m, self.n));
        let da = to_a.then(|| Self::run(ma, dy, md, b, self.b().t()));
        let db = to_b.then(|| {
            if self.transposed {
                Self::run(Mat::new(self.n, self.k), dy, md.t(), a, ma)
            } else {
                Self::run(Mat::new(self.k, self.n), a, ma.t(), dy, md)
            }
        });
        Ok([da, db])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [a, b]: [Floats; 2], y: Floats) -> Result<()> {
        launch_product(gpu, (self.m, self.k, self.n), (a, false), (b, self.transposed), y)
    }

    fn launch_backward(
        &self,
        gpu: &dyn Gpu,
        Basis { x: [a, b], dy, wanted: [to_a, to_b], .. }: Basis<Floats, 2>,
        [da, db]: [Floats; 2],
    ) -> Result<()> {
        let Self { m, k, n, transposed } = *self;
        if to_a {
            launch_product(gpu, (m, n, k), (dy, false), (b, !transposed), da)?;
        }
        match (to_b, transposed) {
            (false, _) => Ok(()),
            (true, true) => launch_product(gpu, (n, m, k), (dy, true), (a, false), db),
            (true, false) => launch_product(gpu, (k, m, n), (a, true), (dy, false), db),
        }
    }
}

/// `x [N, O] + b [O]`, for each row.
fn add_row(x: &Tensor, b: &Tensor) -> Result<Tensor> {
    same_dtype(OP, &[x, b])?;
    let (n, o) = x.dims2()?;
    if b.dims() != [o] {
        bail!("{OP}: expected a bias of shape [{o}], found {:?}", b.dims());
    }
    apply([x, b], (n, o), AddRow { n, o })
}

/// Columns that are summed at a time.
const COLUMNS: usize = 64;

struct AddRow {
    n: usize,
    o: usize,
}

impl Operator<2> for AddRow {
    const NAME: &'static str = OP;
    const KEEP: Keep = Keep::Nothing;
    const PASSED: [bool; 2] = [true, false];

    fn forward<T: Real>(&self, [x, b]: [&[T]; 2]) -> Result<Vec<T>> {
        Ok(filled(
            x.len(),
            self.o,
            #[inline(always)]
            |i, y| write(y, x[i * self.o..].iter().zip(b).map(|(&x, &b)| x + b)),
        ))
    }

    /// The sums of all columns, in `f64` and in the order of the rows.
    fn backward<T: Real>(&self, Basis { dy, .. }: Basis<&[T], 2>) -> Gradients<T, 2> {
        let mut sums = zeros(self.o);
        for_pieces(
            &mut sums,
            COLUMNS,
            #[inline(always)]
            |i, out| {
                let mut sums = [0f64; COLUMNS];
                for row in dy.chunks_exact(self.o) {
                    let row = &row[i * COLUMNS..][..out.len()];
                    sums.iter_mut().zip(row).for_each(|(sum, &d)| *sum += d.to_f64());
                }
                out.iter_mut().zip(sums).for_each(|(out, sum)| *out = T::from_f64(sum));
            },
        );
        Ok([None, Some(sums)])
    }

    fn launch_forward(&self, gpu: &dyn Gpu, [x, b]: [Floats; 2], y: Floats) -> Result<()> {
        let arguments = [x.read(), b.read(), y.write(), int(self.n)?, int(self.o)?];
        over_elements(gpu, "add_row", self.n * self.o, &[&arguments])
    }

    fn launch_backward(&self, gpu: &dyn Gpu, at: Basis<Floats, 2>, dx: [Floats; 2]) -> Result<()> {
        let arguments = [at.dy.read(), dx[1].write(), int(self.n)?, int(self.o)?];
        over_elements(gpu, "column_sums", self.o, &[&arguments])
    }
}
