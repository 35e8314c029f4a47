//! [`gemm()`] multiplies matrices inside slices. All use of the GEMM crate goes through this module.

use crate::Real;

/// A matrix inside a slice: element (r, c) is `data[offset + r * row_stride + c * col_stride]`.
#[derive(Clone, Copy, Debug)]
pub struct Mat {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub cols: usize,
    /// Elements from one row to the next.
    pub row_stride: usize,
    /// Elements from one column to the next.
    pub col_stride: usize,
}

impl Mat {
    /// A row-major, contiguous matrix.
    pub fn new(rows: usize, cols: usize) -> Self {
        Self { rows, cols, row_stride: cols, col_stride: 1 }
    }

    /// A row-major matrix with `row_stride` elements from one row to the next.
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
pub fn gemm<T: Real>(
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
