//! Matrix product and fully connected layer, in one thread per product so that bits never depend on threads.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::host::{host, slice, tensor, zeros};
use crate::real::{Mat, Real, dispatch, gemm, same_dtype, storage};
use crate::tape::{Keep, apply2, tracked};

const OP: &str = "matmul";

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

    fn run<T: Real>(dst: Mat, a: &[T], ma: Mat, b: &[T], mb: Mat) -> Vec<T> {
        let mut out = zeros(dst.rows * dst.cols);
        gemm(&mut out, dst, a, ma, b, mb, false);
        out
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
        dispatch!(OP, a.dtype(), T => {
            let (a, b) = (slice::<T>(OP, a, la)?, slice::<T>(OP, b, lb)?);
            let y = Self::run(Mat::new(self.m, self.n), a, Mat::new(self.m, self.k), b, self.b());
            Ok(storage(y, (self.m, self.n)))
        })
    }

    fn bwd(
        &self,
        a: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let dy = dy.contiguous()?;
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

struct AddRow {
    n: usize,
    o: usize,
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
        dispatch!(OP, x.dtype(), T => {
            let (mut y, b) = (slice::<T>(OP, x, lx)?.to_vec(), slice::<T>(OP, b, lb)?);
            for row in y.chunks_exact_mut(self.o.max(1)) {
                row.iter_mut().zip(b).for_each(|(y, &b)| *y += b);
            }
            Ok(storage(y, (self.n, self.o)))
        })
    }

    fn bwd(
        &self,
        x: &Tensor,
        b: &Tensor,
        _y: &Tensor,
        dy: &Tensor,
    ) -> Result<(Option<Tensor>, Option<Tensor>)> {
        let db = if tracked(b) { Some(dy.sum(0)?) } else { None };
        Ok((tracked(x).then(|| dy.clone()), db))
    }
}
