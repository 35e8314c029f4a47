//! The two element types that the operators are written for, and the one door to the GEMM crate.

use candle_core::{CpuStorage, DType, Result, Shape, Tensor, WithDType, bail};

/// `f32` or `f64`: what every operator on the CPU is generic over.
///
/// `f32` is what networks train in; `f64` is what gradients are checked in.
pub trait Real: WithDType + std::ops::Neg<Output = Self> + std::iter::Sum {
    /// Hyperbolic tangent.
    fn tanh(self) -> Self;
    /// Exponential.
    fn exp(self) -> Self;
    /// Square root.
    fn sqrt(self) -> Self;
    /// Fused or plain `self * a + b`; rounding may differ, bits never do on one machine.
    fn mul_add(self, a: Self, b: Self) -> Self;
}

macro_rules! real {
    ($t:ty) => {
        impl Real for $t {
            fn tanh(self) -> Self {
                self.tanh()
            }
            fn exp(self) -> Self {
                self.exp()
            }
            fn sqrt(self) -> Self {
                self.sqrt()
            }
            fn mul_add(self, a: Self, b: Self) -> Self {
                self * a + b
            }
        }
    };
}
real!(f32);
real!(f64);

/// Calls `$body` with `$T` bound to the element type of `$dtype`, or returns an error that names `$op`.
macro_rules! dispatch {
    ($op:expr, $dtype:expr, $T:ident => $body:expr) => {
        match $dtype {
            candle_core::DType::F32 => {
                type $T = f32;
                $body
            }
            candle_core::DType::F64 => {
                type $T = f64;
                $body
            }
            other => candle_core::bail!("{}: expected f32 or f64 tensors, found {other:?}", $op),
        }
    };
}
pub(crate) use dispatch;

/// A matrix inside a slice: element (r, c) is `data[offset + r * row_stride + c * col_stride]`.
#[derive(Clone, Copy)]
pub(crate) struct Mat {
    pub rows: usize,
    pub cols: usize,
    pub row_stride: usize,
    pub col_stride: usize,
}

impl Mat {
    /// Row-major, contiguous.
    pub fn new(rows: usize, cols: usize) -> Self {
        Self { rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// Row-major with `row_stride` elements from one row to the next.
    pub fn strided(rows: usize, cols: usize, row_stride: usize) -> Self {
        Self { rows, cols, row_stride, col_stride: 1 }
    }

    /// The transposed view.
    pub fn t(self) -> Self {
        Self {
            rows: self.cols,
            cols: self.rows,
            row_stride: self.col_stride,
            col_stride: self.row_stride,
        }
    }

    fn reach(self) -> usize {
        match (self.rows, self.cols) {
            (0, _) | (_, 0) => 0,
            (r, c) => (r - 1) * self.row_stride + (c - 1) * self.col_stride + 1,
        }
    }
}

/// `dst = lhs · rhs`, or `dst += lhs · rhs` with `accumulate`, on the calling thread.
///
/// One thread always: parallelism is the caller's, over pieces that do not depend on the number of threads, so
/// that results do not either.
///
/// # Panics
/// When a matrix reaches outside its slice or the inner sizes differ: a bug of the calling operator.
pub(crate) fn gemm<T: Real>(
    dst: &mut [T],
    d: Mat,
    lhs: &[T],
    l: Mat,
    rhs: &[T],
    r: Mat,
    accumulate: bool,
) {
    assert!(l.cols == r.rows && d.rows == l.rows && d.cols == r.cols, "gemm: shapes do not fit");
    assert!(
        d.reach() <= dst.len() && l.reach() <= lhs.len() && r.reach() <= rhs.len(),
        "gemm: matrix reaches outside its slice"
    );
    // SAFETY: every access (i, j) of the three matrices lies within its slice, checked just above; `dst` is
    // borrowed mutably, so it does not overlap the inputs; T is f32 or f64, which the gemm crate handles.
    unsafe {
        gemm::gemm(
            d.rows,
            d.cols,
            l.cols,
            dst.as_mut_ptr(),
            d.col_stride as isize,
            d.row_stride as isize,
            accumulate,
            lhs.as_ptr(),
            l.col_stride as isize,
            l.row_stride as isize,
            rhs.as_ptr(),
            r.col_stride as isize,
            r.row_stride as isize,
            T::one(),
            T::one(),
            false,
            false,
            false,
            gemm::Parallelism::None,
        );
    }
}

/// The output of an operator's CPU path.
pub(crate) fn storage<T: WithDType>(data: Vec<T>, shape: impl Into<Shape>) -> (CpuStorage, Shape) {
    (T::to_cpu_storage_owned(data), shape.into())
}

/// Checks that both tensors have the same element type.
pub(crate) fn same_dtype(op: &str, tensors: &[&Tensor]) -> Result<DType> {
    let first = tensors[0].dtype();
    for t in tensors {
        if t.dtype() != first {
            bail!("{op}: expected all tensors as {first:?}, found one as {:?}", t.dtype());
        }
    }
    Ok(first)
}
