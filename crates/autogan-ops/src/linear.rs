//! Matrix product and fully connected layer. Large products are cut into pieces by their sizes alone, so that bits
//! never depend on threads.

use autogan_kernels::memory::{filled, write};
use candle_core::backend::BackendStorage;
use candle_core::{
    CpuStorage, CudaStorage, CustomOp2, Layout, Result, Shape, Tensor, WithDType, bail,
};

use rayon::prelude::*;

use crate::cuda::{self, Card, Floats, flag, int, over_elements, over_tiles};
use crate::host::{for_pieces, host, slice, tensor, zeros};
use crate::real::{Mat, Real, dispatch, gemm, same_dtype, storage};
use crate::tape::{Keep, apply2, tracked};

const OP: &str = "matmul";

/// Multiplications of one piece of a product, about: a few microseconds at the least.
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
    apply2(&a.contiguous()?, &b.contiguous()?, Product { m, k, n, transposed }, Keep::INPUTS)
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

/// `y [m, n] = a [m, k] · b [k, n]` on a card; an operand may hold its transpose.
fn launch_product(
    card: &dyn Card,
    (m, k, n): (usize, usize, usize),
    (a, a_transposed): (Floats, bool),
    (b, b_transposed): (Floats, bool),
    y: Floats,
) -> Result<()> {
    let sizes = [int(m)?, int(k)?, int(n)?, flag(a_transposed), flag(b_transposed)];
    let arguments = [&[a.read(), b.read(), y.write()][..], &sizes].concat();
    over_tiles(card, "matmul", (m, n, 1), &arguments)
}

impl Product {
    fn program(&self) -> impl cuda::Program<1> {
        |card: &dyn Card, from: &[Floats], [y]: [Floats; 1]| {
            let (a, b) = ((from[0], false), (from[1], self.transposed));
            launch_product(card, (self.m, self.k, self.n), a, b, y)
        }
    }

    fn gradients_on_card(
        &self,
        a: &Tensor,
        b: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let Self { m, k, n, transposed } = *self;
        let da = tracked(a).then(|| {
            cuda::make_one(OP, &[dy, b], a.shape(), |card, from, da| {
                launch_product(card, (m, n, k), (from[0], false), (from[1], !transposed), da)
            })
        });
        let db = tracked(b).then(|| {
            cuda::make_one(OP, &[a, dy], b.shape(), |card, from, db| {
                let (a, dy) = (from[0], from[1]);
                if transposed {
                    launch_product(card, (n, m, k), (dy, true), (a, false), db)
                } else {
                    launch_product(card, (k, m, n), (a, true), (dy, false), db)
                }
            })
        });
        Ok((da.transpose()?, db.transpose()?))
    }
}

impl CustomOp2 for Product {
    fn name(&self) -> &'static str {
        OP
    }

    fn cpu_fwd(
        &self,
        a: &CpuStorage,
        la: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let inputs = [(a, la), (b, lb)];
        if let Some(y) = cuda::emulated(OP, &inputs, (self.m, self.n).into(), self.program()) {
            return y;
        }
        dispatch!(OP, a.dtype(), T => {
            let (a, b) = (slice::<T>(OP, a, la)?, slice::<T>(OP, b, lb)?);
            let y = Self::run(Mat::new(self.m, self.n), a, Mat::new(self.m, self.k), b, self.b());
            Ok(storage(y, (self.m, self.n)))
        })
    }

    fn cuda_fwd(
        &self,
        a: &CudaStorage,
        la: &Layout,
        b: &CudaStorage,
        lb: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        cuda::forward(OP, &[(a, la), (b, lb)], (self.m, self.n).into(), self.program())
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
        if cuda::taken(&dy) {
            return self.gradients_on_card(a, b, &dy);
        }
        dispatch!(OP, a.dtype(), T => {
            let (ha, hb, hd) = (host(OP, a)?, host(OP, b)?, host(OP, &dy)?);
            let (asl, bs, ds) = (ha.slice::<T>()?, hb.slice::<T>()?, hd.slice::<T>()?);
            let (ma, md) = (Mat::new(self.m, self.k), Mat::new(self.m, self.n));
            let da = if tracked(a) {
                Some(tensor(Self::run(ma, ds, md, bs, self.b().t()), a.shape())?)
            } else {
                None
            };
            let db = if !tracked(b) {
                None
            } else if self.transposed {
                Some(tensor(Self::run(Mat::new(self.n, self.k), ds, md.t(), asl, ma), b.shape())?)
            } else {
                Some(tensor(Self::run(Mat::new(self.k, self.n), asl, ma.t(), ds, md), b.shape())?)
            };
            Ok((da, db))
        })
    }
}

