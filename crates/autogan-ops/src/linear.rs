//! Matrix product and fully connected layer, in one thread per product so that bits never depend on threads.

use candle_core::backend::BackendStorage;
use candle_core::{CpuStorage, CustomOp2, Layout, Result, Shape, Tensor, bail};

use crate::host::{host, slice, tensor, zeros};
use crate::real::{Mat, Real, dispatch, gemm, same_dtype, storage};

const OP: &str = "matmul";

/// Fully connected layer: `x [N, I]`, `w [O, I]`, `b [O]` → `x · wᵀ + b`, `[N, O]`.
///
/// # Errors
/// When the shapes or element types do not fit each other.
pub fn linear(x: &Tensor, w: &Tensor, b: Option<&Tensor>) -> Result<Tensor> {
    let y = product(x, w, true)?;
    match b {
        Some(b) => y.broadcast_add(b),
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
    a.contiguous()?.apply_op2(&b.contiguous()?, Product { m, k, n, transposed })
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
            let da = if a.track_op() {
                Some(tensor(Self::run(ma, ds, md, bs, self.b().t()), a.shape())?)
            } else {
                None
            };
            let db = if !b.track_op() {
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
