//! [`precision_recall`] computes precision and recall (Kynkäänniemi et al. 2019, *Improved Precision and Recall Metric
//! for Assessing Generative Models*, section 2).
//!
//! A sample is inside a set when it is within the distance of some member to that member's `k`-th
//! nearest neighbour (itself not counted).
//!
//! ```text
//! inside(y, X) = ∃ x ∈ X: |y − x| ≤ |x − NN_k(x, X)|
//! precision = |{y ∈ Y: inside(y, X)}| / |Y|    recall = |{x ∈ X: inside(x, Y)}| / |X|
//! ```
//!
//! with the real features `X` and the generated ones `Y`. Distances are computed in `f64`.

use rayon::prelude::*;
use serde::{Deserialize, Serialize};

use super::linalg;
use crate::error::enough;
use crate::matrix::same_cols;
use crate::{Error, Matrix, Result};

/// Rows per block of distances, which bounds the memory of a block.
const BLOCK: usize = 512;

/// Precision and recall.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PrecisionRecall {
    /// Share of generated images inside the real set.
    pub precision: f64,
    /// Share of real images inside the generated set.
    pub recall: f64,
}

/// Precision and recall of feature sets `[N1, D]` (real) and `[N2, D]` (generated), with the
/// `neighbours`-th neighbour (3 in the paper).
///
/// # Errors
/// [`Error::Shape`] when the sets differ in `D`, [`Error::TooFew`] with no more than `neighbours`
/// images in a set, [`Error::Config`] for 0 neighbours, [`Error::NotFinite`].
pub fn precision_recall(
    real: &Matrix,
    generated: &Matrix,
    neighbours: usize,
) -> Result<PrecisionRecall> {
    same_cols(real, generated)?;
    if neighbours == 0 {
        return Err(Error::config("neighbours", "at least 1", "0"));
    }
    let smallest = real.rows().min(generated.rows());
    enough("precision and recall", neighbours + 1, smallest, "give more images")?;
    real.check_finite("features of the real set")?;
    generated.check_finite("features of the generated set")?;
    Ok(PrecisionRecall {
        precision: share_inside(real, generated, neighbours),
        recall: share_inside(generated, real, neighbours),
    })
}

/// Share of `samples` that lie inside the manifold of `set`.
fn share_inside(set: &Matrix, samples: &Matrix, neighbours: usize) -> f64 {
    let radii: Vec<f64> = in_blocks(set, set, |distances| {
        // The distance to itself is the smallest one.
        let mut sorted = distances.to_vec();
        let (_, kth, _) = sorted.select_nth_unstable_by(neighbours, f64::total_cmp);
        *kth
    });
    let inside: Vec<bool> =
        in_blocks(samples, set, |distances| distances.iter().zip(&radii).any(|(d, r)| d <= r));
    inside.iter().filter(|&&v| v).count() as f64 / samples.rows() as f64
}

/// Maps the squared distances of each row of `from` to all rows of `to`.
fn in_blocks<T: Send>(from: &Matrix, to: &Matrix, map: impl Fn(&[f64]) -> T + Sync) -> Vec<T> {
    let starts: Vec<usize> = (0..from.rows()).step_by(BLOCK).collect();
    starts
        .into_par_iter()
        .flat_map_iter(|start| {
            let part = from.slice(start..(start + BLOCK).min(from.rows()));
            let distances = linalg::squared_distances(&part, to);
            distances.chunks_exact(to.rows()).map(&map).collect::<Vec<_>>()
        })
        .collect()
}
