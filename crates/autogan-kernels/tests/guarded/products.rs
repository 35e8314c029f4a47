//! Products of matrices by the GEMM crate, in all layouts that operators use.
//!
//! That crate chooses its path by itself: the widest here, AVX2 under valgrind. Its plain form is the sum below.

use autogan_kernels::{Mat, Real, gemm};
use autogan_testing::paths::{cases, on_every_path};

use crate::common::{assert_near, assert_near_f64, noise, wide};

/// `[rows, inner] · [inner, columns]`, with the layout of each matrix.
#[derive(Clone, Copy, Debug)]
struct Case {
    sizes: (usize, usize, usize),
    /// Of result and factors: contiguous, with room between rows, or transposed.
    layouts: [usize; 3],
    accumulate: bool,
}

fn all_cases() -> Vec<Case> {
    let sides = [1, 2, 3, 5, 7, 8, 9, 15, 16, 17, 31, 33];
    let small = (0..sides.len().pow(3)).step_by(5).map(|i| {
        let side = |by: usize| sides[i / by % sides.len()];
        (side(1), side(sides.len()), side(sides.len().pow(2)))
    });
    // Large enough that the crate packs its operands.
    let large = [(65, 130, 70), (17, 600, 129), (129, 33, 257), (1, 300, 131), (131, 300, 1)];
    let all = cases(small.collect()).into_iter().chain(large).enumerate();
    let layouts = |i: usize| [i % 3, i / 3 % 3, i / 9 % 3];
    all.map(|(i, sizes)| Case { sizes, layouts: layouts(i), accumulate: i % 2 == 1 }).collect()
}

/// The matrix in a layout, and the elements from its first to its last.
fn matrix(layout: usize, (rows, cols): (usize, usize)) -> (Mat, usize) {
    match layout {
        0 => (Mat::new(rows, cols), rows * cols),
        // The buffer ends at the last element, not at the end of its row.
        1 => (Mat::strided(rows, cols, cols + 3), (rows - 1) * (cols + 3) + cols),
        _ => (Mat::new(cols, rows).t(), rows * cols),
    }
}

impl Case {
    fn matrices(&self) -> [(Mat, usize); 3] {
        let (rows, inner, columns) = self.sizes;
        let [d, l, r] = self.layouts;
        [matrix(d, (rows, columns)), matrix(l, (rows, inner)), matrix(r, (inner, columns))]
    }

    /// The buffer of the result; what lies between its rows stays.
    fn run<T: Real>(&self) -> Vec<T> {
        let [(d, len), (l, l_len), (r, r_len)] = self.matrices();
        let numbers = |len: usize, seed: usize| -> Vec<T> {
            noise(len, seed).into_iter().map(|v| T::narrow(f64::from(v))).collect()
        };
        let mut dst = numbers(len, 1);
        gemm(&mut dst, d, &numbers(l_len, 2), l, &numbers(r_len, 3), r, self.accumulate);
        dst
    }

    fn plain(&self) -> Vec<f64> {
        let [(d, len), (l, l_len), (r, r_len)] = self.matrices();
        let [mut dst, lhs, rhs] =
            [(len, 1), (l_len, 2), (r_len, 3)].map(|(len, seed)| wide(&noise(len, seed)));
        for i in 0..d.rows {
            for j in 0..d.cols {
                let term = |k: usize| {
                    lhs[i * l.row_stride + k * l.col_stride]
                        * rhs[k * r.row_stride + j * r.col_stride]
                };
                let sum: f64 = (0..l.cols).map(term).sum();
                let to = &mut dst[i * d.row_stride + j * d.col_stride];
                *to = sum + if self.accumulate { *to } else { 0.0 };
            }
        }
        dst
    }
}

#[test]
fn products_of_matrices() {
    let cases = all_cases();
    let single =
        on_every_path("gemm in f32", || cases.iter().map(Case::run::<f32>).collect::<Vec<_>>());
    let double =
        on_every_path("gemm in f64", || cases.iter().map(Case::run::<f64>).collect::<Vec<_>>());
    for (i, case) in cases.iter().enumerate() {
        let expected = case.plain();
        for ((unit, single), (_, double)) in single.iter().zip(&double) {
            assert_near(&single[i], &expected, || format!("{unit}, {case:?}"));
            assert_near_f64(&double[i], &expected, || format!("{unit}, {case:?}"));
        }
    }
}
