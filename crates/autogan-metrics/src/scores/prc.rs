//! [`precision_recall`] computes precision and recall (Kynkäänniemi et al. 2019, *Improved Precision and Recall Metric
//! for Assessing Generative Models*, section 2); [`prdc`] computes density and coverage beside them (Naeem et al. 2020,
//! *Reliable Fidelity and Diversity Metrics for Generative Models*, section 3).
//!
//! The ball `B(x)` of a sample reaches to its `k`-th nearest neighbour in its own set (itself not counted).
//!
//! ```text
//! precision = |{y ∈ Y: y ∈ B(x) for some x ∈ X}| / |Y|    recall   = |{x ∈ X: x ∈ B(y) for some y ∈ Y}| / |X|
//! density   = Σ_y |{x ∈ X: y ∈ B(x)}| / (k |Y|)           coverage = |{x ∈ X: B(x) holds some y ∈ Y}| / |X|
//! ```
//!
//! with the real features `X` and the generated ones `Y`. Whether the border belongs to a ball differs: it does in
//! [`precision_recall`], as in torch-fidelity, and does not in [`prdc`], as in the authors' package of that name.

use serde::{Deserialize, Serialize};

use super::near::{Centre, Rows};
use super::neighbours::{Balls, Border, Counts, Radii, count};
use super::resample::{Interval, ResampleConfig, Samples};
use crate::error::enough;
use crate::matrix::same_cols;
use crate::{Error, Matrix, Result};

/// Precision and recall.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PrecisionRecall {
    /// Share of generated images inside the real set.
    pub precision: f64,
    /// Share of real images inside the generated set.
    pub recall: f64,
}

/// Precision, recall, density and coverage over the same neighbours.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Prdc {
    /// Share of generated images inside the ball of some real one.
    pub precision: f64,
    /// Share of real images inside the ball of some generated one.
    pub recall: f64,
    /// How many real balls hold a generated image, on average, over `k`; it may exceed 1.
    pub density: f64,
    /// Share of real images whose ball holds some generated one.
    pub coverage: f64,
}

/// Intervals of the scores of [`Prdc`].
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct PrdcIntervals {
    /// Interval of the precision.
    pub precision: Interval,
    /// Interval of the recall.
    pub recall: Interval,
    /// Interval of the density.
    pub density: Interval,
    /// Interval of the coverage.
    pub coverage: Interval,
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
    let found = whole(real, generated, neighbours, Border::Inside)?;
    Ok(PrecisionRecall { precision: found.precision, recall: found.recall })
}

/// Precision and recall as [`precision_recall`], with the interval of each, in this order.
///
/// # Errors
/// As [`precision_recall`]; [`Error::TooFew`] when a half of a set holds no more than `neighbours` images;
/// [`Error::Config`] for too few resamples.
pub fn precision_recall_intervals(
    real: &Matrix,
    generated: &Matrix,
    neighbours: usize,
    config: &ResampleConfig,
) -> Result<(PrecisionRecall, [Interval; 2])> {
    let (found, intervals) = resampled(real, generated, neighbours, Border::Inside, config)?;
    let score = PrecisionRecall { precision: found.precision, recall: found.recall };
    Ok((score, [intervals.precision, intervals.recall]))
}

/// Precision, recall, density and coverage of feature sets `[N1, D]` (real) and `[N2, D]` (generated), with the
/// `neighbours`-th neighbour (5 in the paper).
///
/// # Errors
/// As [`precision_recall`].
pub fn prdc(real: &Matrix, generated: &Matrix, neighbours: usize) -> Result<Prdc> {
    whole(real, generated, neighbours, Border::Outside)
}

/// The scores of [`prdc`] with their intervals.
///
/// # Errors
/// As [`precision_recall_intervals`].
pub fn prdc_intervals(
    real: &Matrix,
    generated: &Matrix,
    neighbours: usize,
    config: &ResampleConfig,
) -> Result<(Prdc, PrdcIntervals)> {
    resampled(real, generated, neighbours, Border::Outside, config)
}

