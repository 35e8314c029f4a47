//! [`Cholesky`] factors a symmetric matrix, on one thread, so that the bits are the same on any machine's number of threads.

use faer::dyn_stack::{MemBuffer, MemStack};
use faer::linalg::cholesky::llt::factor::{cholesky_in_place, cholesky_in_place_scratch};
use faer::linalg::matmul::triangular::{self, BlockStructure};
use faer::linalg::triangular_solve::{
    solve_lower_triangular_in_place, solve_upper_triangular_in_place,
};
use faer::{Accum, Mat, MatMut, Par};

/// The lower factor `L` of a symmetric positive matrix `L · Lᵀ`.
#[derive(Debug)]
pub(crate) struct Cholesky(Mat<f64>);

impl Cholesky {
    /// The factor of the matrix whose lower triangle is given; `None` when the matrix is not positive.
    pub fn of(mut matrix: Mat<f64>) -> Option<Self> {
        let scratch =
            cholesky_in_place_scratch::<f64>(matrix.nrows(), Par::Seq, Default::default());
        let mut buffer = MemBuffer::new(scratch);
        let stack = MemStack::new(&mut buffer);
        cholesky_in_place(matrix.as_mut(), Default::default(), Par::Seq, stack, Default::default())
            .ok()?;
        let factor = Self(matrix);
        factor.log_det().is_finite().then_some(factor)
    }

    /// The logarithm of the matrix's determinant.
    pub fn log_det(&self) -> f64 {
        2.0 * (0..self.0.nrows()).map(|i| self.0[(i, i)].ln()).sum::<f64>()
    }

    /// `L⁻¹ · v`, in place.
    pub fn half_solve(&self, vector: &mut [f64]) {
        let rows = vector.len();
        let column = MatMut::from_column_major_slice_mut(vector, rows, 1);
        solve_lower_triangular_in_place(self.0.as_ref(), column, Par::Seq);
    }

    /// `L⁻ᵀ · v`, in place.
    pub fn half_solve_transposed(&self, vector: &mut [f64]) {
        let rows = vector.len();
        let column = MatMut::from_column_major_slice_mut(vector, rows, 1);
        solve_upper_triangular_in_place(self.0.transpose(), column, Par::Seq);
    }

    /// `L⁻¹ · M`, in place.
    pub fn half_solve_columns(&self, matrix: &mut Mat<f64>) {
        solve_lower_triangular_in_place(self.0.as_ref(), matrix.as_mut(), Par::Seq);
    }

    /// `L · v`.
    pub fn times(&self, vector: &[f64]) -> Vec<f64> {
        let mut product = vec![0.0; vector.len()];
        for (j, &v) in vector.iter().enumerate() {
            for (i, sum) in product.iter_mut().enumerate().skip(j) {
                *sum += self.0[(i, j)] * v;
            }
        }
        product
    }
}

/// The lower triangle of `into + factor · Mᵀ · M`.
pub(crate) fn add_gram(into: &mut Mat<f64>, factor: f64, matrix: &Mat<f64>) {
    triangular::matmul(
        into.as_mut(),
        BlockStructure::TriangularLower,
        Accum::Add,
        matrix.transpose(),
        BlockStructure::Rectangular,
        matrix.as_ref(),
        BlockStructure::Rectangular,
        factor,
        Par::Seq,
    );
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_factor_solves_and_multiplies() {
        // [[4, 2], [2, 5]] = L Lᵀ with L = [[2, 0], [1, 2]].
        let matrix = Mat::from_fn(2, 2, |i, j| [[4.0, 2.0], [2.0, 5.0]][i][j]);
        let factor = Cholesky::of(matrix).unwrap();
        assert!((factor.log_det() - 16f64.ln()).abs() < 1e-12);
        assert_eq!(factor.times(&[3.0, 5.0]), [6.0, 13.0]);
        let mut vector = [6.0, 13.0];
        factor.half_solve(&mut vector);
        assert_eq!(vector, [3.0, 5.0]);
        // Lᵀ x = (4, 6): x = (0.5, 3).
        let mut vector = [4.0, 6.0];
        factor.half_solve_transposed(&mut vector);
        assert_eq!(vector, [0.5, 3.0]);
        assert!(Cholesky::of(Mat::from_fn(2, 2, |i, j| if i == j { 1.0 } else { 2.0 })).is_none());
    }

    #[test]
    fn a_gram_matrix_is_added_below_the_diagonal() {
        let matrix = Mat::from_fn(3, 2, |i, j| (i + 2 * j) as f64);
        let mut into = Mat::from_fn(2, 2, |_, _| 1.0);
        add_gram(&mut into, 0.5, &matrix);
        // Columns (0, 1, 2) and (2, 3, 4): products 5, 11, 29.
        assert_eq!((into[(0, 0)], into[(1, 0)], into[(1, 1)]), (3.5, 6.5, 15.5));
    }
}
