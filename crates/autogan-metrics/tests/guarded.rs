//! The search for near rows on odd sizes, on every path of the processor, with each buffer between two pages that nobody
//! may touch. Its products are those of the GEMM crate; its other loops are compiled for each vector unit.

#![allow(clippy::unwrap_used)] // an unwrap is how a test fails
#![cfg(unix)]

use autogan_metrics::{Matrix, prdc, precision_recall};
use autogan_testing::guard::Guarded;
use autogan_testing::paths::{cases, on_every_path};

#[global_allocator]
static MEMORY: Guarded = Guarded;

/// Rows of both sets, and columns: around vectors, and beyond a tile of rows.
const SIZES: [(usize, usize, usize); 11] = [
    (4, 5, 1),
    (5, 4, 2),
    (7, 9, 3),
    (16, 15, 7),
    (17, 33, 8),
    (33, 17, 9),
    (31, 13, 15),
    (13, 31, 16),
    (65, 33, 17),
    (131, 70, 33),
    (300, 131, 5),
];

const NEIGHBOURS: usize = 3;

fn set(rows: usize, cols: usize, seed: usize) -> Vec<f32> {
    let step = 0.37 + 0.11 * seed as f32;
    (0..rows * cols).map(|i| (i as f32 * step).sin() + 0.1 * seed as f32).collect()
}

/// Precision, recall, density and coverage; then precision and recall whose balls have their borders.
fn run((real, generated, cols): (usize, usize, usize)) -> [f64; 6] {
    let first = Matrix::new(cols, set(real, cols, 1)).unwrap();
    let second = Matrix::new(cols, set(generated, cols, 2)).unwrap();
    let open = prdc(&first, &second, NEIGHBOURS).unwrap();
    let closed = precision_recall(&first, &second, NEIGHBOURS).unwrap();
    let [p, r, d, c] = [open.precision, open.recall, open.density, open.coverage];
    [p, r, d, c, closed.precision, closed.recall]
}

/// The same by all distances.
fn plain((real, generated, cols): (usize, usize, usize)) -> [f64; 6] {
    let (first, second) = (set(real, cols, 1), set(generated, cols, 2));
    let distance = |a: &[f32], b: &[f32]| -> f64 {
        a.iter().zip(b).map(|(&a, &b)| (f64::from(a) - f64::from(b)).powi(2)).sum()
    };
    let rows = |all: &[f32]| all.chunks_exact(cols).map(<[f32]>::to_vec).collect::<Vec<_>>();
    let radii = |all: &[Vec<f32>]| -> Vec<f64> {
        let radius = |row: &Vec<f32>| {
            let mut others: Vec<f64> = all.iter().map(|other| distance(row, other)).collect();
            others.sort_by(f64::total_cmp);
            // The first is the row itself.
            others[NEIGHBOURS]
        };
        all.iter().map(radius).collect()
    };
    let (x, y) = (rows(&first), rows(&second));
    let (of_x, of_y) = (radii(&x), radii(&y));
    let share =
        |n: usize, f: &dyn Fn(usize) -> bool| (0..n).filter(|&i| f(i)).count() as f64 / n as f64;
    let gap = |i: usize, j: usize| distance(&x[i], &y[j]);
    let (n, m) = (x.len(), y.len());
    let inside = (0..n * m).filter(|&at| gap(at / m, at % m) < of_x[at / m]).count();
    [
        share(m, &|j| (0..n).any(|i| gap(i, j) < of_x[i])),
        share(n, &|i| (0..m).any(|j| gap(i, j) < of_y[j])),
        inside as f64 / (NEIGHBOURS * m) as f64,
        share(n, &|i| (0..m).any(|j| gap(i, j) < of_x[i])),
        share(m, &|j| (0..n).any(|i| gap(i, j) <= of_x[i])),
        share(n, &|i| (0..m).any(|j| gap(i, j) <= of_y[j])),
    ]
}

#[test]
fn near_rows() {
    let sizes = cases(SIZES.to_vec());
    let found =
        on_every_path("near rows", || sizes.iter().map(|&size| run(size)).collect::<Vec<_>>());
    for (unit, found) in &found {
        for (found, &size) in found.iter().zip(&sizes) {
            assert_eq!(*found, plain(size), "{unit}, {size:?}");
        }
    }
}