fn whole(real: &Matrix, generated: &Matrix, k: usize, border: Border) -> Result<Prdc> {
    check(real, generated, k, real.rows().min(generated.rows()))?;
    let samples = [Samples::whole(real.rows()), Samples::whole(generated.rows())];
    Ok(scores(real, generated, k, border, &samples)?[0])
}

fn resampled(
    real: &Matrix,
    generated: &Matrix,
    k: usize,
    border: Border,
    config: &ResampleConfig,
) -> Result<(Prdc, PrdcIntervals)> {
    check(real, generated, k, real.rows().min(generated.rows()) / 2)?;
    let samples =
        [Samples::draw(real.rows(), config, 0)?, Samples::draw(generated.rows(), config, 1)?];
    let all = scores(real, generated, k, border, &samples)?;
    let interval = |pick: fn(&Prdc) -> f64, most| {
        let halves: Vec<f64> = all[1..].iter().map(pick).collect();
        Ok::<_, Error>(Interval::of(pick(&all[0]), &halves)?.within(0.0, most))
    };
    let intervals = PrdcIntervals {
        precision: interval(|s| s.precision, 1.0)?,
        recall: interval(|s| s.recall, 1.0)?,
        density: interval(|s| s.density, f64::INFINITY)?,
        coverage: interval(|s| s.coverage, 1.0)?,
    };
    Ok((all[0], intervals))
}

fn check(real: &Matrix, generated: &Matrix, k: usize, smallest: usize) -> Result<()> {
    same_cols(real, generated)?;
    if k == 0 {
        return Err(Error::config("neighbours", "at least 1", "0"));
    }
    let what = "precision and recall (or one half of the set, for an interval)";
    enough(what, k + 1, smallest, "give more images")?;
    real.check_finite("features of the real set")?;
    generated.check_finite("features of the generated set")
}