/// `x [N, O] + b [O]`, for each row.
fn add_row(x: &Tensor, b: &Tensor) -> Result<Tensor> {
    same_dtype(OP, &[x, b])?;
    let (n, o) = x.dims2()?;
    if b.dims() != [o] {
        bail!("{OP}: expected a bias of shape [{o}], found {:?}", b.dims());
    }
    apply2(x, &b.contiguous()?, AddRow { n, o }, Keep::NOTHING)
}

/// Columns that are summed at a time.
const COLUMNS: usize = 64;

struct AddRow {
    n: usize,
    o: usize,
}

impl AddRow {
    fn program(&self) -> impl cuda::Program<1> {
        let count = self.n * self.o;
        move |card: &dyn Card, from: &[Floats], [y]: [Floats; 1]| {
            let tensors = [from[0].read(), from[1].read(), y.write()];
            let arguments = [&tensors[..], &[int(self.n)?, int(self.o)?]].concat();
            over_elements(card, "add_row", count, &arguments)
        }
    }

    /// The sums of all columns, in `f64` and in the order of the rows.
    fn column_sums(&self, dy: &Tensor) -> Result<Tensor> {
        if cuda::taken(dy) {
            return cuda::make_one(OP, &[dy], &self.o.into(), |card, from, sums| {
                let arguments = [from[0].read(), sums.write(), int(self.n)?, int(self.o)?];
                over_elements(card, "column_sums", self.o, &arguments)
            });
        }
        dispatch!(OP, dy.dtype(), T => {
            let view = host(OP, dy)?;
            let dy = view.slice::<T>()?;
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
            tensor(sums, self.o)
        })
    }
}

impl CustomOp2 for AddRow {
    fn name(&self) -> &'static str {
        OP
    }

    fn cpu_fwd(
        &self,
        x: &CpuStorage,
        lx: &Layout,
        b: &CpuStorage,
        lb: &Layout,
    ) -> Result<(CpuStorage, Shape)> {
        let inputs = [(x, lx), (b, lb)];
        if let Some(y) = cuda::emulated(OP, &inputs, (self.n, self.o).into(), self.program()) {
            return y;
        }
        dispatch!(OP, x.dtype(), T => {
            let (x, b) = (slice::<T>(OP, x, lx)?, slice::<T>(OP, b, lb)?);
            let y = filled(
                x.len(),
                self.o,
                #[inline(always)]
                |i, y| write(y, x[i * self.o..].iter().zip(b).map(|(&x, &b)| x + b)),
            );
            Ok(storage(y, (self.n, self.o)))
        })
    }

    fn cuda_fwd(
        &self,
        x: &CudaStorage,
        lx: &Layout,
        b: &CudaStorage,
        lb: &Layout,
    ) -> Result<(CudaStorage, Shape)> {
        cuda::forward(OP, &[(x, lx), (b, lb)], (self.n, self.o).into(), self.program())
    }

    fn bwd(
        &self,
        x: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let db = if tracked(b) { Some(self.column_sums(&dy.contiguous()?)?) } else { None };
        Ok((tracked(x).then(|| dy.clone()), db))
    }
}