/// The scores in each sample.
fn scores(
    real: &Matrix,
    generated: &Matrix,
    k: usize,
    border: Border,
    samples: &[Samples; 2],
) -> Result<Vec<Prdc>> {
    let centre = Centre::of([real, generated]);
    let balls = |set, samples| {
        let set = Rows::new(set, &centre);
        Ok::<_, Error>(Balls { radii: Radii::new(&set, k, samples)?, set, samples })
    };
    let counts = count(&balls(real, &samples[0])?, &balls(generated, &samples[1])?, border);
    let score = |(sample, counts): (usize, Counts)| {
        let (n, m) = (samples[0].size(sample) as f64, samples[1].size(sample) as f64);
        Prdc {
            precision: counts.generated_inside as f64 / m,
            recall: counts.real_inside as f64 / n,
            density: counts.pairs as f64 / (k as f64 * m),
            coverage: counts.real_covered as f64 / n,
        }
    };
    Ok(counts.into_iter().enumerate().map(score).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(points: &[f32]) -> Matrix {
        Matrix::new(1, points.to_vec()).unwrap()
    }

    #[test]
    fn by_hand() {
        // Real balls with k = 1: 0 ± 1, 1 ± 1, 3 ± 2, 10 ± 7. Generated: 0.5 ± 1, 1.5 ± 1, 20 ± 18.5.
        let (real, generated) = (line(&[0., 1., 3., 10.]), line(&[0.5, 1.5, 20.]));
        let found = prdc(&real, &generated, 1).unwrap();
        // 0.5 is in the balls of 0 and 1; 1.5 in those of 1 and 3; 20 in none. Three of four balls hold something.
        assert_eq!((found.precision, found.density), (2.0 / 3.0, 4.0 / 3.0));
        assert_eq!(found.coverage, 3.0 / 4.0);
        // 0 and 1 are near 0.5; 3 and 10 are in the ball of 20.
        assert_eq!(found.recall, 1.0);
        // With k = 2 the real balls are 0 ± 3, 1 ± 2, 3 ± 3, 10 ± 9; the pairs (0.5: three, 1.5: four), 20: none.
        let found = prdc(&real, &generated, 2).unwrap();
        assert_eq!((found.precision, found.density, found.coverage), (2.0 / 3.0, 7.0 / 6.0, 1.0));
    }

    #[test]
    fn the_border_belongs_to_the_ball_in_one_of_them_only() {
        // The ball of 0 and that of 2 reach to each other; 4 lies on the border of the latter.
        let (real, generated) = (line(&[0., 2.]), line(&[4., 104.]));
        assert_eq!(prdc(&real, &generated, 1).unwrap().precision, 0.0);
        assert_eq!(precision_recall(&real, &generated, 1).unwrap().precision, 0.5);
    }

    /// Rows of a Gaussian-like cloud.
    pub(super) fn cloud(rows: usize, cols: usize, seed: u32) -> Matrix {
        let mut rng = crate::numpy_rng::RandomState::new(seed);
        let mut value =
            || (0..4).map(|_| f64::from(rng.next_u32()) / 2f64.powi(32) - 0.5).sum::<f64>() as f32;
        Matrix::new(cols, (0..rows * cols).map(|_| value()).collect()).unwrap()
    }

    /// The scores by all distances, each computed in `f64`: what the fast way must give.
    fn plain(real: &Matrix, generated: &Matrix, k: usize, border: Border) -> Prdc {
        let distance = |a: &Matrix, i: usize, b: &Matrix, j: usize| {
            let pairs = a.row(i).iter().zip(b.row(j));
            pairs.map(|(&x, &y)| (f64::from(x) - f64::from(y)).powi(2)).sum::<f64>()
        };
        let radius = |set: &Matrix, i: usize| {
            let others = (0..set.rows()).filter(|&j| j != i);
            let mut all: Vec<f64> = others.map(|j| distance(set, i, set, j)).collect();
            all.sort_by(f64::total_cmp);
            all[k - 1]
        };
        let radii = |set: &Matrix| (0..set.rows()).map(|i| radius(set, i)).collect::<Vec<f64>>();
        let (of_real, of_generated) = (radii(real), radii(generated));
        let (n, m) = (real.rows(), generated.rows());
        let inside = |d: f64, r: f64| d < r || border == Border::Inside && d == r;
        let in_real = |i, j| inside(distance(real, i, generated, j), of_real[i]);
        let in_generated = |i, j| inside(distance(real, i, generated, j), of_generated[j]);
        let share = |count: usize, all: usize| count as f64 / all as f64;
        let pairs: usize = (0..n).map(|i| (0..m).filter(|&j| in_real(i, j)).count()).sum();
        Prdc {
            precision: share((0..m).filter(|&j| (0..n).any(|i| in_real(i, j))).count(), m),
            recall: share((0..n).filter(|&i| (0..m).any(|j| in_generated(i, j))).count(), n),
            density: pairs as f64 / (k as f64 * m as f64),
            coverage: share((0..n).filter(|&i| (0..m).any(|j| in_real(i, j))).count(), n),
        }
    }

    #[test]
    fn hostile_sets_are_counted_as_by_all_distances() {
        for (case, [a, b]) in super::super::near::tests::sets().iter().enumerate() {
            for (real, generated, border) in
                [(a, b, Border::Outside), (b, a, Border::Inside), (a, a, Border::Outside)]
            {
                let found = whole(real, generated, 3, border).unwrap();
                assert_eq!(found, plain(real, generated, 3, border), "case {case}");
            }
        }
    }

    #[test]
    fn a_set_against_itself_has_density_and_coverage_one() {
        // Each ball holds its centre and k − 1 others, and its border does not count: exactly k.
        let set = cloud(700, 6, 1);
        for k in [1, 5] {
            let found = prdc(&set, &set, k).unwrap();
            let expected = Prdc { precision: 1.0, recall: 1.0, density: 1.0, coverage: 1.0 };
            assert_eq!(found, expected);
        }
    }

    #[test]
    fn the_bits_are_the_same_for_any_number_of_threads() {
        let (real, generated) = (cloud(600, 6, 1), cloud(530, 6, 2));
        let config = ResampleConfig { resamples: 70, seed: 5 };
        let found = |threads| {
            let pool = rayon::ThreadPoolBuilder::new().num_threads(threads).build().unwrap();
            pool.install(|| prdc_intervals(&real, &generated, 5, &config).unwrap())
        };
        assert_eq!(found(1), found(3));
        assert_eq!(found(1).0, prdc(&real, &generated, 5).unwrap());
    }

    #[test]
    fn samples_are_scored_as_if_they_were_sets() {
        let (real, generated) = (cloud(300, 4, 3), cloud(280, 4, 4));
        let config = ResampleConfig { resamples: 20, seed: 9 };
        let samples =
            [Samples::draw(300, &config, 0).unwrap(), Samples::draw(280, &config, 1).unwrap()];
        for (k, border) in [(3, Border::Inside), (5, Border::Outside)] {
            let all = scores(&real, &generated, k, border, &samples).unwrap();
            let halves = samples[0].halves(&real).zip(samples[1].halves(&generated));
            for (found, (real, generated)) in all[1..].iter().zip(halves) {
                assert_eq!(*found, whole(&real, &generated, k, border).unwrap());
            }
        }
    }

    /// The intervals must be as wide as the scores of independent draws scatter, or up to √2 times: whether an image is
    /// in a ball depends on few neighbours, which differ in each half. Then a half of `n` images scatters around the mean
    /// of the halves as an own set of `n/2` images does.
    #[test]
    fn intervals_are_as_wide_as_independent_draws_scatter() {
        let draw = |seed| (cloud(240, 4, seed), cloud(240, 4, 1000 + seed));
        let scores: Vec<Prdc> = (1..=80)
            .map(|seed| {
                let (real, generated) = draw(seed);
                prdc(&real, &generated, 5).unwrap()
            })
            .collect();
        let spread = |pick: fn(&Prdc) -> f64| {
            let mean = scores.iter().map(pick).sum::<f64>() / 80.0;
            (scores.iter().map(|s| (pick(s) - mean).powi(2)).sum::<f64>() / 79.0).sqrt()
        };
        let config = ResampleConfig { resamples: 200, seed: 0 };
        let mut errors = [0.0; 2];
        for seed in 1..=8 {
            let (real, generated) = draw(seed);
            let (_, found) = prdc_intervals(&real, &generated, 5, &config).unwrap();
            errors[0] += found.density.std_error / 8.0;
            errors[1] += found.coverage.std_error / 8.0;
        }
        for (error, truth) in
            errors.into_iter().zip([spread(|s| s.density), spread(|s| s.coverage)])
        {
            // 80 draws tell a deviation to 8 percent.
            assert!((0.85..1.55).contains(&(error / truth)), "{error} {truth}");
        }
    }

    #[test]
    fn errors_name_the_remedy() {
        let (a, b) = (cloud(9, 2, 1), cloud(9, 2, 2));
        assert!(prdc(&a, &b, 0).is_err());
        assert!(matches!(prdc(&a, &b, 9), Err(Error::TooFew { needed: 10, found: 9, .. })));
        assert!(matches!(prdc(&a, &cloud(9, 3, 1), 1), Err(Error::Shape { .. })));
        let config = ResampleConfig { resamples: 20, seed: 0 };
        assert!(matches!(
            prdc_intervals(&a, &b, 4, &config),
            Err(Error::TooFew { needed: 5, found: 4, .. })
        ));
        let nan = Matrix::new(2, vec![f32::NAN; 18]).unwrap();
        assert!(matches!(prdc(&a, &nan, 1), Err(Error::NotFinite { index: 0, .. })));
    }
}
